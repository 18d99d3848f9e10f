//! Where a token is found in a request. Takes headers, gives the token's bytes, nothing, or why the value cannot be one.

use http::header::COOKIE;
use http::{HeaderMap, HeaderName};

use super::error::TokenError;
use crate::identity::cookie_values;

/// A place that may carry a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Header(HeaderName),
    /// Names of cookies differ in case.
    Cookie(Box<str>),
}

/// What the sources hold: the first that is there counts, whatever it holds; an empty value is not there.
///
/// # Errors
/// That source's value cannot be a token.
pub fn find<'h>(sources: &[Source], headers: &'h HeaderMap) -> Result<Option<&'h [u8]>, TokenError> {
    for source in sources {
        if let Some(value) = source.value(headers)? {
            return without_scheme(value).map(Some);
        }
    }
    Ok(None)
}

impl Source {
    fn value<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h [u8]>, TokenError> {
        match self {
            Self::Header(name) => only(headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii())),
            Self::Cookie(name) => {
                let fields = headers.get_all(COOKIE).iter();
                only(fields.flat_map(|pairs| cookie_values(pairs.as_bytes(), name.as_bytes())))
            }
        }
    }
}

/// The one value of a source; several that are equal are one.
fn only<'h>(mut values: impl Iterator<Item = &'h [u8]>) -> Result<Option<&'h [u8]>, TokenError> {
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|other| other != first) { Err(TokenError::Repeated) } else { Ok(Some(first).filter(|value| !value.is_empty())) }
}

/// A leading `Bearer ` in any case (RFC 9110 §11.1: schemes are compared without case) is ignored.
fn without_scheme(value: &[u8]) -> Result<&[u8], TokenError> {
    let Some(blank) = value.iter().position(|byte| *byte == b' ') else { return Ok(value) };
    let (scheme, token) = value.split_at(blank);
    if scheme.eq_ignore_ascii_case(b"bearer") { Ok(token.trim_ascii_start()) } else { Err(TokenError::Scheme) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(sources: &[Source], fields: &[(&'static str, &'static str)]) -> Result<Option<String>, TokenError> {
        let headers = fields.iter().fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(*name, HeaderValue::from_static(value));
            map
        });
        find(sources, &headers).map(|token| token.map(|token| String::from_utf8(token.to_vec()).unwrap()))
    }

    fn header() -> Source {
        Source::Header(HeaderName::from_static("authorization"))
    }

    fn cookie() -> Source {
        Source::Cookie("jwt".into())
    }

    #[test]
    fn the_first_source_that_is_there_counts() {
        let both = [header(), cookie()];
        let token = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(found(&both, &[("authorization", "Bearer a"), ("cookie", "jwt=b")]), token("a"));
        assert_eq!(found(&both, &[("authorization", ""), ("cookie", "x=1; jwt=b")]), token("b"));
        assert_eq!(found(&both, &[("cookie", "JWT=b")]), Ok(None));
        assert_eq!(found(&both, &[("authorization", "Basic YTpi"), ("cookie", "jwt=b")]), Err(TokenError::Scheme));
        assert_eq!(found(&[], &[("authorization", "Bearer a")]), Ok(None));
    }

    #[test]
    fn bearer_is_ignored_in_any_case() {
        for value in ["Bearer a", "bearer a", "BEARER   a", "a"] {
            assert_eq!(found(&[header()], &[("authorization", value)]), Ok(Some("a".into())), "{value}");
        }
        assert_eq!(found(&[cookie()], &[("cookie", "jwt=Bearer a")]), Ok(Some("a".into())));
        assert_eq!(found(&[header()], &[("authorization", "Bearera")]), Ok(Some("Bearera".into())));
    }

    #[test]
    fn several_values_are_refused_unless_they_are_one() {
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(found(&[header()], &twice), Err(TokenError::Repeated));
        assert_eq!(found(&[header()], &[("authorization", ""), ("authorization", "Bearer b")]), Err(TokenError::Repeated));
        assert_eq!(found(&[header()], &[twice[0], twice[0]]), Ok(Some("a".into())));
        assert_eq!(found(&[cookie()], &[("cookie", "jwt=a"), ("cookie", "jwt=b")]), Err(TokenError::Repeated));
        assert_eq!(found(&[cookie()], &[("cookie", "jwt=a; jwt=a")]), Ok(Some("a".into())));
    }
}
