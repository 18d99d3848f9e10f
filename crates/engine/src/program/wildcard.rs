//! `wildcard` and `strict wildcard`: a pattern over the whole value, `*` for any bytes, `\*` and `\\` for themselves. Linear in
//! the value for each star, without backtracking: pieces between stars are found from left to right, the first place is enough.

use memchr::memmem::Finder;

use super::sets::lower;

/// Stars of one pattern (Cloudflare's limit for custom rules).
const MAX_STARS: usize = 16;

/// A compiled pattern.
#[derive(Debug)]
pub struct Wildcard {
    first: Box<[u8]>,
    /// Between two stars.
    middle: Box<[Finder<'static>]>,
    /// Behind the last star; none when there is no star.
    last: Option<Box<[u8]>>,
    is_strict: bool,
}

impl Wildcard {
    /// Compiles a pattern; only a strict one tells upper from lower case (of ASCII letters).
    ///
    /// # Errors
    /// A sentence.
    pub fn new(pattern: &[u8], is_strict: bool) -> Result<Self, String> {
        let pattern = if is_strict { pattern.to_vec() } else { pattern.to_ascii_lowercase() };
        let mut pieces = pieces(&pattern)?;
        let last = if pieces.len() > 1 { pieces.pop() } else { None };
        let mut pieces = pieces.into_iter();
        let first = pieces.next().unwrap_or_default();
        let middle = pieces.map(|piece| Finder::new(&piece).into_owned()).collect();
        Ok(Self { first: first.into(), middle, last: last.map(Into::into), is_strict })
    }

    /// Whether the whole value is as the pattern says.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        if self.is_strict { self.matches_folded(value) } else { self.matches_folded(&lower(value)) }
    }

    fn matches_folded(&self, value: &[u8]) -> bool {
        let Some(last) = &self.last else { return *value == *self.first };
        let Some(rest) = value.strip_prefix(&*self.first).and_then(|rest| rest.strip_suffix(&**last)) else { return false };
        let find = |rest: &[u8], piece: &Finder<'_>| piece.find(rest).map(|at| at + piece.needle().len());
        self.middle.iter().try_fold(rest, |rest, piece| find(rest, piece).map(|end| &rest[end..])).is_some()
    }
}

/// The text between stars, with its escapes resolved.
fn pieces(pattern: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut pieces = vec![Vec::new()];
    let mut bytes = pattern.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let piece = pieces.last_mut();
        match (byte, bytes.peek(), piece) {
            (b'\\', Some(escaped @ (b'*' | b'\\')), Some(piece)) => {
                piece.push(*escaped);
                bytes.next();
            }
            (b'\\', ..) => return Err("holds a `\\` before something other than `*` and `\\`".into()),
            (b'*', Some(b'*'), _) => return Err("holds `**`: write one star".into()),
            (b'*', ..) => pieces.push(Vec::new()),
            (byte, _, Some(piece)) => piece.push(byte),
            (_, _, None) => {}
        }
    }
    if pieces.len() > MAX_STARS + 1 { Err(format!("holds more than {MAX_STARS} stars")) } else { Ok(pieces) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_value_is_matched() {
        for (pattern, value, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*b*", "abc", true),
            ("/api/*/users", "/api/v1/users", true),
            ("/api/*/users", "/API/v1/USERS", true),
            ("/api/*/users", "/api/users", false),
            ("*ab*ba*", "aba", false),
            ("*ab*ba*", "abba", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\\*", r"a\b", true),
        ] {
            assert_eq!(
                Wildcard::new(pattern.as_bytes(), false).unwrap().matches(value.as_bytes()),
                expected,
                "{pattern} {value}"
            );
        }
        assert!(!Wildcard::new(b"/api/*", true).unwrap().matches(b"/API/x"));
        assert!(Wildcard::new(b"/api/*", true).unwrap().matches(b"/api/X"));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for pattern in [&b"a**"[..], br"a\b", br"a\", "*a".repeat(17).as_bytes()] {
            assert!(Wildcard::new(pattern, false).is_err(), "{pattern:?}");
        }
        assert!(Wildcard::new("*a".repeat(16).as_bytes(), false).is_ok());
    }
}
