//! Rules decide: each asks one boolean fact at the end of a phase and says what happens when it is true, and what when it cannot
//! be known. Takes facts, fills the Verdict. All rules of a phase run, so that every violation is found.

use std::sync::Arc;

use crate::bundle::{FailEntry, RuleAction, RuleEntry};
use crate::fact::{BodyUse, Fact, FactDef, FactType, FactValue, Phase};
use crate::features::{self, RuleViolation};
use crate::record::Violation;
use crate::transaction::{Inspected, Mode};
use crate::verdict::{Action, CheckFailure, FactError, FailMode, Verdict};

/// One rule, compiled.
#[derive(Debug)]
pub struct Rule {
    pub id: Arc<str>,
    pub phase: Phase,
    pub fact: &'static FactDef,
    action: RuleAction,
    code: Arc<str>,
    violation: &'static RuleViolation,
    fail: FailMode,
}

/// The rules of a zone, by phase.
#[derive(Debug, Default)]
pub struct Rules([Vec<Rule>; Phase::ALL.len()]);

impl Rules {
    pub(crate) fn add(&mut self, rule: Rule) {
        self.0[rule.phase as usize].push(rule);
    }

    /// The rules that run at the end of this phase, in the order of the bundle.
    #[must_use]
    pub fn of(&self, phase: Phase) -> &[Rule] {
        &self.0[phase as usize]
    }

    /// How much of the body the rules from `RequestBody` on need of this transaction.
    pub(crate) fn body_use(&self, inspected: &Inspected) -> BodyUse {
        let rules = self.of(Phase::RequestBody).iter().chain(self.of(Phase::ResponseHead));
        rules.map(|rule| (rule.fact.body)(inspected)).max().unwrap_or(BodyUse::Nothing)
    }
}

impl Rule {
    /// # Errors
    /// Every mistake: the member and a sentence.
    pub(crate) fn compile(entry: RuleEntry) -> Result<Self, Vec<(&'static str, String)>> {
        let phase = phase(&entry.phase);
        let fact = features::fact(&entry.fact).and_then(|fact| check_fact(fact, phase.as_ref().ok()));
        let violation = features::violation(&entry.violation);
        match (phase, fact, violation) {
            (Ok(phase), Ok(fact), Ok(violation)) => Ok(Self {
                id: entry.id.into(),
                phase,
                fact,
                action: entry.action,
                code: violation.def.code.into(),
                violation,
                fail: entry.fail.into(),
            }),
            (phase, fact, violation) => {
                let mistakes = [("phase", phase.err()), ("fact", fact.err()), ("violation", violation.err())];
                Err(mistakes.into_iter().filter_map(|(member, mistake)| Some((member, mistake?))).collect())
            }
        }
    }

    /// Asks the fact and writes down what follows.
    fn judge(&self, inspected: &Inspected, mode: Mode, verdict: &mut Verdict) {
        match (self.fact.read)(inspected) {
            Fact::Value(FactValue::Bool(true)) => {
                let action = self.action(mode);
                let evidence = (self.violation.evidence)(inspected);
                let location = self.violation.def.location.to_owned();
                verdict.add(Violation { code: self.code.clone(), location, evidence, rule: Some(self.id.clone()), action });
                verdict.decide(action, Some(&self.id));
            }
            Fact::Error(error) => self.fail(error, mode, verdict),
            Fact::Value(_) | Fact::Missing | Fact::NotRecorded => {}
        }
    }

    fn fail(&self, error: FactError, mode: Mode, verdict: &mut Verdict) {
        verdict.failures.push(CheckFailure { rule: self.id.clone(), error, mode: self.fail });
        if self.fail == FailMode::Closed {
            verdict.decide(self.action(mode), Some(&self.id));
        }
    }

    fn action(&self, mode: Mode) -> Action {
        match (self.action, mode) {
            (RuleAction::Block, Mode::Enforce) => Action::Block,
            _ => Action::Log,
        }
    }
}

/// Runs the rules of one phase.
pub(crate) fn judge(rules: &[Rule], inspected: &Inspected, mode: Mode, verdict: &mut Verdict) {
    rules.iter().for_each(|rule| rule.judge(inspected, mode, verdict));
}

fn phase(word: &str) -> Result<Phase, String> {
    let found = Phase::ALL.into_iter().find(|phase| phase.as_str() == word);
    found.ok_or_else(|| features::unknown("phase", word, Phase::ALL.into_iter().map(Phase::as_str)))
}

fn check_fact(fact: &'static FactDef, phase: Option<&Phase>) -> Result<&'static FactDef, String> {
    if fact.fact_type != FactType::Bool {
        return Err(format!("is of type {}: a rule asks a Boolean", fact.fact_type.as_str()));
    }
    match phase {
        Some(phase) if fact.phase > *phase => Err(format!("is not known before the phase {}", fact.phase.as_str())),
        _ => Ok(fact),
    }
}

impl From<FailEntry> for FailMode {
    fn from(entry: FailEntry) -> Self {
        match entry {
            FailEntry::Open => Self::Open,
            FailEntry::Closed => Self::Closed,
        }
    }
}
