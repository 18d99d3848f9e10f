//! Rules decide: each asks a program at the end of a phase and says what happens when it is true, and what when it cannot be
//! known. Takes facts, fills the Verdict. All rules of a stage run, so that every violation is found; after a block that acts,
//! later stages do not.

mod compile;
mod skip;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use compile::{Mistakes, References, named_operations, own_response};
pub use skip::{Skip, Skips};

use crate::bundle::RuleAction;
use crate::fact::{BodyUse, FactDef, Facts, HeaderUse, Phase};
use crate::features::RuleViolation;
use crate::program::{Program, Shared, Truth, share};
use crate::record::Violation;
use crate::transaction::{Inspected, Mode, Scene};
use crate::verdict::{Action, CheckFailure, FactError, FailMode, OwnResponse, Verdict};

/// The order in which a phase is judged, as at Cloudflare: custom rules, rate limiting, API Shield.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Custom,
    Limits,
    Features,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 3] = [Self::Custom, Self::Limits, Self::Features];

    /// The word in the bundle.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Limits => "limits",
            Self::Features => "features",
        }
    }
}

/// One rule, compiled.
#[derive(Debug)]
pub struct Rule {
    pub id: Arc<str>,
    pub stage: Stage,
    pub phase: Phase,
    pub when: Program,
    /// Where it stands in the bundle.
    pub(crate) place: u32,
    /// Indexes of the operations that it is about; none: every request.
    pub(crate) operations: Option<Box<[u32]>>,
    pub(crate) action: RuleAction,
    pub(crate) code: Arc<str>,
    pub(crate) violation: &'static RuleViolation,
    pub(crate) fail: FailMode,
    pub(crate) response: Option<Arc<OwnResponse>>,
    pub(crate) skip: Option<Arc<Skip>>,
}

/// What judging writes to.
#[derive(Debug)]
pub(crate) struct Judging<'v> {
    pub mode: Mode,
    pub verdict: &'v mut Verdict,
    pub skips: &'v mut Skips,
}

/// The rules of one stage in one phase, in the order of the bundle.
#[derive(Debug, Default)]
struct Group {
    rules: Vec<Rule>,
    /// Those about every request.
    general: Vec<u32>,
    /// Those about one operation only: they cost nothing elsewhere.
    by_operation: HashMap<u32, Vec<u32>>,
    /// How many values their programs share.
    shared_values: usize,
}

/// The rules of a zone.
#[derive(Debug, Default)]
pub struct Rules {
    groups: [[Group; Phase::ALL.len()]; Stage::ALL.len()],
    /// The last phase in which the request's headers are read.
    last_reader: Option<Phase>,
}

impl Rules {
    /// Something is read in this phase: the request's headers are kept until then, if it is read from them.
    pub(crate) fn note_reader(&mut self, phase: Phase, headers: HeaderUse) {
        if headers == HeaderUse::Request {
            self.last_reader = self.last_reader.max(Some(phase));
        }
    }

    pub(crate) fn add(&mut self, rule: Rule) {
        for fact in rule.when.facts() {
            self.note_reader(rule.phase, fact.headers);
        }
        let group = &mut self.groups[rule.stage as usize][rule.phase as usize];
        let index = group.rules.len() as u32;
        match &rule.operations {
            None => group.general.push(index),
            Some(operations) => {
                operations.iter().for_each(|operation| group.by_operation.entry(*operation).or_default().push(index));
            }
        }
        group.rules.push(rule);
    }

    /// Called once, behind the last rule: finds what their programs share.
    pub(crate) fn finish(&mut self) {
        for group in self.groups.iter_mut().flatten() {
            group.shared_values = share(group.rules.iter_mut().map(|rule| &mut rule.when));
        }
    }

    /// All rules of a stage that run at the end of this phase, in the order of the bundle.
    #[must_use]
    pub fn of(&self, stage: Stage, phase: Phase) -> &[Rule] {
        &self.groups[stage as usize][phase as usize].rules
    }

    /// The one at this place of the bundle.
    #[must_use]
    pub fn at(&self, place: u32) -> Option<&Rule> {
        self.groups.iter().flatten().flat_map(|group| &group.rules).find(|rule| rule.place == place)
    }

    /// Those of them that are about this operation, or about every request.
    pub fn about(&self, stage: Stage, phase: Phase, operation: Option<u32>) -> impl Iterator<Item = &Rule> {
        let group = &self.groups[stage as usize][phase as usize];
        let own = operation.and_then(|operation| group.by_operation.get(&operation)).map_or(&[][..], Vec::as_slice);
        let mut queues = [&group.general[..], own];
        std::iter::from_fn(move || {
            let first = |queue: &&[u32]| queue.first().copied().unwrap_or(u32::MAX);
            let next = usize::from(first(&queues[1]) < first(&queues[0]));
            let (index, rest) = queues[next].split_first()?;
            queues[next] = rest;
            Some(&group.rules[*index as usize])
        })
    }

    /// Everything that is about this request, in the order in which it is asked.
    pub fn about_request(&self, inspected: &Inspected) -> impl Iterator<Item = &Rule> {
        let operation = inspected.operation_index();
        let stages = Phase::ALL.into_iter().flat_map(|phase| Stage::ALL.into_iter().map(move |stage| (stage, phase)));
        stages.flat_map(move |(stage, phase)| self.about(stage, phase, operation))
    }

    /// How much of the body the rules from `RequestBody` on need of this transaction.
    pub(crate) fn body_use(&self, inspected: &Inspected, skips: &Skips) -> BodyUse {
        let rules = [Phase::RequestBody, Phase::ResponseHead].into_iter().flat_map(|phase| self.after_head(phase, inspected));
        let asking = rules.filter(|rule| skips.is_empty() || !skips.has_rule(rule));
        asking.flat_map(|rule| rule.when.facts()).map(|fact| (fact.body)(inspected)).max().unwrap_or(BodyUse::Nothing)
    }

    fn after_head(&self, phase: Phase, inspected: &Inspected) -> impl Iterator<Item = &Rule> {
        let operation = inspected.operation_index();
        [Stage::Custom, Stage::Features].into_iter().flat_map(move |stage| self.about(stage, phase, operation))
    }

    /// Whether the request's headers are read in a phase behind this one.
    pub(crate) fn read_after(&self, phase: Phase) -> bool {
        self.last_reader > Some(phase)
    }

    /// Whether no rule runs in this phase.
    pub(crate) fn is_idle(&self, phase: Phase) -> bool {
        self.groups.iter().all(|stage| stage[phase as usize].rules.is_empty())
    }

    /// Runs the rules of one stage of one phase.
    pub(crate) fn judge(&self, stage: Stage, phase: Phase, scene: &Scene<'_>, judging: &mut Judging<'_>) {
        let shared = Shared::new(self.groups[stage as usize][phase as usize].shared_values);
        for rule in self.about(stage, phase, scene.seen.operation_index()) {
            if judging.skips.is_empty() || !judging.skips.has_rule(rule) {
                rule.judge(rule.when.truth_among(scene, &shared), scene, judging);
            }
        }
    }
}

impl Rule {
    /// Whether it matches, by these facts.
    pub fn ask(&self, facts: &impl Facts) -> Truth {
        self.when.truth(facts)
    }

    /// The facts it asks.
    #[must_use]
    pub fn facts(&self) -> &[&'static FactDef] {
        self.when.facts()
    }

    /// What it says of what it matches: log, block or skip.
    #[must_use]
    pub fn action_word(&self) -> &'static str {
        match self.action {
            RuleAction::Log => "log",
            RuleAction::Block => "block",
            RuleAction::Skip => "skip",
        }
    }

    /// The stable code of what it finds.
    #[must_use]
    pub fn violation_code(&self) -> &'static str {
        self.violation.def.code
    }

    fn judge(&self, truth: Truth, scene: &Scene<'_>, judging: &mut Judging<'_>) {
        match truth {
            Truth::False | Truth::Unknown => {}
            Truth::True => self.act(scene, judging),
            Truth::Error(error) => self.fail(error, judging),
        }
    }

    fn act(&self, scene: &Scene<'_>, judging: &mut Judging<'_>) {
        if let Some(skip) = &self.skip {
            judging.skips.add(self.place, skip);
            if !skip.log {
                return;
            }
        }
        let action = self.action(judging.mode);
        let evidence = (self.violation.evidence)(scene);
        let location = self.violation.def.location.to_owned();
        judging.verdict.add(Violation { code: self.code.clone(), location, evidence, rule: Some(self.id.clone()), action });
        judging.verdict.decide(action, Some(&self.id), self.response.as_ref());
    }

    /// A skip that could not be decided skips nothing.
    fn fail(&self, error: FactError, judging: &mut Judging<'_>) {
        judging.verdict.failures.push(CheckFailure { rule: self.id.clone(), error, mode: self.fail });
        if self.fail == FailMode::Closed && self.skip.is_none() {
            judging.verdict.decide(self.action(judging.mode), Some(&self.id), self.response.as_ref());
        }
    }

    fn action(&self, mode: Mode) -> Action {
        match (self.action, mode) {
            (RuleAction::Block, Mode::Enforce) => Action::Block,
            _ => Action::Log,
        }
    }
}
