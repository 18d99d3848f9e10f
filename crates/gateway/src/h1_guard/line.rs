//! Lines of a head: where they end, and which bytes may stand in them. Pure functions over slices.

use engine::violation::Refusal;
use memchr::memchr;

/// Where a line stands in the bytes that are looked at.
pub struct Line {
    /// Bytes before its CR LF.
    pub length: usize,
    /// Where the next line begins.
    pub next: usize,
}

/// Finds the end of the line that begins `bytes`; the first `searched` of them are known to hold no LF. It must be one of the
/// first `max_bytes`, CR LF included.
///
/// "Although the line terminator for the start-line and fields is the sequence CRLF, a recipient MAY recognize a single LF as a
/// line terminator and ignore any preceding CR" (RFC 9112 §2.2). We do not: servers differ, and that is how requests are
/// smuggled. "A recipient of such a bare CR MUST consider that element to be invalid", which is checked with the line's content.
///
/// # Errors
/// A line that ends in LF alone; nothing, when it ends too late.
pub fn find(bytes: &[u8], searched: usize, max_bytes: usize) -> Result<Option<Line>, Option<Refusal>> {
    let Some(at) = bytes.get(searched..).and_then(|rest| memchr(b'\n', rest)).map(|at| searched + at) else {
        return if bytes.len() >= max_bytes { Err(None) } else { Ok(None) };
    };
    if at >= max_bytes {
        return Err(None);
    }
    match at.checked_sub(1).and_then(|before| bytes.get(before)) {
        Some(b'\r') => Ok(Some(Line { length: at - 1, next: at + 1 })),
        _ => Err(Some(Refusal::LineEnding)),
    }
}

/// A field line that is as nearly all of them are, found in one pass: a token, a colon, no control character but the tab, CR LF.
/// Gives the lengths of its name and of all before its CR LF. What is not so is for [`find`] to say.
pub fn plain_field(bytes: &[u8]) -> Option<(usize, usize)> {
    let name = token_length(bytes);
    if name == 0 || bytes.get(name) != Some(&b':') {
        return None;
    }
    let mut at = name + 1;
    loop {
        at += first_control(bytes.get(at..)?)?;
        match bytes.get(at..at + 2)? {
            [b'\t', _] => at += 1,
            [b'\r', b'\n'] => return Some((name, at)),
            _ => return None,
        }
    }
}

/// Where the first control character stands, the tab included.
fn first_control(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let bits = control_bits(u64::from_le_bytes(*word));
        if bits != 0 {
            return Some(index * 8 + bits.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(u8::is_ascii_control)?;
    Some(words.len() * 8 + at)
}

const TOKEN: u8 = 1;
const TARGET: u8 = 2;

/// What each byte may be part of.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        let is_alphanumeric = b.is_ascii_alphanumeric();
        // RFC 9110 §5.6.2: tchar.
        if is_alphanumeric || matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~') {
            table[byte] |= TOKEN;
        }
        // RFC 3986: unreserved, sub-delims, `:`, `@`, `/`, `?`, and the `%` of an encoded byte.
        if is_alphanumeric || matches!(b, b'!' | b'$'..=b';' | b'=' | b'?' | b'@' | b'_' | b'~') {
            table[byte] |= TARGET;
        }
        byte += 1;
    }
    table
}

fn has_class(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2): a method, a field name.
pub fn is_token_byte(byte: u8) -> bool {
    has_class(byte, TOKEN)
}

/// Bytes at the beginning that make a token.
pub fn token_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(bytes.len())
}

/// Whether a target holds nothing but what RFC 3986 lets stand in path and query.
pub fn is_plain_target(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| has_class(*byte, TARGET))
}

/// Whether a field value holds a control character other than the tab: "Field values containing CR, LF, or NUL characters are
/// invalid and dangerous" (RFC 9110 §5.5), and no other control character has a meaning there. Bytes above 0x7f pass: obs-text.
pub fn has_control(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks::<8>();
    let mut suspects = 0;
    for word in words {
        suspects |= control_bits(u64::from_le_bytes(*word));
    }
    if let Some(last) = value.last_chunk::<8>() {
        suspects |= control_bits(u64::from_le_bytes(*last));
        return suspects != 0 && value.iter().any(|byte| is_control(*byte));
    }
    rest.iter().any(|byte| is_control(*byte))
}

fn is_control(byte: u8) -> bool {
    byte != b'\t' && byte.is_ascii_control()
}

/// The high bit of each byte that is below 0x20 or 0x7f, eight at a time. The lowest mark is right; a borrow from it may set more
/// above it.
fn control_bits(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let delete = word ^ (ONES * 0x7f);
    (below_space | delete.wrapping_sub(ONES) & !delete) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_is_found_wherever_it_stands() {
        for byte in 0..=255 {
            for length in 1..40 {
                for place in 0..length {
                    let mut value = vec![b'a'; length];
                    value[place] = byte;
                    assert_eq!(has_control(&value), is_control(byte), "{byte:#x} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn the_first_control_character_is_where_it_is() {
        for byte in (0..=255_u8).filter(u8::is_ascii_control) {
            for length in 1..40 {
                for place in 0..length {
                    let mut value = vec![0xff; length];
                    value[place..].fill(byte);
                    assert_eq!(first_control(&value), Some(place), "{byte:#x} at {place} of {length}");
                }
            }
        }
        assert_eq!(first_control(b"nothing but text, and more of it \xe4"), None);
    }

    #[test]
    fn a_plain_field_is_found_and_nothing_else_is_one() {
        assert_eq!(plain_field(b"Host: a\tb\r\nX"), Some((4, 9)));
        assert_eq!(plain_field(b"A:\r\n"), Some((1, 2)));
        for bytes in
            ["A: b", "A: b\r", "A: b\n", "A: b\rc\r\n", "A : b\r\n", ": b\r\n", "A\r\n", "\r\n", "A: \0\r\n", " A: b\r\n"]
        {
            assert_eq!(plain_field(bytes.as_bytes()), None, "{bytes:?}");
        }
    }

    #[test]
    fn tokens_are_those_of_rfc_9110() {
        let all: String = (0..=255).filter(|byte| is_token_byte(*byte)).map(char::from).collect();
        assert_eq!(all, "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");
    }

    #[test]
    fn a_line_ends_in_both_bytes() {
        let found = |bytes: &[u8]| find(bytes, 0, 4).map(|line| line.map(|line| (line.length, line.next)));
        assert_eq!(found(b"ab\r\nc"), Ok(Some((2, 4))));
        assert_eq!(found(b"\r\n"), Ok(Some((0, 2))));
        assert_eq!(found(b"ab\r"), Ok(None));
        assert_eq!(found(b"ab\n"), Err(Some(Refusal::LineEnding)));
        assert_eq!(found(b"\n"), Err(Some(Refusal::LineEnding)));
        assert_eq!(found(b"abc\r"), Err(None));
        assert_eq!(found(b"abc\r\n"), Err(None));
    }
}
