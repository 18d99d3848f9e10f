//! What the operator's own rules find.

use super::RuleViolation;
use crate::violation::ViolationDef;

pub(super) const VIOLATIONS: &[RuleViolation] = &[
    RuleViolation {
        def: ViolationDef { code: "rules.custom", location: "", doc: "a custom rule matched" },
        evidence: |_| String::new(),
    },
    RuleViolation {
        def: ViolationDef { code: "rules.skipped", location: "", doc: "a custom rule let the request pass others" },
        evidence: |_| String::new(),
    },
];
