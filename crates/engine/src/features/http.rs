//! What HTTP itself tells of a transaction beside target, headers and body: method, host, client, time, status.

use super::CLOUDFLARE;
use crate::fact::{Fact, FactDef, Phase};
use crate::transaction::Scheme;
use crate::value::{Type, Value};

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head("http.request.method", Type::String, CLOUDFLARE, "method, upper case as received", |t| {
        Fact::text(&t.seen.method)
    }),
    FactDef::head("http.host", Type::String, CLOUDFLARE, "host in lower case, without port", |t| Fact::text(&t.seen.host)),
    FactDef::head("http.request.version", Type::String, CLOUDFLARE, "HTTP/1.0, HTTP/1.1 or HTTP/2", |t| {
        Fact::text(t.seen.version.as_fact())
    }),
    FactDef::head("http.request.timestamp.sec", Type::Integer, CLOUDFLARE, "when the request came: seconds since 1970", |t| {
        Fact::Value(Value::Integer(t.seen.began.micros().div_euclid(1_000_000)))
    }),
    FactDef::head("http.request.timestamp.msec", Type::Integer, CLOUDFLARE, "milliseconds of that second, 0 to 999", |t| {
        Fact::Value(Value::Integer(t.seen.began.micros().div_euclid(1_000).rem_euclid(1_000)))
    }),
    FactDef::head("ip.src", Type::Ip, CLOUDFLARE, "client's address, after trusted proxies", |t| {
        Fact::Value(Value::Ip(t.seen.client.to_canonical()))
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
        phase: Phase::ResponseHead,
        ..FactDef::head("http.response.code", Type::Integer, CLOUDFLARE, "status of the upstream's response", |t| {
            Fact::some(t.seen.response_status.map(|status| Value::Integer(status.into())))
        })
    },
];
