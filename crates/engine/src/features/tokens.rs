//! Tokens of the request, by configuration: whether there is one, whether it is valid, why not, and its claims once it was verified.
//! A token is judged at the first question, once per transaction and configuration.

use super::RuleViolation;
use crate::fact::{Cost, Fact, FactDef, Read};
use crate::tokens::{Configuration, Judged, Outcome, Verified};
use crate::transaction::Scene;
use crate::value::{Array, Map, MapKey, Type, Value};
use crate::violation::ViolationDef;

const CLOUDFLARE: &str = "Cloudflare API Shield, JWT validation";
const FLAGS: Type = Type::Map(&Type::Bool);
const WORDS: Type = Type::Map(&Type::String);
const INTEGERS: Type = Type::Array(&Type::Integer);
const INSTANTS: Type = Type::Map(&INTEGERS);

/// A map by configuration, of which each can be asked alone.
macro_rules! map {
    ($name:expr, $type:expr, $source:expr, $doc:expr, $read:expr) => {
        fact($name, $type, $source, $doc, |t| whole(t, $read)).by_key(|t, key| one(t, key, $read))
    };
}

/// A registered claim of verified tokens, in Cloudflare's three forms.
macro_rules! claim {
    (map $name:literal, $type:expr, $read:path) => {
        map!($name, $type, CLOUDFLARE, "of the verified token of each configuration", |judged| claim(judged, $read))
    };
    (names $name:literal, $read:path) => {
        fact($name, Type::STRINGS, CLOUDFLARE, "configurations whose verified token has this claim", |t| names(t, $read))
    };
    (values $name:literal, $type:expr, $read:path) => {
        fact($name, $type, CLOUDFLARE, "this claim of all verified tokens", |t| values(t, $read))
    };
}

pub(super) const FACTS: &[FactDef] = &[
    map!("hoplon.token.present", FLAGS, "Hoplon", "a source of the configuration holds something", |judged| {
        Some(Value::Bool(!matches!(judged.outcome, Outcome::Absent)))
    }),
    map!("hoplon.token.valid", FLAGS, "Hoplon", "the token of the configuration is there, verified and in time", |judged| {
        Some(Value::Bool(valid(judged).is_some()))
    }),
    map!("hoplon.token.error", WORDS, "Hoplon", "why the token of the configuration is refused, a stable code", |judged| {
        match judged.outcome {
            Outcome::Refused(error) => Some(Value::text(error.code())),
            Outcome::Absent | Outcome::Valid(_) => None,
        }
    }),
    map!("http.request.jwt.claims", Type::FIELDS, CLOUDFLARE, "payload of the verified token, JSON text", |judged| {
        Some(Value::texts([&*valid(judged)?.payload]))
    }),
    claim!(map "http.request.jwt.claims.aud", Type::FIELDS, audiences),
    claim!(names "http.request.jwt.claims.aud.names", audiences),
    claim!(values "http.request.jwt.claims.aud.values", Type::STRINGS, audiences),
    claim!(map "http.request.jwt.claims.iat.sec", INSTANTS, issued_at),
    claim!(names "http.request.jwt.claims.iat.sec.names", issued_at),
    claim!(values "http.request.jwt.claims.iat.sec.values", INTEGERS, issued_at),
    claim!(map "http.request.jwt.claims.iss", Type::FIELDS, issuer),
    claim!(names "http.request.jwt.claims.iss.names", issuer),
    claim!(values "http.request.jwt.claims.iss.values", Type::STRINGS, issuer),
    claim!(map "http.request.jwt.claims.jti", Type::FIELDS, jwt_id),
    claim!(names "http.request.jwt.claims.jti.names", jwt_id),
    claim!(values "http.request.jwt.claims.jti.values", Type::STRINGS, jwt_id),
    claim!(map "http.request.jwt.claims.nbf.sec", INSTANTS, not_before),
    claim!(names "http.request.jwt.claims.nbf.sec.names", not_before),
    claim!(values "http.request.jwt.claims.nbf.sec.values", INTEGERS, not_before),
    claim!(map "http.request.jwt.claims.sub", Type::FIELDS, subject),
    claim!(names "http.request.jwt.claims.sub.names", subject),
    claim!(values "http.request.jwt.claims.sub.values", Type::STRINGS, subject),
];

pub(super) const VIOLATIONS: &[RuleViolation] = &[
    RuleViolation {
        def: ViolationDef {
            code: "tokens.rule",
            location: "token",
            doc: "the request has not the token that a token rule of its operation asks for",
        },
        evidence,
    },
    RuleViolation {
        def: ViolationDef {
            code: "tokens.authorization",
            location: "token",
            doc: "the condition on claims under which the operation may be called is not met",
        },
        evidence,
    },
];

/// Codes only: what stands in a token is the client's.
fn evidence(t: &Scene<'_>) -> String {
    let judged = t.seen.judged_tokens();
    judged
        .map(|(configuration, judged)| format!("{}: {}", configuration.id, judged.outcome.code()))
        .collect::<Vec<_>>()
        .join(", ")
}

const fn fact(name: &'static str, fact_type: Type, source: &'static str, doc: &'static str, read: Read) -> FactDef {
    FactDef { cost: Cost::Verify, ..FactDef::head(name, fact_type, source, doc, read).of_request_headers() }
}

/// Each configuration that has a value. NotRecorded where a token was never judged while the headers were at hand.
fn whole<'t>(t: &Scene<'t>, read: impl Fn(&'t Judged) -> Option<Value<'t>>) -> Fact<'t> {
    all(t).map_or(Fact::NotRecorded, |all| {
        let entries =
            all.into_iter().filter_map(|(configuration, judged)| Some((configuration.id.as_bytes().into(), read(judged)?)));
        Fact::Value(Value::Map(Map::Entries(entries.collect())))
    })
}

fn one<'t>(t: &Scene<'t>, key: &MapKey, read: impl Fn(&'t Judged) -> Option<Value<'t>>) -> Fact<'t> {
    let place = configurations(t).iter().position(|configuration| configuration.id.as_bytes() == key.bytes());
    let Some(place) = place else { return Fact::Missing };
    t.seen.token(place, t.request_headers).map_or(Fact::NotRecorded, |judged| Fact::some(read(judged)))
}

fn names<'t>(t: &Scene<'t>, read: fn(&'t Verified) -> Vec<Value<'t>>) -> Fact<'t> {
    all(t).map_or(Fact::NotRecorded, |all| {
        let having = all.into_iter().filter(|(_, judged)| claim(judged, read).is_some());
        Fact::Value(Value::texts(having.map(|(configuration, _)| &*configuration.id)))
    })
}

fn values<'t>(t: &Scene<'t>, read: fn(&'t Verified) -> Vec<Value<'t>>) -> Fact<'t> {
    all(t).map_or(Fact::NotRecorded, |all| {
        let values = all.into_iter().filter_map(|(_, judged)| valid(judged)).flat_map(read);
        Fact::Value(Value::Array(Array::Values(values.collect())))
    })
}

fn claim<'t>(judged: &'t Judged, read: fn(&'t Verified) -> Vec<Value<'t>>) -> Option<Value<'t>> {
    let values = read(valid(judged)?);
    (!values.is_empty()).then_some(Value::Array(Array::Values(values)))
}

fn all<'t>(t: &Scene<'t>) -> Option<Vec<(&'t Configuration, &'t Judged)>> {
    let configurations = configurations(t).iter().enumerate();
    configurations.map(|(place, configuration)| Some((configuration, t.seen.token(place, t.request_headers)?))).collect()
}

fn configurations<'t>(t: &Scene<'t>) -> &'t [Configuration] {
    t.seen.zone().map_or(&[], |zone| &zone.tokens)
}

fn valid(judged: &Judged) -> Option<&Verified> {
    match &judged.outcome {
        Outcome::Valid(verified) => Some(verified),
        Outcome::Absent | Outcome::Refused(_) => None,
    }
}

fn audiences(token: &Verified) -> Vec<Value<'_>> {
    token.audiences.iter().map(|audience| Value::text(audience)).collect()
}

fn issuer(token: &Verified) -> Vec<Value<'_>> {
    text(token.issuer.as_deref())
}

fn subject(token: &Verified) -> Vec<Value<'_>> {
    text(token.subject.as_deref())
}

fn jwt_id(token: &Verified) -> Vec<Value<'_>> {
    text(token.jwt_id.as_deref())
}

fn issued_at(token: &Verified) -> Vec<Value<'_>> {
    seconds(token.times.issued_at)
}

fn not_before(token: &Verified) -> Vec<Value<'_>> {
    seconds(token.times.not_before)
}

fn text(text: Option<&str>) -> Vec<Value<'_>> {
    text.map(Value::text).into_iter().collect()
}

fn seconds<'t>(millis: Option<i64>) -> Vec<Value<'t>> {
    millis.map(|millis| Value::Integer(millis.div_euclid(1_000))).into_iter().collect()
}
