//! What HTTP itself tells of a transaction: method, host, target, client, sizes, status.

use super::RuleViolation;
use crate::fact::{BodyUse, Cost, Fact, FactDef, FactType, FactValue, Phase};
use crate::transaction::{BodyLength, Inspected, Scheme};
use crate::violation::ViolationDef;

const CLOUDFLARE: &str = "Cloudflare Ruleset Engine, fields reference";

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head("http.request.method", FactType::String, CLOUDFLARE, "method, upper case as received", |t| text(&t.method)),
    FactDef::head("http.host", FactType::String, CLOUDFLARE, "host in lower case, without port", |t| text(&t.host)),
    FactDef::head("http.request.uri.path", FactType::String, CLOUDFLARE, "path, normalised: what the upstream gets", |t| {
        text(t.path())
    }),
    FactDef::head("raw.http.request.uri.path", FactType::String, CLOUDFLARE, "path as received", |t| text(t.raw_path())),
    FactDef::head(
        "http.request.uri.query",
        FactType::String,
        CLOUDFLARE,
        "query as received, without `?`; empty when there is none",
        |t| text(t.query().unwrap_or_default()),
    ),
    FactDef::head("http.request.version", FactType::String, CLOUDFLARE, "HTTP/1.0, HTTP/1.1 or HTTP/2", |t| {
        text(t.version.as_fact())
    }),
    FactDef::head("ip.src", FactType::Ip, CLOUDFLARE, "client's address, after trusted proxies", |t| {
        Fact::Value(FactValue::Ip(t.client))
    }),
    FactDef::head("ssl", FactType::Bool, CLOUDFLARE, "the client came over TLS", |t| Fact::bool(t.scheme == Scheme::Https)),
    FactDef::head(
        "hoplon.host.known",
        FactType::Bool,
        "Hoplon",
        "the zone names the host, or it answered successfully before",
        |t| Fact::bool(t.host_known),
    ),
    FactDef {
        phase: Phase::RequestBody,
        cost: Cost::Count,
        body: if_any_body,
        ..FactDef::head("http.request.body.size", FactType::Integer, CLOUDFLARE, "bytes of the request's body", |t| {
            match t.body.over_limit() {
                Some(error) => Fact::Error(error),
                None => Fact::Value(FactValue::Integer(t.body.bytes())),
            }
        })
    },
    FactDef {
        phase: Phase::RequestBody,
        cost: Cost::Count,
        body: if_any_body,
        ..FactDef::head(
            "hoplon.request.body.truncated",
            FactType::Bool,
            "Hoplon",
            "the body is longer than the zone's inspection limit",
            |t| Fact::bool(t.body.over_limit().is_some()),
        )
    },
    FactDef {
        phase: Phase::ResponseHead,
        ..FactDef::head("http.response.code", FactType::Integer, CLOUDFLARE, "status of the upstream's response", |t| {
            match t.response_status {
                Some(status) => Fact::Value(FactValue::Integer(status.into())),
                None => Fact::Missing,
            }
        })
    },
];

pub(super) const VIOLATIONS: &[RuleViolation] = &[RuleViolation {
    def: ViolationDef {
        code: "http.body_over_limit",
        location: "body",
        doc: "the body is longer than the zone's inspection limit",
    },
    evidence: |t| format!("more than {} bytes", t.body.limit_bytes()),
}];

fn text(value: &str) -> Fact<'_> {
    Fact::Value(FactValue::Text(value))
}

fn if_any_body(t: &Inspected) -> BodyUse {
    if t.body_length == BodyLength::None { BodyUse::Nothing } else { BodyUse::Pieces }
}
