//! The headers of request and response: as maps with names in lower case, and as plain lists.

use crate::fact::FactDef;
use crate::value::{Array, Map, Type, Value, header};

const CLOUDFLARE: &str = "Cloudflare Ruleset Engine, fields reference";

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head("http.request.headers", Type::FIELDS, CLOUDFLARE, "headers of the request, names in lower case", |t| {
        t.of_request(|headers| Some(Value::Map(Map::Headers(headers))))
    })
    .of_request_headers()
    .by_key(|t, key| t.of_request(|headers| header(headers, key))),
    FactDef::head(
        "http.request.headers.names",
        Type::STRINGS,
        CLOUDFLARE,
        "names of the request's headers in lower case, repeated ones each time",
        |t| t.of_request(|headers| Some(Value::Array(Array::HeaderNames(headers)))),
    )
    .of_request_headers(),
    FactDef::head("http.request.headers.values", Type::STRINGS, CLOUDFLARE, "values of the request's headers", |t| {
        t.of_request(|headers| Some(Value::Array(Array::HeaderValues(headers))))
    })
    .of_request_headers(),
    FactDef::head("http.response.headers", Type::FIELDS, CLOUDFLARE, "headers of the upstream's response", |t| {
        t.of_response(|headers| Some(Value::Map(Map::Headers(headers))))
    })
    .of_response_headers()
    .by_key(|t, key| t.of_response(|headers| header(headers, key))),
    FactDef::head(
        "http.response.headers.names",
        Type::STRINGS,
        CLOUDFLARE,
        "names of the response's headers in lower case, repeated ones each time",
        |t| t.of_response(|headers| Some(Value::Array(Array::HeaderNames(headers)))),
    )
    .of_response_headers(),
    FactDef::head("http.response.headers.values", Type::STRINGS, CLOUDFLARE, "values of the response's headers", |t| {
        t.of_response(|headers| Some(Value::Array(Array::HeaderValues(headers))))
    })
    .of_response_headers(),
];
