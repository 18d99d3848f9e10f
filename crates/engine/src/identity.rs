//! Whose request it is: a zone's session identifiers, asked in their order. Takes headers and claims of verified tokens, gives what
//! stands for the session; that it is hashed, and what counts where no identifier is present, is the Transaction's to know.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName};
use smallvec::SmallVec;

use crate::url::percent_decoded;

/// The identifiers of a zone; none: sessions are told apart by `Authorization` and address alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identifiers(pub(crate) Vec<Identifier>);

/// Where one identifier is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    Header(HeaderName),
    /// Names of cookies differ in case.
    Cookie(Box<str>),
    /// A claim of a verified token: the places of its configuration in the zone and of its path in the configuration.
    Claim {
        name: Box<str>,
        configuration: usize,
        path: usize,
    },
}

/// Where claims of verified tokens come from, asked only for an identifier that is one.
pub trait Claims<'t>: Copy {
    /// What the path at this place of the configuration at this place selects in a verified token.
    fn claim(self, configuration: usize, path: usize) -> Option<&'t str>;
}

/// No tokens.
impl<'t> Claims<'t> for () {
    fn claim(self, _configuration: usize, _path: usize) -> Option<&'t str> {
        None
    }
}

/// What stands for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which identifier, and its value.
    pub bytes: SmallVec<[u8; 256]>,
    /// It is a claim of a verified token.
    pub is_verified: bool,
}

impl Identifiers {
    /// Whether none is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is a claim of a token.
    pub(crate) fn has_claim(&self) -> bool {
        self.0.iter().any(|identifier| matches!(identifier, Identifier::Claim { .. }))
    }

    /// The first identifier that the request carries; an empty value is none. Of several values of one name, the first.
    #[must_use]
    pub fn find<'t>(&self, headers: &'t HeaderMap, claims: impl Claims<'t>) -> Option<Identity> {
        self.0.iter().find_map(|identifier| Some(identifier.identity(identifier.value(headers, claims)?)))
    }

    /// The value of that identifier.
    pub(crate) fn value<'t>(&self, headers: &'t HeaderMap, claims: impl Claims<'t>) -> Option<&'t [u8]> {
        self.0.iter().find_map(|identifier| identifier.value(headers, claims))
    }
}

impl Identifier {
    fn value<'t>(&self, headers: &'t HeaderMap, claims: impl Claims<'t>) -> Option<&'t [u8]> {
        match self {
            Self::Header(name) => headers.get_all(name).iter().map(|value| value.as_bytes()).find(|value| !value.is_empty()),
            Self::Cookie(name) => {
                let fields = headers.get_all(COOKIE).iter();
                fields.flat_map(|pairs| cookie_values(pairs.as_bytes(), name.as_bytes())).find(|value| !value.is_empty())
            }
            Self::Claim { configuration, path, .. } => {
                claims.claim(*configuration, *path).map(str::as_bytes).filter(|value| !value.is_empty())
            }
        }
    }

    /// Values that applications read alike are one session, not as many as there are spellings.
    fn one_spelling<'v>(&self, value: &'v [u8]) -> Cow<'v, [u8]> {
        match self {
            Self::Cookie(_) => percent_decoded(unquoted(value)),
            Self::Header(name) if *name == AUTHORIZATION => one_spelling_of_authorization(value),
            Self::Header(_) | Self::Claim { .. } => value.into(),
        }
    }

    /// Equal values of two identifiers are two sessions.
    fn identity(&self, value: &[u8]) -> Identity {
        let (kind, name) = match self {
            Self::Header(name) => ("header", name.as_str()),
            Self::Cookie(name) => ("cookie", &**name),
            Self::Claim { name, .. } => ("jwt", &**name),
        };
        let mut bytes = SmallVec::new();
        for piece in [kind.as_bytes(), b":", name.as_bytes(), b"\0", &self.one_spelling(value)] {
            bytes.extend_from_slice(piece);
        }
        Identity { bytes, is_verified: matches!(self, Self::Claim { .. }) }
    }
}

/// A scheme is read without regard to case, and the blanks behind it as one (RFC 9110 §11.4): `bearer  x` is `Bearer x`.
pub(crate) fn one_spelling_of_authorization(value: &[u8]) -> Cow<'_, [u8]> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(end) = value.iter().position(is_blank) else { return value.into() };
    let (scheme, rest) = value.split_at(end);
    let credentials = &rest[rest.iter().position(|byte| !is_blank(byte)).unwrap_or(rest.len())..];
    let mut whole: Vec<u8> = scheme.to_ascii_lowercase();
    whole.iter_mut().take(1).for_each(u8::make_ascii_uppercase);
    whole.push(b' ');
    whole.extend_from_slice(credentials);
    if *whole == *value { value.into() } else { whole.into() }
}

/// Without one pair of quotes (RFC 6265 §4.1.1).
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

/// The values of the cookies with this name in `name=value; name=value` (RFC 6265 §4.2.1), in their order.
pub(crate) fn cookie_values<'h>(pairs: &'h [u8], name: &[u8]) -> impl Iterator<Item = &'h [u8]> {
    pairs.split(|byte| *byte == b';').filter_map(move |pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = (pair[..equals].trim_ascii_end(), pair[equals + 1..].trim_ascii_start());
        (found == name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(identifiers: &[Identifier], fields: &[(&'static str, &'static str)]) -> Option<String> {
        let headers = fields.iter().fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(*name, HeaderValue::from_static(value));
            map
        });
        let identity = Identifiers(identifiers.to_vec()).find(&headers, ())?;
        Some(String::from_utf8(identity.bytes.to_vec()).unwrap().replace('\0', "="))
    }

    fn header(name: &'static str) -> Identifier {
        Identifier::Header(HeaderName::from_static(name))
    }

    fn cookie(name: &str) -> Identifier {
        Identifier::Cookie(name.into())
    }

    #[test]
    fn the_first_identifier_that_is_present_counts() {
        let both = [cookie("sid"), header("x-user")];
        let sent = [("x-user", "ann"), ("cookie", "a=1; sid=42")];
        assert_eq!(found(&both, &sent).as_deref(), Some("cookie:sid=42"));
        assert_eq!(found(&both, &sent[..1]).as_deref(), Some("header:x-user=ann"));
        assert_eq!(found(&both, &[("authorization", "x")]), None);
        assert_eq!(found(&[], &sent), None);
    }

    #[test]
    fn spellings_that_applications_read_alike_are_one_session() {
        for spelling in ["sid=abc", "sid=%61bc", "sid=\"abc\"", "sid=\"a%62c\""] {
            assert_eq!(found(&[cookie("sid")], &[("cookie", spelling)]).as_deref(), Some("cookie:sid=abc"), "{spelling}");
        }
        for spelling in ["Bearer abc", "bearer abc", "BEARER   abc", "Bearer \t abc"] {
            let authorization = header("authorization");
            let found = found(&[authorization], &[("authorization", spelling)]);
            assert_eq!(found.as_deref(), Some("header:authorization=Bearer abc"), "{spelling}");
        }
        assert_eq!(found(&[header("x-key")], &[("x-key", "%61 \"B\"")]).as_deref(), Some("header:x-key=%61 \"B\""), "as it is");
        assert_eq!(&*one_spelling_of_authorization(b"token-without-scheme"), b"token-without-scheme");
    }

    #[test]
    fn an_empty_value_is_none() {
        assert_eq!(found(&[header("x-user")], &[("x-user", "")]), None);
        assert_eq!(found(&[header("x-user")], &[("x-user", ""), ("x-user", "ann")]).as_deref(), Some("header:x-user=ann"));
        assert_eq!(found(&[cookie("sid")], &[("cookie", "sid=; sid")]), None);
    }

    #[test]
    fn cookies_are_found_by_their_exact_name_in_any_field() {
        for (pairs, expected) in [
            ("sid=1", Some("1")),
            ("  a=b ;  sid=1;c=d", Some("1")),
            ("sid = 1", Some("1")),
            ("sid=a=b", Some("a=b")),
            ("SID=1; xsid=2; sidx=3", None),
            ("=1", None),
            ("sid", None),
            ("", None),
        ] {
            let expected = expected.map(|value| format!("cookie:sid={value}"));
            assert_eq!(found(&[cookie("sid")], &[("cookie", pairs)]), expected, "{pairs}");
        }
        assert_eq!(found(&[cookie("sid")], &[("cookie", "a=1"), ("cookie", "sid=2")]).as_deref(), Some("cookie:sid=2"));
    }
}
