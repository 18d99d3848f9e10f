//! Host names: from a `Host` field or an authority (RFC 3986 §3.2) to the lower-case host and the port, or nothing when it is
//! not exactly that; and host patterns with variables. Knows no bundle.
//!
//! Internationalised names are taken as they come on the wire (A-labels, `xn--…`); anything but ASCII is no host.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

/// Bytes of a host name (RFC 1035 §2.3.4, without the final dot) and of one of its labels.
pub const MAX_HOST_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// A host, and the port if one was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Lower case, without a final dot; IPv6 addresses in brackets, in their canonical form.
    pub host: Cow<'a, str>,
    pub port: Option<u16>,
}

/// Reads `host [":" port]`. No user information, no empty port.
#[must_use]
pub fn parse_authority(text: &str) -> Option<Authority<'_>> {
    let bracket = text.bytes().rposition(|b| b == b']').map_or(0, |end| end + 1);
    match text[bracket..].bytes().position(|b| b == b':') {
        None => Some(Authority { host: parse_host(text)?, port: None }),
        Some(colon) => {
            let (host, port) = text.split_at(bracket + colon);
            Some(Authority { host: parse_host(host)?, port: Some(parse_port(&port[1..])?) })
        }
    }
}

/// Reads a host without port: a name, an IPv4 address, or an IPv6 address in brackets. Gives it in lower case; allocates only
/// when it was not.
#[must_use]
pub fn parse_host(text: &str) -> Option<Cow<'_, str>> {
    if let Some(address) = text.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        let canonical = format!("[{address}]");
        return Some(if canonical == text { Cow::Borrowed(text) } else { Cow::Owned(canonical) });
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if !is_name(name) {
        return None;
    }
    let has_upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if has_upper { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) })
}

/// One to five digits, at most 65535, not 0.
fn parse_port(text: &str) -> Option<u16> {
    let is_number = matches!(text.len(), 1..=5) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok().filter(|port| *port != 0) } else { None }
}

/// Letters, digits, `-` and `_` in labels of 1 to 63 bytes. `_` is in no host name of RFC 1123, and in many names of containers.
fn is_name(name: &str) -> bool {
    let mut label_bytes = 0;
    for byte in name.bytes() {
        match byte {
            b'.' if label_bytes > 0 => label_bytes = 0,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' if label_bytes < MAX_LABEL_BYTES => label_bytes += 1,
            _ => return false,
        }
    }
    label_bytes > 0 && name.len() <= MAX_HOST_BYTES
}

/// Which hosts a zone or an operation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`: any.
    Any,
    /// Exactly this one, in lower case.
    Exact(String),
    /// One whose labels fit, from left to right; `None` is a variable and fits any one label.
    Labels(Vec<Option<String>>),
}

impl HostPattern {
    /// Reads `*`, a host, or a host with variables: `{hostVar1}.example.com`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if !text.contains(['{', '}']) {
            return parse_exact(text).map(Self::Exact);
        }
        text.split('.').map(parse_label).collect::<Result<_, _>>().map(Self::Labels)
    }

    /// The one host that it stands for, if it is one.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self {
            Self::Exact(host) => Some(host),
            Self::Any | Self::Labels(_) => None,
        }
    }

    /// Whether this host, as [`parse_host`] gives it, fits.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == host,
            Self::Labels(labels) => {
                let count = host_labels(host).count();
                let mut pairs = labels.iter().rev().zip(host_labels(host));
                count == labels.len() && pairs.all(|(label, text)| label.as_deref().is_none_or(|literal| literal == text))
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Labels(labels) => {
                let mut variables = 0;
                for (index, label) in labels.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "." })?;
                    match label {
                        Some(text) => f.write_str(text)?,
                        None => {
                            variables += 1;
                            write!(f, "{{hostVar{variables}}}")?;
                        }
                    }
                }
                Ok(())
            }
        }
    }
}

/// The labels of a host from the last to the first; an IPv6 address is one label.
pub(crate) fn host_labels(host: &str) -> impl Iterator<Item = &str> {
    let separator = if host.starts_with('[') { '\0' } else { '.' };
    host.rsplit(separator)
}

fn parse_exact(text: &str) -> Result<String, String> {
    let host =
        parse_host(text).ok_or("is not a host name, an address (IPv6 in brackets), or a pattern like {hostVar1}.example.com")?;
    if host == text { Ok(text.to_owned()) } else { Err(format!("is not in its normal form: write `{host}`")) }
}

fn parse_label(label: &str) -> Result<Option<String>, String> {
    if let Some(name) = label.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        return if is_word { Ok(None) } else { Err("has a variable that is not letters, digits and `_`".into()) };
    }
    parse_exact(label)
        .map(Some)
        .map_err(|_| format!("`{label}` is neither a lower-case label nor a whole variable like {{hostVar1}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> Option<(String, Option<u16>)> {
        parse_authority(text).map(|authority| (authority.host.into_owned(), authority.port))
    }

    #[test]
    fn a_host_is_read_in_one_way_or_not_at_all() {
        let host = |host: &str, port| Some((host.to_owned(), port));
        let cases = [
            ("example.com", host("example.com", None)),
            ("EXAMPLE.com:8080", host("example.com", Some(8080))),
            ("example.com.", host("example.com", None)),
            ("127.0.0.1:1", host("127.0.0.1", Some(1))),
            ("[::1]", host("[::1]", None)),
            ("[2001:DB8:0::1]:443", host("[2001:db8::1]", Some(443))),
            ("my_service", host("my_service", None)),
            ("xn--bcher-kva.example", host("xn--bcher-kva.example", None)),
        ];
        for (text, expected) in cases {
            assert_eq!(authority(text), expected, "{text}");
        }
        let refused = [
            "",
            ".",
            "a..b",
            ".a",
            "a:",
            "a:0",
            "a:65536",
            "a:000080",
            "a:8x",
            "a:1:2",
            "user@a",
            "a b",
            "a/b",
            "a%41",
            "bücher.de",
            "::1",
            "[::1",
            "[::1]x",
            "[::1%25eth0]",
            "[v1.x]",
            "a,b",
            "*",
            "a:+1",
            "a\\b",
            "[]",
            "]:1",
            "a]:1",
        ];
        for text in refused {
            assert_eq!(authority(text), None, "{text}");
        }
        assert!(parse_host(&"a".repeat(64)).is_none());
        assert!(parse_host(&"abc.".repeat(64)).is_none());
    }

    #[test]
    fn a_normal_host_is_not_copied() {
        assert!(matches!(parse_host("api.example.com"), Some(Cow::Borrowed(_))));
        assert!(matches!(parse_host("api.example.com."), Some(Cow::Borrowed(_))));
        assert!(matches!(parse_host("API.example.com"), Some(Cow::Owned(_))));
    }

    #[test]
    fn a_variable_stands_for_exactly_one_label() {
        let pattern = HostPattern::parse("{tenant}.api.example.com").unwrap();
        assert!(pattern.matches("a.api.example.com"));
        assert!(!pattern.matches("api.example.com"));
        assert!(!pattern.matches("a.b.api.example.com"));
        assert_eq!(pattern.to_string(), "{hostVar1}.api.example.com");
        assert!(HostPattern::parse("*").unwrap().matches("[::1]"));
    }

    #[test]
    fn a_pattern_that_is_not_normal_says_how_to_write_it() {
        assert!(HostPattern::parse("API.example.com").unwrap_err().contains("write `api.example.com`"));
        for text in ["", "a{b}.c", "{}.c", "{a b}.c", "*.example.com", "{a}..c", "{a}.C"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
