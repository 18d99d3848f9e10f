//! Programs: compiled expressions of the rule language. A flat list of nodes over facts, checked when it is loaded, then run
//! against whatever answers facts. Knows no rule and no transaction.

mod constants;
mod functions;
mod json_lookup;
mod lists;
mod load;
mod node;
mod predicate;
mod run;
mod sets;
mod share;
#[cfg(test)]
mod tests;
mod trace;
mod url_decode;
mod wildcard;

pub use functions::Function;
pub use lists::ListsPart;
pub use load::{Mistake, ProgramEntry};
pub use predicate::{MAX_PATTERN_BYTES, compile_regex};
pub use sets::{List, Lists};
pub use share::{Shared, share};
pub use trace::Traced;

use crate::fact::{Cost, Fact, FactDef, Facts, Phase};
use crate::value::Type;
use crate::verdict::FactError;
use node::{Id, Node, Shape};
use run::{Gap, Run};
use share::{ALONE, Mark, Place};

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
    nodes: Box<[Node]>,
    shapes: Box<[Shape]>,
    facts: Box<[&'static FactDef]>,
    /// What each node means.
    marks: Box<[Mark]>,
    /// Where each node's value is shared.
    places: Box<[u16]>,
}

impl Program {
    /// The program that asks one fact.
    #[must_use]
    pub fn of_fact(fact: &'static FactDef) -> Self {
        Self {
            nodes: [Node::Fact(fact)].into(),
            shapes: [Shape::one(fact.fact_type)].into(),
            facts: [fact].into(),
            marks: [load::mark_of_fact(fact)].into(),
            places: [ALONE].into(),
        }
    }

    /// Every fact it asks, each once.
    #[must_use]
    pub fn facts(&self) -> &[&'static FactDef] {
        &self.facts
    }

    /// The fact, when it asks one and gives it as it is.
    #[must_use]
    pub fn plain_fact(&self) -> Option<&'static str> {
        match &*self.nodes {
            [Node::Fact(fact)] => Some(fact.name),
            _ => None,
        }
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
        self.shapes[self.root() as usize].value_type
    }

    /// Whether it is true; only a program of type Boolean can be.
    #[must_use]
    pub fn truth(&self, facts: &impl Facts) -> Truth {
        self.told(&self.run(facts, &[]))
    }

    /// The same, by values that other programs of the stage may have asked for already.
    #[must_use]
    pub fn truth_among<'f>(&'f self, facts: &'f impl Facts, shared: &'f Shared<'f>) -> Truth {
        self.told(&self.run(facts, shared.places()))
    }

    fn told(&self, run: &Run<'_, impl Facts>) -> Truth {
        match run.truth(self.root()) {
            Ok(true) => Truth::True,
            Ok(false) | Err(Gap::Missing) => Truth::False,
            Err(Gap::NotRecorded) => Truth::Unknown,
            Err(Gap::Error(error)) => Truth::Error(error),
        }
    }

    /// Its root's value.
    #[must_use]
    pub fn value<'f>(&'f self, facts: &'f impl Facts) -> Fact<'f> {
        match self.run(facts, &[]).value(self.root()) {
            Ok(value) => Fact::Value(value),
            Err(Gap::Missing) => Fact::Missing,
            Err(Gap::NotRecorded) => Fact::NotRecorded,
            Err(Gap::Error(error)) => Fact::Error(error),
        }
    }

    fn run<'f, F: Facts>(&'f self, facts: &'f F, shared: &'f [Place<'f>]) -> Run<'f, F> {
        Run { nodes: &self.nodes, shapes: &self.shapes, places: &self.places, shared, facts }
    }

    fn root(&self) -> Id {
        self.nodes.len() as Id - 1
    }
}
