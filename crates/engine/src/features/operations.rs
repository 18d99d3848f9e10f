//! Whether a saved operation is called.

use super::RuleViolation;
use crate::fact::{Fact, FactDef};
use crate::transaction::Scene;
use crate::url::{percent_decoded, segments};
use crate::value::{Map, Type, Value};
use crate::violation::ViolationDef;

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head(
        "hoplon.operation.id",
        Type::String,
        "Hoplon",
        "id of the saved operation that is called; missing when none is",
        |t| match t.seen.operation() {
            Some(operation) => Fact::text(&operation.id),
            None => Fact::Missing,
        },
    ),
    FactDef::head(
        "hoplon.operation.variables",
        Type::Map(&Type::String),
        "Hoplon",
        "values of the path's variables by the names that the operation was saved with (`var1` …), percent-decoded",
        |t| Fact::Value(Value::Map(Map::Entries(variables(t).map(|(name, value)| (name.as_bytes().into(), value)).collect()))),
    )
    .by_key(|t, key| Fact::some(variables(t).find(|(name, _)| name.as_bytes() == key.bytes()).map(|(_, value)| value))),
    FactDef::head(
        "cf.api_gateway.fallthrough_detected",
        Type::Bool,
        "Cloudflare API Shield, fallthrough rule",
        "no saved operation of the zone is called",
        |t| Fact::bool(t.seen.operation().is_none()),
    ),
];

pub(super) const VIOLATIONS: &[RuleViolation] = &[RuleViolation {
    def: ViolationDef { code: "operations.fallthrough", location: "path", doc: "the request calls no saved operation" },
    evidence: |t| format!("{} on a path of {} segments", t.seen.known_method(), t.seen.path().split('/').count() - 1),
}];

/// The variables of the operation that is called, in the order of the path.
fn variables<'t>(t: &Scene<'t>) -> impl Iterator<Item = (&'t str, Value<'t>)> {
    let template = t.seen.operation().map_or("", |operation| &*operation.path);
    path_variables(template, t.seen.path()).map(|(name, value)| (name, path_variable(value)))
}

/// The variables of a template with the segments of a path that stand in their places, as they are written.
pub(crate) fn path_variables<'t>(template: &'t str, path: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let variable = |(name, value): (&'t str, &'t str)| Some((name.strip_prefix('{')?.strip_suffix('}')?, value));
    segments(template).zip(segments(path)).filter_map(variable)
}

/// A variable's value, from its segment.
pub(crate) fn path_variable(segment: &str) -> Value<'_> {
    Value::String(percent_decoded(segment.as_bytes()))
}
