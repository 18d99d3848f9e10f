//! What limits find. They ask no facts of their own: see `limits`.

use super::RuleViolation;
use crate::violation::ViolationDef;

pub(super) const VIOLATIONS: &[RuleViolation] = &[
    RuleViolation {
        def: ViolationDef {
            code: "limits.exceeded",
            location: "",
            doc: "more requests, or a higher score, than a limit allows in its period; or the time after that",
        },
        evidence: |_| String::new(),
    },
    RuleViolation {
        def: ViolationDef { code: "limits.in_flight", location: "", doc: "more requests at the same time than a limit allows" },
        evidence: |_| String::new(),
    },
];
