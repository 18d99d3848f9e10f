//! Whether a JSON request body can be read, and in one way only. One parse for both facts, on the first question.

use super::RuleViolation;
use crate::fact::FactDef;

pub(super) const FACTS: &[FactDef] = &[];

pub(super) const VIOLATIONS: &[RuleViolation] = &[];
