//! Programs: compiled expressions of the rule language. A flat list of nodes over facts, checked when it is loaded, then run
//! against whatever answers facts. Knows no rule and no transaction.

use crate::fact::{Cost, Fact, FactDef, Facts, Phase};
use crate::value::{Type, Value};
use crate::verdict::FactError;

/// What a condition comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    /// Only in replays: it hangs on a fact that was not recorded.
    Unknown,
    /// It hangs on a fact that could not be found out.
    Error(FactError),
}

/// See the module.
#[derive(Debug)]
pub struct Program {
    facts: Box<[&'static FactDef]>,
}

impl Program {
    /// The program that asks one fact.
    #[must_use]
    pub fn of_fact(fact: &'static FactDef) -> Self {
        Self { facts: [fact].into() }
    }

    /// Every fact it asks, each once.
    #[must_use]
    pub fn facts(&self) -> &[&'static FactDef] {
        &self.facts
    }

    /// From which phase on all its facts are known.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.facts.iter().map(|fact| fact.phase).max().unwrap_or(Phase::RequestHead)
    }

    /// The dearest of its facts.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.facts.iter().map(|fact| fact.cost).max().unwrap_or(Cost::Free)
    }

    /// What its root gives.
    #[must_use]
    pub fn result(&self) -> Type {
        self.facts[0].fact_type
    }

    /// Whether it is true; only a program of type Boolean can be.
    pub fn truth(&self, facts: &impl Facts) -> Truth {
        match self.value(facts) {
            Fact::Value(Value::Bool(true)) => Truth::True,
            Fact::Value(_) | Fact::Missing => Truth::False,
            Fact::NotRecorded => Truth::Unknown,
            Fact::Error(error) => Truth::Error(error),
        }
    }

    /// Its root's value.
    pub fn value<'f>(&'f self, facts: &'f impl Facts) -> Fact<'f> {
        facts.read(self.facts[0])
    }
}
