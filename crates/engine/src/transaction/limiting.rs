//! The stage of limits: asks the counters once a phase, for all limits together, turns their answers into the Verdict, and
//! remembers what is to be counted when the response is known and what is to be given back at the end.

use std::cmp::Reverse;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Headers, Mode, Scene, Transaction};
use crate::bundle::RuleAction;
use crate::fact::Phase;
use crate::limits::{Asking, Checked, Count, Counted, Held, Limit, Outcome, Question, StateAnswer, StateStep, Test};
use crate::record::Violation;
use crate::rules::Stage;
use crate::verdict::{Action, CheckFailure, FactError, FailMode, Quota};

/// What the stage remembers of one transaction.
#[derive(Debug, Default)]
pub(super) struct Limiting {
    /// The limits whose checks are being asked, in the order of the step.
    asked: SmallVec<[Asked; 4]>,
    /// Those that count when the response is known.
    later: SmallVec<[(u32, Question); 1]>,
    counts: SmallVec<[Count; 1]>,
    held: SmallVec<[Held; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    /// The limit's place in its zone.
    place: u32,
    is_checked: bool,
    stops: bool,
    test: Test,
}

impl Transaction {
    /// What the limits of this phase ask of the counters; none when they ask nothing.
    pub(super) fn ask_limits(&mut self, phase: Phase, headers: Headers<'_>) -> Option<StateStep> {
        let zone = self.inspected.zone()?;
        let places = zone.limits.about(phase, self.inspected.operation_index());
        if places.is_empty() || self.skips.has_stage(Stage::Limits) {
            return None;
        }
        let scene = Scene { seen: &self.inspected, request_headers: headers.request, response_headers: headers.response };
        let mut step = StateStep::default();
        let mut failed: SmallVec<[(u32, FactError); 1]> = SmallVec::new();
        for place in places {
            let limit = &zone.limits.all()[place as usize];
            if self.skips.has_id(&limit.id) {
                continue;
            }
            match limit.ask(&scene, self.keys.limits(), self.inspected.client) {
                Asking::Nothing | Asking::Unknown => {}
                Asking::Failed(error) => failed.push((place, error)),
                Asking::This(question) => {
                    let stops = limit.action == RuleAction::Block && self.mode == Mode::Enforce;
                    if matches!(question.counted, Counted::ByScore | Counted::ByResponse) {
                        self.limiting.later.push((place, question));
                    }
                    if let Some(check) = limit.check(&question, stops) {
                        self.limiting.asked.push(Asked { place, is_checked: question.is_checked, stops, test: check.test });
                        step.checks.push(check);
                    }
                }
            }
        }
        failed.into_iter().for_each(|(place, error)| self.fail_limit(place, error));
        (self.verdict.action.passes() && !step.checks.is_empty()).then_some(step)
    }

    /// Takes the counters' answers into the Verdict.
    pub(super) fn settle_limits(&mut self, answer: &StateAnswer) {
        let asked = std::mem::take(&mut self.limiting.asked);
        match answer {
            StateAnswer::Failed => asked.iter().for_each(|asked| self.fail_limit(asked.place, FactError::State)),
            StateAnswer::Checked(checked) => {
                // First of all: whatever happens behind this, it is given back.
                self.limiting.held.extend(checked.iter().filter_map(|checked| checked.held));
                asked.iter().zip(checked).for_each(|(asked, checked)| self.settle_limit(asked, checked));
                self.show_tightest(&asked, checked);
            }
        }
    }

    fn settle_limit(&mut self, asked: &Asked, checked: &Checked) {
        let Some(zone) = self.inspected.zone() else { return };
        let limit = &zone.limits.all()[asked.place as usize];
        match checked.outcome {
            Outcome::NoRoom => self.fail_limit(asked.place, FactError::State),
            _ if !asked.is_checked => {}
            Outcome::Fits => {}
            Outcome::Exceeds | Outcome::Mitigated => {
                let action = action(limit, self.mode);
                let (code, evidence) = (limit.code.clone(), limit.evidence());
                self.verdict.add(Violation { code, location: String::new(), evidence, rule: Some(limit.id.clone()), action });
                self.verdict.decide(action, Some(&limit.id), limit.response.as_ref());
                if action == Action::Block {
                    self.verdict.limit(quota(limit, checked));
                }
            }
        }
    }

    /// Of the limits that act and that the request counts in: the one with the least left.
    fn show_tightest(&mut self, asked: &[Asked], checked: &[Checked]) {
        let told = |(asked, checked): &(&Asked, &Checked)| {
            asked.is_checked && asked.stops && asked.test == Test::Counting && checked.outcome == Outcome::Fits
        };
        let told = asked.iter().zip(checked).filter(told);
        let tightest = told.min_by_key(|(_, checked)| (checked.remaining, Reverse(checked.reset_micros)));
        if let (Some((asked, checked)), Some(zone)) = (tightest, self.inspected.zone()) {
            self.verdict.show_quota(quota(&zone.limits.all()[asked.place as usize], checked));
        }
    }

    fn fail_limit(&mut self, place: u32, error: FactError) {
        let Some(zone) = self.inspected.zone() else { return };
        let limit = &zone.limits.all()[place as usize];
        self.verdict.failures.push(CheckFailure { rule: limit.id.clone(), error, mode: limit.fail });
        if limit.fail == FailMode::Closed {
            let action = action(limit, self.mode);
            self.verdict.decide(action, Some(&limit.id), limit.response.as_ref());
            self.verdict.is_limited |= action == Action::Block;
        }
    }

    /// The response is known: so is what is counted by it.
    pub(super) fn count_response(&mut self, headers: Headers<'_>) {
        let (Some(zone), Some(response)) = (self.inspected.zone(), headers.response) else { return };
        let scene = Scene { seen: &self.inspected, request_headers: headers.request, response_headers: headers.response };
        for (place, question) in std::mem::take(&mut self.limiting.later) {
            let limit = &zone.limits.all()[place as usize];
            match limit.amount(question.counted, &scene, response) {
                Ok(Some(amount)) => self.limiting.counts.push(Count { counter: question.counter, amount }),
                Ok(None) => {}
                Err(error) => {
                    self.verdict.failures.push(CheckFailure { rule: limit.id.clone(), error, mode: limit.fail });
                }
            }
        }
    }

    /// Whether the response made anything countable.
    #[must_use]
    pub fn has_counts(&self) -> bool {
        !self.limiting.counts.is_empty()
    }

    /// What the response made countable, for the driver to count: each once.
    pub fn take_counts(&mut self) -> SmallVec<[Count; 1]> {
        std::mem::take(&mut self.limiting.counts)
    }

    /// What ends with this transaction, for the driver to give back: each once.
    pub fn take_held(&mut self) -> SmallVec<[Held; 2]> {
        std::mem::take(&mut self.limiting.held)
    }
}

fn action(limit: &Limit, mode: Mode) -> Action {
    match (limit.action, mode) {
        (RuleAction::Block, Mode::Enforce) => Action::Block,
        _ => Action::Log,
    }
}

fn quota(limit: &Limit, checked: &Checked) -> Quota {
    let seconds = |micros: u64| u32::try_from(micros.div_ceil(1_000_000)).unwrap_or(u32::MAX);
    Quota {
        limit: Arc::clone(&limit.id),
        unit: limit.unit(),
        most: limit.most(),
        told: limit.told.clone(),
        period_seconds: limit.period_seconds,
        remaining: checked.remaining,
        reset_seconds: seconds(checked.reset_micros),
        retry_after_seconds: seconds(checked.wait_micros).max(1),
    }
}
