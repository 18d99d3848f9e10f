//! What was not normal in the path as received.

use super::RuleViolation;
use crate::fact::{Fact, FactDef, FactType, FactValue};
use crate::violation::ViolationDef;

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head(
        "hoplon.path.anomalies",
        FactType::StringArray,
        "Hoplon; RFC 3986 §6.2.2",
        "what was not normal in the path: dot_segments, above_root, encoded_unreserved, encoded_slash, encoded_backslash, \
         encoded_control, empty_segment, parameters, non_ascii, illegal_character, lower_case_hex",
        |t| Fact::Value(FactValue::Texts(t.anomalies.names().collect())),
    ),
    FactDef::head(
        "hoplon.path.normalised",
        FactType::Bool,
        "Hoplon; RFC 3986 §6.2.2",
        "the path was changed on its way upstream",
        |t| Fact::bool(t.path() != t.raw_path()),
    ),
];

pub(super) const VIOLATIONS: &[RuleViolation] = &[RuleViolation {
    def: ViolationDef { code: "path.not_normal", location: "path", doc: "the path was not in its normal form" },
    evidence: |t| t.anomalies.names().collect::<Vec<_>>().join(","),
}];
