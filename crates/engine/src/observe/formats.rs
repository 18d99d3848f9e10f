//! Formats that a whole text matches, spelled as in JSON Schema where it has a word. They say what a value could be read as.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::charset::Charset;
use super::sets::word_set;

word_set! {
    /// Formats that a value matches as a whole.
    FormatSet(u32) {
        INTEGER = "integer",
        NUMBER = "number",
        BOOLEAN = "boolean",
        UUID = "uuid",
        ULID = "ulid",
        /// RFC 3339 full-date.
        DATE = "date",
        TIME = "time",
        DATE_TIME = "date-time",
        EMAIL = "email",
        IPV4 = "ipv4",
        IPV6 = "ipv6",
        URI = "uri",
        HOSTNAME = "hostname",
        /// At least eight hexadecimal digits, among them letters and digits.
        HEX = "hex",
        /// At least 16 characters of base64, padded or not, in either alphabet, that are no word, number or hex.
        BASE64 = "base64",
        JWT = "jwt",
        /// Scheme of an `Authorization` value.
        BEARER = "bearer",
        BASIC = "basic",
        OTHER_SCHEME = "other_scheme",
    }
}

/// Values longer than this match no format: none of them needs more, but a JWT or base64 may.
const LONGEST: usize = 8192;

/// The formats of a text of these classes of characters. Time in proportion to its length.
#[must_use]
pub fn formats_of(text: &str, charset: Charset) -> FormatSet {
    if text.is_empty() || text.len() > LONGEST || charset.has_any(Charset::NON_ASCII.with(Charset::CONTROL).with(Charset::SPACE))
    {
        return FormatSet::NONE;
    }
    if charset.is_within(Charset::LETTER) {
        return if matches!(text, "true" | "false") { FormatSet::BOOLEAN } else { base64(text, charset) };
    }
    TESTS
        .iter()
        .filter(|(needs, _, _)| charset.has_any(*needs) || needs.is_empty())
        .filter(|(_, _, test)| test(text, charset))
        .fold(FormatSet::NONE, |set, (_, format, _)| set.with(*format))
        .with(base64(text, charset))
}

type Test = fn(&str, Charset) -> bool;

/// A class of characters without which the format cannot be; the format; its test.
const TESTS: &[(Charset, FormatSet, Test)] = &[
    (Charset::DIGIT, FormatSet::INTEGER, |text, _| is_integer(text)),
    (Charset::DIGIT, FormatSet::NUMBER, |text, _| is_number(text)),
    (Charset::DASH, FormatSet::UUID, |text, _| is_uuid(text)),
    (Charset::UPPER, FormatSet::ULID, |text, charset| is_ulid(text, charset)),
    (Charset::DASH, FormatSet::DATE, |text, _| is_date(text)),
    (Charset::COLON, FormatSet::TIME, |text, _| is_time(text)),
    (Charset::COLON, FormatSet::DATE_TIME, |text, _| is_date_time(text)),
    (Charset::AT, FormatSet::EMAIL, |text, _| is_email(text)),
    (Charset::DOT, FormatSet::IPV4, |text, _| text.parse::<Ipv4Addr>().is_ok()),
    (Charset::COLON, FormatSet::IPV6, |text, _| text.parse::<Ipv6Addr>().is_ok()),
    (Charset::COLON, FormatSet::URI, |text, _| is_uri(text)),
    (Charset::DOT, FormatSet::HOSTNAME, |text, charset| is_hostname(text, charset)),
    (Charset::DIGIT, FormatSet::HEX, |text, charset| is_hex(text, charset)),
    (Charset::DOT, FormatSet::JWT, |text, _| is_jwt(text)),
];

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    !digits.is_empty() && digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit)
}

fn is_number(text: &str) -> bool {
    let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    plain && text.len() <= 32 && text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Crockford's base32: 26 characters, no I, L, O, U, the first at most 7.
fn is_ulid(text: &str, charset: Charset) -> bool {
    text.len() == 26
        && charset.is_within(Charset::UPPER.with(Charset::DIGIT))
        && text.as_bytes()[0] <= b'7'
        && !text.bytes().any(|b| matches!(b, b'I' | b'L' | b'O' | b'U'))
}

pub(super) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && in_range(text.get(..4), 0, 9999)
        && in_range(text.get(5..7), 1, 12)
        && in_range(text.get(8..10), 1, 31)
}

/// RFC 3339 partial-time, with or without offset.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[2] == b':'
        && bytes[5] == b':'
        && in_range(text.get(..2), 0, 23)
        && in_range(text.get(3..5), 0, 59)
        && in_range(text.get(6..8), 0, 60)
        && is_offset(text.get(8..).map_or("", |rest| {
            rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()))
        }))
}

fn is_offset(text: &str) -> bool {
    let Some(hours) = text.strip_prefix(['+', '-']) else { return matches!(text, "" | "Z" | "z") };
    hours.len() == 5 && in_range(hours.get(..2), 0, 23) && hours.as_bytes()[2] == b':' && in_range(hours.get(3..), 0, 59)
}

fn is_date_time(text: &str) -> bool {
    text.len() >= 19
        && text.get(..10).is_some_and(is_date)
        && matches!(text.as_bytes()[10], b'T' | b't')
        && text.get(11..).is_some_and(is_time)
}

fn in_range(digits: Option<&str>, low: u32, high: u32) -> bool {
    digits
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .is_some_and(|value: u32| (low..=high).contains(&value))
}

/// `local@domain.tld`, in ASCII.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty()
        && local.len() <= 64
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b))
        && is_hostname(domain, Charset::of(domain.as_bytes()))
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && (rest.len() > 2 && rest.starts_with("//") || matches!(scheme, "urn" | "mailto" | "data" | "tel"))
}

/// At least two labels, the last of letters.
fn is_hostname(text: &str, charset: Charset) -> bool {
    let allowed = Charset::ALPHANUMERIC.with(Charset::DASH).with(Charset::DOT);
    let is_label = |label: &str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    charset.is_within(allowed)
        && text.len() <= 253
        && text.split('.').all(is_label)
        && text.rsplit_once('.').is_some_and(|(_, last)| last.len() >= 2 && last.bytes().all(|b| b.is_ascii_alphabetic()))
}

fn is_hex(text: &str, charset: Charset) -> bool {
    charset.is_within(Charset::ALPHANUMERIC)
        && charset.has_any(Charset::LETTER)
        && text.len() >= 8
        && text.bytes().all(|b| b.is_ascii_hexdigit())
}

pub(super) fn is_jwt(text: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    text.starts_with("eyJ")
        && text.len() >= 24
        && text.bytes().filter(|b| *b == b'.').count() == 2
        && text.split('.').all(is_part)
}

fn base64(text: &str, charset: Charset) -> FormatSet {
    let standard = Charset::ALPHANUMERIC.with(Charset::PLUS).with(Charset::SLASH).with(Charset::EQUALS);
    let url = Charset::ALPHANUMERIC.with(Charset::DASH).with(Charset::UNDERSCORE).with(Charset::EQUALS);
    let body = text.trim_end_matches('=');
    let has_form = text.len() >= 16
        && (charset.is_within(standard) || charset.is_within(url))
        && text.len() - body.len() <= 2
        && body.len() % 4 != 1
        && charset.has_any(Charset::UPPER)
        && charset.has_any(Charset::LOWER)
        && (charset.has_any(Charset::DIGIT) || text.len() > body.len())
        && !body.contains('=')
        && !is_uuid(text)
        && !is_hex(text, charset);
    if has_form { FormatSet::BASE64 } else { FormatSet::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        formats_of(text, Charset::of(text.as_bytes())).names().collect()
    }

    #[test]
    fn whole_values_are_recognised() {
        let cases: &[(&str, &[&str])] = &[
            ("42", &["integer", "number"]),
            ("-4.5e3", &["number"]),
            ("true", &["boolean"]),
            ("0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f", &["uuid"]),
            ("2026-11-21", &["date"]),
            ("2026-11-21T12:00:00.123Z", &["date-time"]),
            ("2026-11-21T12:00:00+02:00", &["date-time"]),
            ("12:30:00", &["time"]),
            ("ada@example.com", &["email"]),
            ("192.0.2.7", &["ipv4"]),
            ("2001:db8::1", &["ipv6"]),
            ("https://example.com/x?y", &["uri"]),
            ("api.example.com", &["hostname"]),
            ("deadbeef01", &["hex"]),
            ("dXNlcjpwYXNzd29yZA==", &["base64"]),
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", &["ulid"]),
        ];
        for (text, expected) in cases {
            assert_eq!(&names(text), expected, "{text}");
        }
        assert!(names("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl").contains(&"jwt"));
    }

    #[test]
    fn what_only_resembles_a_format_is_not_it() {
        for text in
            ["", "shipped", "2026-13-01", "25:00:00", "1.2.3.4.5", "a@b", "not a date", "US", "in_progress", "inf", "1,5", "-"]
        {
            assert_eq!(names(text), [""; 0], "{text}");
        }
    }
}
