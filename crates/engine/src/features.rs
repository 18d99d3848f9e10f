//! The features, in the order of phases, cheap before dear: each with its facts and the violations that its rules find. A new
//! feature is one file and one line here.

mod body;
pub(crate) mod browsers;
mod headers;
mod http;
mod identity;
pub(crate) mod json;
mod limits;
mod operations;
mod pairs;
mod path;
mod rules;
mod tokens;
mod uri;

use std::fmt::Display;

pub(crate) use operations::{path_variable, path_variables};
pub(crate) use uri::extension;

use crate::fact::FactDef;
use crate::transaction::Scene;
use crate::violation::{Refusal, ViolationDef};

/// Where Cloudflare says what a fact is.
const CLOUDFLARE: &str = "Cloudflare Ruleset Engine, fields reference";

/// What a feature gives.
#[derive(Debug)]
pub struct Feature {
    /// The one word of the feature (design.md §6), or of the protocol part it reads.
    pub name: &'static str,
    pub facts: &'static [FactDef],
    pub(crate) violations: &'static [RuleViolation],
}

/// A violation that a rule can find.
#[derive(Debug)]
pub(crate) struct RuleViolation {
    pub def: ViolationDef,
    /// What was seen, redacted: kinds, lengths and counts, never a value of the client's.
    pub evidence: fn(&Scene<'_>) -> String,
}

/// All features.
pub const FEATURES: &[Feature] = &[
    Feature { name: "rules", facts: &[], violations: rules::VIOLATIONS },
    Feature { name: "http", facts: http::FACTS, violations: &[] },
    Feature { name: "uri", facts: uri::FACTS, violations: &[] },
    Feature { name: "browsers", facts: browsers::FACTS, violations: browsers::VIOLATIONS },
    Feature { name: "headers", facts: headers::FACTS, violations: &[] },
    Feature { name: "path", facts: path::FACTS, violations: path::VIOLATIONS },
    Feature { name: "identity", facts: identity::FACTS, violations: &[] },
    Feature { name: "tokens", facts: tokens::FACTS, violations: tokens::VIOLATIONS },
    Feature { name: "operations", facts: operations::FACTS, violations: operations::VIOLATIONS },
    Feature { name: "body", facts: body::FACTS, violations: body::VIOLATIONS },
    Feature { name: "json", facts: json::FACTS, violations: json::VIOLATIONS },
    Feature { name: "limits", facts: &[], violations: limits::VIOLATIONS },
];

/// Every fact, in the order of the features.
pub fn all_facts() -> impl Iterator<Item = &'static FactDef> {
    FEATURES.iter().flat_map(|feature| feature.facts)
}

/// Every violation's definition: refusals first, then what rules find.
pub fn violation_codes() -> impl Iterator<Item = ViolationDef> {
    let of_rules = FEATURES.iter().flat_map(|feature| feature.violations).map(|violation| violation.def);
    Refusal::ALL.iter().map(|refusal| refusal.def()).chain(of_rules)
}

/// The fact of this name.
///
/// # Errors
/// A sentence with the nearest name.
pub(crate) fn fact(name: &str) -> Result<&'static FactDef, String> {
    let found = all_facts().find(|fact| fact.name == name);
    found.ok_or_else(|| unknown("fact", name, all_facts().map(|fact| fact.name)))
}

/// The violation of this code.
///
/// # Errors
/// A sentence with the nearest code.
pub(crate) fn violation(code: &str) -> Result<&'static RuleViolation, String> {
    let mut all = FEATURES.iter().flat_map(|feature| feature.violations);
    let found = all.find(|violation| violation.def.code == code);
    let codes = || FEATURES.iter().flat_map(|feature| feature.violations).map(|violation| violation.def.code);
    found.ok_or_else(|| unknown("violation", code, codes()))
}

/// `unknown fact `x`: did you mean `y`?`, when something is near enough.
pub(crate) fn unknown(what: impl Display, word: &str, known: impl Iterator<Item = &'static str>) -> String {
    let nearest = known.map(|name| (distance(word, name), name)).min();
    match nearest {
        Some((distance, name)) if distance * 3 <= name.len().max(3) => format!("is an unknown {what}: did you mean `{name}`?"),
        _ => format!("is an unknown {what}"),
    }
}

/// Levenshtein's distance in bytes; words beyond 100 bytes are far from all.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 100 {
        return usize::MAX / 3;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_and_every_code_is_named_once_and_documented() {
        let names: Vec<_> = all_facts().map(|fact| fact.name).collect();
        let codes: Vec<_> = violation_codes().map(|violation| violation.code).collect();
        for mut all in [names, codes] {
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count);
        }
        assert!(all_facts().all(|fact| fact.doc.len() > 10 && !fact.source.is_empty()));
        assert!(violation_codes().all(|violation| violation.doc.len() > 10 && violation.code.contains('.')));
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        let message = fact("cf.api_gateway.falthrough_detected").unwrap_err();
        assert_eq!(message, "is an unknown fact: did you mean `cf.api_gateway.fallthrough_detected`?");
        assert_eq!(fact("nothing like it at all").unwrap_err(), "is an unknown fact");
        assert_eq!(
            violation("operation.fallthrough").err().unwrap(),
            "is an unknown violation: did you mean `operations.fallthrough`?"
        );
    }
}
