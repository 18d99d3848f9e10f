//! What HTTP itself tells of a transaction: method, host, target, client, sizes, status.

use super::RuleViolation;
use crate::fact::{BodyUse, Cost, Fact, FactDef, Phase};
use crate::transaction::{BodyLength, Inspected, Scheme};
use crate::value::{Type, Value};
use crate::violation::ViolationDef;

const CLOUDFLARE: &str = "Cloudflare Ruleset Engine, fields reference";

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head("http.request.method", Type::String, CLOUDFLARE, "method, upper case as received", |t| {
        Fact::text(&t.seen.method)
    }),
    FactDef::head("http.host", Type::String, CLOUDFLARE, "host in lower case, without port", |t| Fact::text(&t.seen.host)),
    FactDef::head("http.request.uri.path", Type::String, CLOUDFLARE, "path, normalised: what the upstream gets", |t| {
        Fact::text(t.seen.path())
    }),
    FactDef::head("raw.http.request.uri.path", Type::String, CLOUDFLARE, "path as received", |t| Fact::text(t.seen.raw_path())),
    FactDef::head(
        "http.request.uri.query",
        Type::String,
        CLOUDFLARE,
        "query as received, without `?`; empty when there is none",
        |t| Fact::text(t.seen.query().unwrap_or_default()),
    ),
    FactDef::head("http.request.version", Type::String, CLOUDFLARE, "HTTP/1.0, HTTP/1.1 or HTTP/2", |t| {
        Fact::text(t.seen.version.as_fact())
    }),
    FactDef::head("ip.src", Type::Ip, CLOUDFLARE, "client's address, after trusted proxies", |t| {
        Fact::Value(Value::Ip(t.seen.client))
    }),
    FactDef::head("ssl", Type::Bool, CLOUDFLARE, "the client came over TLS", |t| Fact::bool(t.seen.scheme == Scheme::Https)),
    FactDef::head(
        "hoplon.host.known",
        Type::Bool,
        "Hoplon",
        "the zone names the host, or it answered successfully before",
        |t| Fact::bool(t.seen.host_known),
    ),
    FactDef {
        phase: Phase::RequestBody,
        cost: Cost::Count,
        body: if_any_body,
        ..FactDef::head("http.request.body.size", Type::Integer, CLOUDFLARE, "bytes of the request's body", |t| {
            match t.seen.body.over_limit() {
                Some(error) => Fact::Error(error),
                None => Fact::Value(Value::count(t.seen.body.bytes())),
            }
        })
    },
    FactDef {
        phase: Phase::RequestBody,
        cost: Cost::Count,
        body: if_any_body,
        ..FactDef::head(
            "hoplon.request.body.truncated",
            Type::Bool,
            "Hoplon",
            "the body is longer than the zone's inspection limit",
            |t| Fact::bool(t.seen.body.over_limit().is_some()),
        )
    },
    FactDef {
        phase: Phase::ResponseHead,
        ..FactDef::head("http.response.code", Type::Integer, CLOUDFLARE, "status of the upstream's response", |t| {
            match t.seen.response_status {
                Some(status) => Fact::Value(Value::Integer(status.into())),
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
    evidence: |t| format!("more than {} bytes", t.seen.body.limit_bytes()),
}];

fn if_any_body(t: &Inspected) -> BodyUse {
    if t.body_length == BodyLength::None { BodyUse::Nothing } else { BodyUse::Pieces }
}
