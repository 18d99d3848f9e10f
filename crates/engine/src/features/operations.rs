//! Whether a saved operation is called.

use super::RuleViolation;
use crate::fact::{Fact, FactDef};
use crate::value::Type;
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
