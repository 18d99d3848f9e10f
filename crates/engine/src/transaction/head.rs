//! Reading a request's head: method, host and target, each in one way or refused (invariant 9).

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};

use super::message::RequestHead;
use crate::host::{Authority, parse_authority};
use crate::observe;
use crate::url::{self, Anomalies, Target};
use crate::violation::Refusal;

/// Methods are case-sensitive (RFC 9110 §9.1), but many applications read these in any case: in another one they are refused, for
/// they would be one method to the rules and another to the application.
const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"];
/// Bytes of a method.
const MAX_METHOD_BYTES: usize = 32;

pub(super) fn check_method(method: &str) -> Result<(), Refusal> {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match method {
        "GET" | "POST" => Ok(()),
        "CONNECT" => Err(Refusal::MethodConnect),
        _ if METHODS.iter().any(|known| method != *known && method.eq_ignore_ascii_case(known)) => Err(Refusal::MethodInvalid),
        _ if matches!(method.len(), 1..=MAX_METHOD_BYTES) && method.bytes().all(is_token_byte) => Ok(()),
        _ => Err(Refusal::MethodInvalid),
    }
}

/// The one host that `Host` and the target's authority agree on, in lower case.
pub(super) fn read_host<'a>(head: &RequestHead<'a>) -> Result<Cow<'a, str>, Refusal> {
    let mut fields = head.headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Refusal::HostSeveral);
    }
    let field = field.map(|value| value.to_str().ok().and_then(parse_authority).ok_or(Refusal::HostInvalid)).transpose()?;
    let authority = head.authority.map(|text| parse_authority(text).ok_or(Refusal::HostInvalid)).transpose()?;
    match (field, authority) {
        (None, None) => Err(Refusal::HostMissing),
        (Some(one), None) | (None, Some(one)) => Ok(one.host),
        (Some(field), Some(authority)) if is_same(&field, &authority, head) => Ok(field.host),
        _ => Err(Refusal::HostMismatch),
    }
}

fn is_same(one: &Authority<'_>, other: &Authority<'_>, head: &RequestHead<'_>) -> bool {
    let port = |authority: &Authority<'_>| authority.port.unwrap_or(head.scheme.default_port());
    one.host == other.host && port(one) == port(other)
}

/// Path and query; `*` is a target of its own.
pub(super) fn read_target<'a>(head: &RequestHead<'a>, merge_slashes: bool) -> Result<Target<'a>, Refusal> {
    if head.target == "*" && head.method == "OPTIONS" {
        return Ok(Target { raw_path: "*", path: Cow::Borrowed("*"), query: None, anomalies: Anomalies::default() });
    }
    url::parse_target(head.target, merge_slashes)
}

/// The media type without parameters, in lower case; none where it is not one.
pub(super) fn media_type(headers: &HeaderMap) -> Option<Cow<'static, str>> {
    observe::media_type(headers.get(CONTENT_TYPE)?.as_bytes())
}

/// Whether any `Content-Type` says JSON: with several of them, servers differ in which one counts.
pub(super) fn claims_json(headers: &HeaderMap) -> bool {
    let is_json = |essence: &[u8]| {
        let essence = essence.trim_ascii().to_ascii_lowercase();
        matches!(&essence[..], b"application/json" | b"text/json") || essence.ends_with(b"+json")
    };
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    values.any(|value| value.as_bytes().split(|byte| matches!(byte, b';' | b',')).any(is_json))
}

/// Whether the body is not as the application will see it.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}
