//! The headers of request and response: as maps with names in lower case, as plain lists, and single ones that have a name of
//! their own.

use std::borrow::Cow;

use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName};

use super::CLOUDFLARE;
use super::pairs::Style;
use crate::fact::{Fact, FactDef, Read};
use crate::transaction::Scene;
use crate::value::{Array, Fields, Map, Type, Value, header};

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head("http.request.headers", Type::FIELDS, CLOUDFLARE, "headers of the request, names in lower case", |t| {
        t.of_request(|headers| Some(Value::Map(Map::Headers(headers))))
    })
    .of_request_headers()
    .by_key(|t, key| t.of_request(|headers| header(headers, key))),
    strings("http.request.headers.names", "names of the request's headers in lower case, repeated ones each time", |t| {
        t.of_request(|headers| Some(Value::Array(Array::Fields(Fields::Names(headers)))))
    })
    .of_request_headers(),
    strings("http.request.headers.values", "values of the request's headers", |t| {
        t.of_request(|headers| Some(Value::Array(Array::Fields(Fields::Values(headers)))))
    })
    .of_request_headers()
    .secret(),
    FactDef::head(
        "http.request.headers.truncated",
        Type::Bool,
        CLOUDFLARE,
        "never: a request with more headers than the gateway reads is refused",
        |_| Fact::bool(false),
    ),
    string("http.user_agent", "User-Agent; empty when there is none", |t| first(t, USER_AGENT)),
    string("http.referer", "Referer; empty when there is none", |t| first(t, REFERER)),
    string("http.x_forwarded_for", "X-Forwarded-For as received; empty when there is none", |t| {
        first(t, HeaderName::from_static("x-forwarded-for"))
    }),
    string("http.cookie", "all cookies as received, several fields joined by `; `; empty when there are none", |t| {
        t.of_request(|headers| Some(Value::String(joined(headers))))
    })
    .secret(),
    FactDef::head("http.request.cookies", Type::FIELDS, CLOUDFLARE, "values of cookies by name; only names are decoded", |t| {
        t.of_request(|headers| Some(Style::Cookies.map(cookies(headers))))
    })
    .of_request_headers()
    .by_key(|t, key| t.of_request(|headers| Style::Cookies.under(cookies(headers), key)))
    .secret(),
    strings("http.request.accepted_languages", "tags of Accept-Language without `*`, by descending weight", |t| {
        t.of_request(|headers| Some(languages(headers)))
    })
    .of_request_headers(),
    FactDef::head("http.response.headers", Type::FIELDS, CLOUDFLARE, "headers of the upstream's response", |t| {
        t.of_response(|headers| Some(Value::Map(Map::Headers(headers))))
    })
    .of_response_headers()
    .by_key(|t, key| t.of_response(|headers| header(headers, key))),
    strings("http.response.headers.names", "names of the response's headers in lower case, repeated ones each time", |t| {
        t.of_response(|headers| Some(Value::Array(Array::Fields(Fields::Names(headers)))))
    })
    .of_response_headers(),
    strings("http.response.headers.values", "values of the response's headers", |t| {
        t.of_response(|headers| Some(Value::Array(Array::Fields(Fields::Values(headers)))))
    })
    .of_response_headers()
    .secret(),
    FactDef::head(
        "http.response.content_type.media_type",
        Type::String,
        CLOUDFLARE,
        "media type of the response in lower case, without parameters; empty when there is none",
        |t| t.of_response(|headers| Some(Value::String(media_type(headers)))),
    )
    .of_response_headers(),
];

const fn string(name: &'static str, doc: &'static str, read: Read) -> FactDef {
    FactDef::head(name, Type::String, CLOUDFLARE, doc, read).of_request_headers()
}

const fn strings(name: &'static str, doc: &'static str, read: Read) -> FactDef {
    FactDef::head(name, Type::STRINGS, CLOUDFLARE, doc, read)
}

/// The first field of this name.
fn first<'t>(t: &Scene<'t>, name: HeaderName) -> Fact<'t> {
    t.of_request(|headers| Some(Value::bytes(headers.get(name).map_or(&[], |value| value.as_bytes()))))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(COOKIE).iter().map(|value| value.as_bytes())
}

fn joined(headers: &HeaderMap) -> Cow<'_, [u8]> {
    let mut fields = cookies(headers);
    match (fields.next(), fields.next()) {
        (None, _) => Cow::Borrowed(&[]),
        (Some(only), None) => only.into(),
        _ => cookies(headers).collect::<Vec<_>>().join(&b"; "[..]).into(),
    }
}

/// RFC 9110 §12.5.4; a weight that cannot be read is 0, of equal weights the first stays first.
fn languages(headers: &HeaderMap) -> Value<'_> {
    let ranges = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let mut weighted: Vec<_> = ranges.map(language).filter(|(_, tag)| !matches!(*tag, "" | "*")).collect();
    weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    Value::texts(weighted.into_iter().map(|(_, tag)| tag))
}

/// Weight in thousandths, and tag.
fn language(range: &str) -> (u32, &str) {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let thousandths = |weight: &str| weight.parse::<f64>().ok().filter(|weight| (0.0..=1.0).contains(weight));
    (weight.map_or(1000, |weight| thousandths(weight).map_or(0, |weight| (weight * 1000.0) as u32)), tag)
}

fn media_type(headers: &HeaderMap) -> Cow<'_, [u8]> {
    let value = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.iter().any(u8::is_ascii_uppercase) { essence.to_ascii_lowercase().into() } else { essence.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_stand_by_descending_weight() {
        let headers =
            HeaderMap::from_iter([(ACCEPT_LANGUAGE, "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.95, *;q=0.5, it;q=x".parse().unwrap())]);
        let Value::Array(Array::Values(tags)) = languages(&headers) else { panic!("an array") };
        let tags: Vec<_> = tags.iter().map(|tag| if let Value::String(tag) = tag { &**tag } else { b"" }).collect();
        assert_eq!(tags, [&b"fr-CH"[..], b"de", b"fr", b"en", b"it"]);
    }

    #[test]
    fn several_fields_of_cookies_are_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(&*joined(&headers), b"");
        headers.append(COOKIE, "a=1".parse().unwrap());
        assert_eq!(&*joined(&headers), b"a=1");
        headers.append(COOKIE, "b=2".parse().unwrap());
        assert_eq!(&*joined(&headers), b"a=1; b=2");
    }
}
