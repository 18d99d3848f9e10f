//! Strings of a JSON text: scanning them without a copy, and resolving their escapes when asked.

use std::borrow::Cow;

use super::issues::ErrorKind;

/// A scanned string: where its closing quote stands, and what is inside.
pub(super) struct ScannedString {
    /// Offset of the closing quote.
    pub end: usize,
    pub has_escape: bool,
    /// Offset of the first escaped surrogate without its partner.
    pub lone_surrogate: Option<usize>,
}

/// Scans the string whose content begins at `start` (after the opening quote) (RFC 8259 section 7).
pub(super) fn scan(bytes: &[u8], start: usize) -> Result<ScannedString, (ErrorKind, usize)> {
    let mut scanned = ScannedString { end: start, has_escape: false, lone_surrogate: None };
    let mut at = start;
    loop {
        at = next_special(bytes, at);
        match bytes.get(at) {
            None => return Err((ErrorKind::UnexpectedEnd, bytes.len())),
            Some(b'"') => {
                scanned.end = at;
                return Ok(scanned);
            }
            Some(b'\\') => {
                scanned.has_escape = true;
                let escape = read_escape(bytes, at)?;
                if matches!(escape.decoded, Decoded::LoneSurrogate(_)) {
                    scanned.lone_surrogate.get_or_insert(at);
                }
                at = escape.end;
            }
            Some(_) => return Err((ErrorKind::ControlCharacter, at)),
        }
    }
}

/// The content of a scanned string, escapes resolved; a lone surrogate becomes U+FFFD.
pub(super) fn decode(content: &str) -> Cow<'_, str> {
    decode_with(content, |out, _| out.extend_from_slice("\u{fffd}".as_bytes()))
        .map_or(Cow::Borrowed(content), |bytes| Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The content of a scanned string as bytes to compare: as [`decode`], but different lone surrogates stay different (WTF-8).
pub(super) fn decode_exact(content: &str) -> Cow<'_, [u8]> {
    decode_with(content, |out, unit| {
        out.extend([0xe0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3f) as u8, 0x80 | (unit & 0x3f) as u8]);
    })
    .map_or(Cow::Borrowed(content.as_bytes()), Cow::Owned)
}

/// None when there is no escape.
fn decode_with(content: &str, lone: impl Fn(&mut Vec<u8>, u16)) -> Option<Vec<u8>> {
    let bytes = content.as_bytes();
    let mut escape_at = bytes.iter().position(|b| *b == b'\\')?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    loop {
        out.extend_from_slice(&bytes[copied..escape_at]);
        let Ok(escape) = read_escape(bytes, escape_at) else { break };
        match escape.decoded {
            Decoded::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Decoded::LoneSurrogate(unit) => lone(&mut out, unit),
        }
        copied = escape.end;
        match bytes[copied..].iter().position(|b| *b == b'\\') {
            Some(next) => escape_at = copied + next,
            None => break,
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    Some(out)
}

struct Escape {
    end: usize,
    decoded: Decoded,
}

enum Decoded {
    Char(char),
    LoneSurrogate(u16),
}

/// Reads the escape whose backslash stands at `at`; an escaped surrogate pair counts as one.
fn read_escape(bytes: &[u8], at: usize) -> Result<Escape, (ErrorKind, usize)> {
    let simple = |c| Ok(Escape { end: at + 2, decoded: Decoded::Char(c) });
    match bytes.get(at + 1) {
        Some(b'"') => simple('"'),
        Some(b'\\') => simple('\\'),
        Some(b'/') => simple('/'),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'u') => read_unicode(bytes, at),
        Some(_) => Err((ErrorKind::InvalidEscape, at)),
        None => Err((ErrorKind::UnexpectedEnd, bytes.len())),
    }
}

fn read_unicode(bytes: &[u8], at: usize) -> Result<Escape, (ErrorKind, usize)> {
    let unit = hex4(bytes, at)?;
    if let Some(c) = char::from_u32(u32::from(unit)) {
        return Ok(Escape { end: at + 6, decoded: Decoded::Char(c) });
    }
    let is_high = unit < 0xdc00;
    if is_high && bytes.get(at + 6..at + 8) == Some(br"\u") {
        let low = hex4(bytes, at + 6)?;
        if (0xdc00..0xe000).contains(&low) {
            let code = 0x10000 + (u32::from(unit - 0xd800) << 10) + u32::from(low - 0xdc00);
            let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            return Ok(Escape { end: at + 12, decoded: Decoded::Char(c) });
        }
    }
    Ok(Escape { end: at + 6, decoded: Decoded::LoneSurrogate(unit) })
}

/// The four digits after `\u` at `at`.
fn hex4(bytes: &[u8], at: usize) -> Result<u16, (ErrorKind, usize)> {
    let mut unit = 0;
    for offset in at + 2..at + 6 {
        let digit = match bytes.get(offset) {
            Some(b) => (*b as char).to_digit(16).ok_or((ErrorKind::InvalidEscape, at))?,
            None => return Err((ErrorKind::UnexpectedEnd, bytes.len())),
        };
        unit = unit << 4 | digit as u16;
    }
    Ok(unit)
}

/// Offset of the next quote, backslash or control character from `at`; the length when there is none. Eight bytes at a time:
/// `(x - 1) & !x` has its high bit set exactly in the lowest zero byte of x (and maybe above it, which the byte loop settles).
fn next_special(bytes: &[u8], mut at: usize) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const QUOTES: u64 = LOW * b'"' as u64;
    const BACKSLASHES: u64 = LOW * b'\\' as u64;
    let zero_byte = |x: u64| x.wrapping_sub(LOW) & !x & HIGH;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let found = zero_byte(word ^ QUOTES) | zero_byte(word ^ BACKSLASHES) | control;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..0x20)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_and_lone_surrogates_kept_apart() {
        assert_eq!(decode(r#"a\"\\\/\b\f\n\r\té😀"#), "a\"\\/\u{8}\u{c}\n\r\té😀");
        assert_eq!(decode(r"x\ud800y"), "x\u{fffd}y");
        assert_ne!(decode_exact(r"\ud800"), decode_exact(r"\ud801"));
        assert_eq!(decode_exact(r"\u0061"), decode_exact("a"));
        assert!(matches!(decode("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_next_special_byte_is_found_at_every_alignment() {
        for special in [b'"', b'\\', 0, 0x1f] {
            for length in 0..40 {
                for at in 0..length {
                    let mut text = vec![0xff; length];
                    text[at] = special;
                    assert_eq!(next_special(&text, 0), at);
                    assert_eq!(next_special(&text, at + 1), length);
                }
            }
        }
        assert_eq!(next_special(b"     \x7f ! # []", 0), 13);
    }
}
