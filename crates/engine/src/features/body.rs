//! The request's body: its length, its bytes, and an urlencoded form in it.

use super::pairs::Style;
use super::{CLOUDFLARE, RuleViolation, browsers};
use crate::fact::{BodyUse, Cost, Fact, FactDef, Phase, Read};
use crate::transaction::{BodyLength, Inspected};
use crate::value::{Type, Value};
use crate::verdict::FactError;
use crate::violation::ViolationDef;

pub(super) const FACTS: &[FactDef] = &[
    counted("http.request.body.size", Type::Integer, CLOUDFLARE, "bytes of the request's body", |t| {
        match t.seen.body.over_limit() {
            Some(error) => Fact::Error(error),
            None => Fact::Value(Value::count(t.seen.body.bytes())),
        }
    }),
    counted("http.request.body.truncated", Type::Bool, CLOUDFLARE, "the body is longer than the zone's inspection limit", |t| {
        Fact::bool(t.seen.body.over_limit().is_some())
    }),
    counted("hoplon.request.body.truncated", Type::Bool, "Hoplon", "the body is longer than the zone's inspection limit", |t| {
        Fact::bool(t.seen.body.over_limit().is_some())
    }),
    whole("http.request.body.raw", Type::String, "the body as received; it fails beyond the zone's inspection limit", any, |t| {
        match t.seen.body.whole() {
            Ok(body) => Fact::Value(Value::bytes(body)),
            Err(error) => Fact::Error(error),
        }
    }),
    whole(
        "http.request.body.form",
        Type::FIELDS,
        "fields of an urlencoded form by name, not decoded; empty for other bodies",
        form,
        |t| read_form(t.seen, |text| Style::Query.map(std::iter::once(text))),
    )
    .by_key(|t, key| match form_text(t.seen) {
        Ok(text) => Fact::some(Style::Query.under(std::iter::once(text), key)),
        Err(error) => Fact::Error(error),
    }),
    whole("http.request.body.form.names", Type::STRINGS, "names of the form's fields, repeated ones each time", form, |t| {
        read_form(t.seen, |text| Style::Query.names(text))
    }),
    whole("http.request.body.form.values", Type::STRINGS, "values of the form's fields", form, |t| {
        read_form(t.seen, |text| Style::Query.values(text))
    }),
];

pub(super) const VIOLATIONS: &[RuleViolation] = &[RuleViolation {
    def: ViolationDef {
        code: "http.body_over_limit",
        location: "body",
        doc: "the body is longer than the zone's inspection limit",
    },
    evidence: |t| format!("more than {} bytes", t.seen.body.limit_bytes()),
}];

const fn counted(name: &'static str, fact_type: Type, source: &'static str, doc: &'static str, read: Read) -> FactDef {
    let base = FactDef::head(name, fact_type, source, doc, read);
    FactDef { phase: Phase::RequestBody, cost: Cost::Count, body: if_any, ..base }
}

const fn whole(name: &'static str, fact_type: Type, doc: &'static str, body: fn(&Inspected) -> BodyUse, read: Read) -> FactDef {
    let base = FactDef::head(name, fact_type, CLOUDFLARE, doc, read);
    FactDef { phase: Phase::RequestBody, cost: Cost::Parse, body, ..base }
}

fn if_any(t: &Inspected) -> BodyUse {
    if t.body_length == BodyLength::None { BodyUse::Nothing } else { BodyUse::Pieces }
}

fn any(t: &Inspected) -> BodyUse {
    if t.body_length == BodyLength::None { BodyUse::Nothing } else { BodyUse::Whole }
}

fn form(t: &Inspected) -> BodyUse {
    if browsers::is_form(t) && !t.is_encoded { BodyUse::Whole } else { BodyUse::Nothing }
}

/// Empty where the body is no form.
fn form_text(t: &Inspected) -> Result<&[u8], FactError> {
    match browsers::is_form(t) {
        false => Ok(&[]),
        true if t.is_encoded => Err(FactError::Encoded),
        true => t.body.whole(),
    }
}

fn read_form<'t>(t: &'t Inspected, read: impl FnOnce(&'t [u8]) -> Value<'t>) -> Fact<'t> {
    match form_text(t) {
        Ok(text) => Fact::Value(read(text)),
        Err(error) => Fact::Error(error),
    }
}
