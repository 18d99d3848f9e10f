//! Request targets: from path and query as received to what the engine judges and the upstream gets, or a refusal. Only what
//! RFC 3986 §6.2.2 calls equal is changed; whatever was not normal is an anomaly. Knows no zone.
//!
//! The law: what comes out is read in one way by everyone, and going through again changes nothing.

use std::borrow::Cow;

use crate::violation::Refusal;

/// Bytes of path and query together.
pub const MAX_TARGET_BYTES: usize = 65_536;

/// A path in its normal form, and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalPath<'a> {
    /// Borrowed when nothing had to change.
    pub path: Cow<'a, str>,
    pub anomalies: Anomalies,
}

/// A request's target, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    pub raw_path: &'a str,
    pub path: Cow<'a, str>,
    /// Without `?`, untouched; none: there was no `?`.
    pub query: Option<&'a str>,
    pub anomalies: Anomalies,
}

/// What was not normal in a path, a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Anomalies(u16);

/// One kind of what is not normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Anomaly {
    DotSegments = 1,
    AboveRoot = 1 << 1,
    EncodedUnreserved = 1 << 2,
    EncodedSlash = 1 << 3,
    EncodedBackslash = 1 << 4,
    EncodedControl = 1 << 5,
    EmptySegment = 1 << 6,
    Parameters = 1 << 7,
    NonAscii = 1 << 8,
    IllegalCharacter = 1 << 9,
    LowerCaseHex = 1 << 10,
}

impl Anomaly {
    /// All kinds, in the order in which they are listed, each with its word and what it says.
    #[rustfmt::skip]
    pub const ALL: &[(Self, &str, &str)] = &[
        (Self::DotSegments, "dot_segments", "`.` or `..` segments, removed"),
        (Self::AboveRoot, "above_root", "more `..` than segments before it"),
        (Self::EncodedUnreserved, "encoded_unreserved", "a letter, digit, `-`, `.`, `_` or `~` was percent-encoded; decoded"),
        (Self::EncodedSlash, "encoded_slash", "`%2F`, kept inside its segment"),
        (Self::EncodedBackslash, "encoded_backslash", "`%5C`, kept inside its segment"),
        (Self::EncodedControl, "encoded_control", "a percent-encoded control character, kept"),
        (Self::EmptySegment, "empty_segment", "`//`; merged only where the zone says so"),
        (Self::Parameters, "parameters", "`;` in a segment, kept"),
        (Self::NonAscii, "non_ascii", "bytes beyond ASCII; percent-encoded"),
        (Self::IllegalCharacter, "illegal_character", "a character that RFC 3986 allows in no path; percent-encoded"),
        (Self::LowerCaseHex, "lower_case_hex", "percent-encoding with lower-case digits; written in upper case"),
    ];
}

impl Anomaly {
    /// Its word in records and in the fact.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, word, _)| word)
    }
}

impl Anomalies {
    /// Whether nothing was odd.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this kind was seen.
    #[must_use]
    pub const fn contains(self, anomaly: Anomaly) -> bool {
        self.0 & anomaly as u16 != 0
    }

    /// The words of what was seen, in their listed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Anomaly::ALL.iter().filter(move |(kind, _, _)| self.contains(*kind)).map(|(_, name, _)| *name)
    }

    const fn add(&mut self, anomaly: Anomaly) {
        self.0 |= anomaly as u16;
    }
}

/// Reads path and query as received. The path of a target without one is `/`.
///
/// # Errors
/// The first reason why it is refused.
pub fn parse_target(target: &str, merge_slashes: bool) -> Result<Target<'_>, Refusal> {
    if target.len() > MAX_TARGET_BYTES {
        return Err(Refusal::TargetTooLong);
    }
    if target.as_bytes().contains(&b'#') {
        return Err(Refusal::TargetFragment);
    }
    let (raw_path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let raw_path = if raw_path.is_empty() { "/" } else { raw_path };
    let NormalPath { path, anomalies } = normalise_path(raw_path, merge_slashes)?;
    // A blank would end the target in the upstream's request line.
    if query.is_some_and(|query| query.bytes().any(|byte| byte <= b' ' || byte == 0x7f)) {
        return Err(Refusal::QueryControlCharacter);
    }
    Ok(Target { raw_path, path, query, anomalies })
}

/// Brings a path into its normal form: unreserved characters decoded, hex digits in upper case, dot segments removed (after
/// decoding), what no path may hold percent-encoded; `//` merged only if asked.
///
/// # Errors
/// The first reason why it is refused.
pub fn normalise_path(path: &str, merge_slashes: bool) -> Result<NormalPath<'_>, Refusal> {
    let Some(inner) = path.strip_prefix('/') else { return Err(Refusal::TargetInvalid) };
    if let Some(anomalies) = already_normal(path) {
        return Ok(NormalPath { path: Cow::Borrowed(path), anomalies });
    }
    let mut writer = Writer { out: String::with_capacity(path.len() + 16), anomalies: Anomalies::default(), merge_slashes };
    writer.out.push('/');
    let mut segments = inner.split('/').peekable();
    while let Some(segment) = segments.next() {
        writer.segment(segment, segments.peek().is_none())?;
    }
    let path = if writer.out == path { Cow::Borrowed(path) } else { Cow::Owned(writer.out) };
    Ok(NormalPath { path, anomalies: writer.anomalies })
}

/// `%XX` resolved; copied only where one stands.
pub(crate) fn percent_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return text.into();
    }
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut whole = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, digit(behind.first()), digit(behind.get(1))) {
            (b'%', Some(high), Some(low)) => {
                whole.push((high << 4 | low) as u8);
                rest = &behind[2..];
            }
            _ => whole.push(*byte),
        }
    }
    whole.into()
}

/// The parts between the slashes of a path, as `split('/')` gives them, but fast where they are short.
pub(crate) fn segments(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let text = rest?;
        match text.bytes().position(|byte| byte == b'/') {
            Some(slash) => {
                rest = Some(&text[slash + 1..]);
                Some(&text[..slash])
            }
            None => rest.take(),
        }
    })
}

/// The common case: nothing to change. Sees whether a path holds only what is plain, and no `//`, `/.` or `%`.
fn already_normal(path: &str) -> Option<Anomalies> {
    let mut anomalies = Anomalies::default();
    let mut before = 0;
    for byte in path.bytes() {
        match CLASSES[byte as usize] {
            Class::Plain => {}
            Class::Dot if before == b'/' => return None,
            Class::Dot => {}
            Class::Slash if before == b'/' => return None,
            Class::Slash => {}
            Class::Semicolon => anomalies.add(Anomaly::Parameters),
            Class::Percent | Class::Illegal | Class::Control | Class::Backslash => return None,
        }
        before = byte;
    }
    Some(anomalies)
}

/// What a byte means in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// RFC 3986 `pchar` that is written as it is.
    Plain,
    Dot,
    Slash,
    Semicolon,
    Percent,
    Backslash,
    /// ASCII control characters.
    Control,
    /// Whatever else is no `pchar`: it is percent-encoded.
    Illegal,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Illegal; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'.' => Class::Dot,
            b'/' => Class::Slash,
            b';' => Class::Semicolon,
            b'%' => Class::Percent,
            b'\\' => Class::Backslash,
            0..=0x1f | 0x7f => Class::Control,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => Class::Plain,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => Class::Plain,
            _ => Class::Illegal,
        };
        byte += 1;
    }
    classes
};

/// Writes segment by segment; `out` always ends behind the last `/` that is settled.
struct Writer {
    out: String,
    anomalies: Anomalies,
    merge_slashes: bool,
}

impl Writer {
    fn segment(&mut self, segment: &str, is_last: bool) -> Result<(), Refusal> {
        let start = self.out.len();
        self.decode(segment)?;
        // RFC 3986 §5.2.4, on the decoded segment.
        match &self.out[start..] {
            "." => {
                self.anomalies.add(Anomaly::DotSegments);
                self.out.truncate(start);
            }
            ".." => {
                self.anomalies.add(Anomaly::DotSegments);
                self.out.truncate(start);
                self.remove_last_segment();
            }
            "" if is_last => {}
            "" => {
                self.anomalies.add(Anomaly::EmptySegment);
                if !self.merge_slashes {
                    self.out.push('/');
                }
            }
            text if is_dots_with_parameters(text) => return Err(Refusal::PathDotParameter),
            _ if is_last => {}
            _ => self.out.push('/'),
        }
        Ok(())
    }

    fn remove_last_segment(&mut self) {
        let before = self.out.len() - 1;
        match self.out[..before].rfind('/') {
            Some(slash) => self.out.truncate(slash + 1),
            None => self.anomalies.add(Anomaly::AboveRoot),
        }
    }

    fn decode(&mut self, segment: &str) -> Result<(), Refusal> {
        let bytes = segment.as_bytes();
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match CLASSES[byte as usize] {
                Class::Plain | Class::Dot | Class::Slash => self.out.push(byte as char),
                Class::Semicolon => {
                    self.anomalies.add(Anomaly::Parameters);
                    self.out.push(';');
                }
                Class::Percent => {
                    let digits = after.first_chunk::<2>().ok_or(Refusal::PathPercentEncoding)?;
                    self.encoded(*digits)?;
                    rest = &after[2..];
                }
                Class::Backslash => return Err(Refusal::PathBackslash),
                Class::Control => return Err(Refusal::PathControlCharacter),
                Class::Illegal => {
                    self.anomalies.add(if byte.is_ascii() { Anomaly::IllegalCharacter } else { Anomaly::NonAscii });
                    self.encode(byte);
                }
            }
        }
        Ok(())
    }

    /// Two digits behind a `%`.
    fn encoded(&mut self, [high, low]: [u8; 2]) -> Result<(), Refusal> {
        let byte = match (hex_value(high), hex_value(low)) {
            (Some(high), Some(low)) => high << 4 | low,
            _ => return Err(Refusal::PathPercentEncoding),
        };
        match byte {
            0 => return Err(Refusal::PathNul),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                self.anomalies.add(Anomaly::EncodedUnreserved);
                self.out.push(byte as char);
                return Ok(());
            }
            b'/' => self.anomalies.add(Anomaly::EncodedSlash),
            b'\\' => self.anomalies.add(Anomaly::EncodedBackslash),
            0x01..=0x1f | 0x7f => self.anomalies.add(Anomaly::EncodedControl),
            _ => {}
        }
        if high.is_ascii_lowercase() || low.is_ascii_lowercase() {
            self.anomalies.add(Anomaly::LowerCaseHex);
        }
        self.encode(byte);
        Ok(())
    }

    fn encode(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        self.out.push('%');
        self.out.push(DIGITS[usize::from(byte >> 4)] as char);
        self.out.push(DIGITS[usize::from(byte & 15)] as char);
    }
}

/// `.;…` and `..;…`: a server that cuts parameters off before it resolves dots would climb.
fn is_dots_with_parameters(segment: &str) -> bool {
    matches!(segment.split_once(';'), Some(("." | "..", _)))
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const NORMALISED: &[(&str, &str, &str)] = &[
        // as received, as judged and sent on, what was not normal
        ("/", "/", ""),
        ("/users/42", "/users/42", ""),
        ("/users/", "/users/", ""),
        ("/a-b_c~d!$&'()*+,=:@", "/a-b_c~d!$&'()*+,=:@", ""),
        ("/.well-known/x", "/.well-known/x", ""),
        ("/a/...", "/a/...", ""),
        ("/%7Euser", "/~user", "encoded_unreserved"),
        ("/%61%62c", "/abc", "encoded_unreserved"),
        ("/a%2fb", "/a%2Fb", "encoded_slash,lower_case_hex"),
        ("/a%2Fb", "/a%2Fb", "encoded_slash"),
        ("/a%5Cb", "/a%5Cb", "encoded_backslash"),
        ("/a%0Ab", "/a%0Ab", "encoded_control"),
        ("/a%20b%c3%a9", "/a%20b%C3%A9", "lower_case_hex"),
        ("/a%252Fb", "/a%252Fb", ""),
        ("/./a", "/a", "dot_segments"),
        ("/a/.", "/a/", "dot_segments"),
        ("/a/b/..", "/a/", "dot_segments"),
        ("/a/b/../c", "/a/c", "dot_segments"),
        ("/a/..", "/", "dot_segments"),
        ("/..", "/", "dot_segments,above_root"),
        ("/../../a", "/a", "dot_segments,above_root"),
        ("/a/%2e%2E/b", "/b", "dot_segments,encoded_unreserved"),
        ("/a/.%2e/b", "/b", "dot_segments,encoded_unreserved"),
        ("/a/..%2Fb", "/a/..%2Fb", "encoded_slash"),
        ("//a", "//a", "empty_segment"),
        ("/a//b", "/a//b", "empty_segment"),
        ("/a//", "/a//", "empty_segment"),
        ("/a//..", "/a/", "dot_segments,empty_segment"),
        ("/a//../b", "/a/b", "dot_segments,empty_segment"),
        ("/a;v=1/b", "/a;v=1/b", "parameters"),
        ("/a;.", "/a;.", "parameters"),
        ("/é", "/%C3%A9", "non_ascii"),
        ("/a b", "/a%20b", "illegal_character"),
        ("/{id}[0]", "/%7Bid%7D%5B0%5D", "illegal_character"),
        ("/<\"^`|>", "/%3C%22%5E%60%7C%3E", "illegal_character"),
    ];

    #[test]
    fn only_what_is_equal_by_rfc_3986_is_changed_and_noted() {
        for (received, expected, anomalies) in NORMALISED {
            let normal = normalise_path(received, false).unwrap();
            assert_eq!(normal.path, *expected, "{received}");
            assert_eq!(normal.anomalies.names().collect::<Vec<_>>().join(","), *anomalies, "{received}");
            assert_eq!(
                matches!(normal.path, Cow::Borrowed(_)),
                received == expected,
                "{received}: copied for nothing, or not at all"
            );
        }
    }

    #[test]
    fn slashes_are_merged_only_where_the_zone_says_so() {
        for (received, expected) in [("//a///b//", "/a/b/"), ("//", "/"), ("/a//../b", "/b"), ("/a/b", "/a/b")] {
            assert_eq!(normalise_path(received, true).unwrap().path, expected);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let cases = [
            ("/a\\b", Refusal::PathBackslash),
            ("/%00", Refusal::PathNul),
            ("/a%", Refusal::PathPercentEncoding),
            ("/a%4", Refusal::PathPercentEncoding),
            ("/a%4/b", Refusal::PathPercentEncoding),
            ("/a%zz", Refusal::PathPercentEncoding),
            ("/%%32%35", Refusal::PathPercentEncoding),
            ("/a\tb", Refusal::PathControlCharacter),
            ("/a\u{7f}", Refusal::PathControlCharacter),
            ("/a/..;/b", Refusal::PathDotParameter),
            ("/a/.;x=1", Refusal::PathDotParameter),
            ("/a/%2e%2e;/b", Refusal::PathDotParameter),
            ("a", Refusal::TargetInvalid),
            ("*", Refusal::TargetInvalid),
            ("/a#b", Refusal::TargetFragment),
            ("/a?b#c", Refusal::TargetFragment),
            ("/a?b c", Refusal::QueryControlCharacter),
            ("/a?b\0", Refusal::QueryControlCharacter),
        ];
        for (target, refusal) in cases {
            assert_eq!(parse_target(target, false).unwrap_err(), refusal, "{target:?}");
        }
        assert_eq!(parse_target(&"/a".repeat(MAX_TARGET_BYTES), false).unwrap_err(), Refusal::TargetTooLong);
    }

    #[test]
    fn segments_are_what_stands_between_slashes() {
        for path in ["", "/", "a", "/a", "/a/", "//", "/a//é/b", "a/b"] {
            assert_eq!(segments(path).collect::<Vec<_>>(), path.split('/').collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_query_goes_on_untouched() {
        let target = parse_target("/a/../b?x=%2e%zz/../é&y=\\?z", false).unwrap();
        assert_eq!((target.path.as_ref(), target.query), ("/b", Some("x=%2e%zz/../é&y=\\?z")));
        assert_eq!(parse_target("/a?", false).unwrap().query, Some(""));
        assert_eq!(parse_target("?x", false).unwrap().path, "/");
    }
}
