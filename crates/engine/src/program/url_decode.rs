//! `url_decode`: `+` is a blank, `%XX` a byte; with the option `u` also `%uXXXX`, with `r` again until nothing changes. What is
//! no escape stays as it is.

use std::borrow::Cow;

/// How often `r` decodes at most.
const MAX_PASSES: usize = 16;

/// The decoded value; copied only when something changes.
#[must_use]
pub fn decode(value: Cow<'_, [u8]>, recursive: bool, unicode: bool) -> Cow<'_, [u8]> {
    let mut value = value;
    for _ in 0..if recursive { MAX_PASSES } else { 1 } {
        match pass(&value, unicode) {
            Some(decoded) if *decoded != *value => value = decoded.into(),
            _ => break,
        }
    }
    value
}

fn pass(value: &[u8], unicode: bool) -> Option<Vec<u8>> {
    let first = value.iter().position(|byte| matches!(byte, b'%' | b'+'))?;
    let mut decoded = Vec::with_capacity(value.len());
    decoded.extend_from_slice(&value[..first]);
    let mut rest = &value[first..];
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                if let Some((byte, behind)) = hex(rest, 2) {
                    decoded.push(byte as u8);
                    rest = behind;
                } else if let Some((character, behind)) = rest.strip_prefix(b"u").filter(|_| unicode).and_then(character) {
                    decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = behind;
                } else {
                    decoded.push(b'%');
                }
            }
            byte => decoded.push(*byte),
        }
    }
    Some(decoded)
}

/// So many hex digits, and what is behind them.
fn hex(text: &[u8], digits: usize) -> Option<(u16, &[u8])> {
    let (number, behind) = text.split_at_checked(digits)?;
    let digit = |value: u16, byte: &u8| Some(value << 4 | (*byte as char).to_digit(16)? as u16);
    Some((number.iter().try_fold(0, digit)?, behind))
}

/// Behind `%u`: one character, of two escapes where the first is half of a surrogate pair.
fn character(text: &[u8]) -> Option<(char, &[u8])> {
    let (unit, behind) = hex(text, 4)?;
    if let Some(character) = char::from_u32(unit.into()) {
        return Some((character, behind));
    }
    let (second, behind) = hex(behind.strip_prefix(b"%u")?, 4)?;
    let character = char::decode_utf16([unit, second]).next()?.ok()?;
    Some((character, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_the_rest_stays() {
        for (value, recursive, unicode, expected) in [
            ("a", false, false, "a"),
            ("a%20b+c", false, false, "a b c"),
            ("%2520", false, false, "%20"),
            ("%2520", true, false, " "),
            ("%25252520", true, true, " "),
            ("100%", false, false, "100%"),
            ("%zz%4", false, false, "%zz%4"),
            ("%u0041", false, false, "%u0041"),
            ("%u0041%U0041", false, true, "A%U0041"),
            ("%ud83d%ude00", false, true, "\u{1f600}"),
            ("%ud83dx", false, true, "%ud83dx"),
            ("%ud83d%u0041", false, true, "%ud83dA"),
            ("%ude00", false, true, "%ude00"),
        ] {
            assert_eq!(&*decode(value.as_bytes().into(), recursive, unicode), expected.as_bytes(), "{value}");
        }
        assert_eq!(&*decode(b"%ff"[..].into(), false, false), b"\xff");
    }
}
