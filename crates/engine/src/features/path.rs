//! What was not normal in the path as received.

use super::RuleViolation;
use crate::fact::{Fact, FactDef};
use crate::value::{Type, Value};
use crate::violation::ViolationDef;

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head(
        "hoplon.path.anomalies",
        Type::STRINGS,
        "Hoplon; RFC 3986 §6.2.2",
        "what was not normal in the path: dot_segments, above_root, encoded_unreserved, encoded_slash, encoded_backslash, \
         encoded_control, empty_segment, parameters, non_ascii, illegal_character, lower_case_hex",
        |t| Fact::Value(Value::texts(t.seen.anomalies.names())),
    ),
    FactDef::head(
        "hoplon.path.normalised",
        Type::Bool,
        "Hoplon; RFC 3986 §6.2.2",
        "the path was changed on its way upstream",
        |t| Fact::bool(t.seen.path() != t.seen.raw_path()),
    ),
];

pub(super) const VIOLATIONS: &[RuleViolation] = &[RuleViolation {
    def: ViolationDef { code: "path.not_normal", location: "path", doc: "the path was not in its normal form" },
    evidence: |t| t.seen.anomalies.names().collect::<Vec<_>>().join(","),
}];
