//! One record under one policy: the engine's rules in the engine's order, with verdicts that may stay open. What a record does not
//! tell makes an outcome unknown; the verdict is known only where it is the same whatever was not recorded.

use smallvec::SmallVec;

use super::facts::Recorded;
use super::tally::RuleIndex;
use crate::bundle::RuleAction;
use crate::fact::Phase;
use crate::operations::recorded::Called;
use crate::program::Truth;
use crate::rules::{Rule, Skips, Stage};
use crate::verdict::{Action, FailMode};

/// What is named where it was the status of the response that is missing.
const RESPONSE: &str = "http.response.code";
/// What is named where it is open which operation was called.
const OPERATION: &str = "hoplon.operation.id";

/// What became of one record.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// The mildest and the severest action that the verdict can have been.
    pub low: Action,
    pub high: Action,
    /// The rule that decided, where that is certain.
    pub decided: Option<RuleIndex>,
    /// Rules that matched, or may have.
    pub matched: SmallVec<[(RuleIndex, Certainty); 4]>,
    /// Facts that were not recorded and left a match open.
    pub gaps: SmallVec<[&'static str; 4]>,
}

/// Whether a rule's match is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    Certain,
    Possible,
}

impl Judgement {
    /// The action, where it is certain.
    pub fn action(&self) -> Option<Action> {
        (self.low == self.high).then_some(self.low)
    }
}

/// A record on its way through the phases.
struct Walk<'w, 'z> {
    facts: &'w Recorded<'z>,
    judgement: Judgement,
    /// What is skipped for certain, and what may be.
    skips: [Skips; 2],
    /// Whether this phase took place at all.
    phase: Certainty,
}

/// Judges one record in the mode `enforce`.
pub(super) fn judge<'z>(facts: &Recorded<'z>) -> Judgement {
    let mut walk = Walk { facts, judgement: Judgement::default(), skips: Default::default(), phase: Certainty::Certain };
    for phase in Phase::ALL {
        // A switch of protocols leaves HTTP without the response being judged.
        if phase == Phase::ResponseHead && matches!(facts.row.upstream_status, None | Some(101)) {
            walk.phase = Certainty::Possible;
        }
        for stage in Stage::ALL {
            if walk.judgement.low.passes() {
                walk.rules(stage, phase);
            }
        }
    }
    walk.judgement
}

impl<'z> Walk<'_, 'z> {
    fn rules(&mut self, stage: Stage, phase: Phase) {
        // Whether an earlier stage may have ended the request; all rules of one stage run.
        let reached = if self.judgement.high.passes() { self.phase } else { Certainty::Possible };
        let rules = &self.facts.zone.rules;
        match self.facts.called {
            Called::None => rules.about(stage, phase, None).for_each(|rule| self.ask(rule, reached)),
            Called::Operation(index) => rules.about(stage, phase, Some(index)).for_each(|rule| self.ask(rule, reached)),
            Called::Unknown => rules.of(stage, phase).iter().for_each(|rule| self.ask(rule, reached)),
        }
    }

    fn ask(&mut self, rule: &'z Rule, reached: Certainty) {
        let [skipped, maybe_skipped] = &self.skips;
        if skipped.has_rule(rule) {
            return;
        }
        let is_open_whom = rule.operations.is_some() && self.facts.called == Called::Unknown;
        let is_open = self.phase == Certainty::Possible || is_open_whom || maybe_skipped.has_rule(rule);
        let truth = rule.ask(self.facts);
        let gaps = self.facts.take_gaps();
        let match_ = match truth {
            Truth::False => return,
            Truth::Error(_) if rule.fail == FailMode::Open || rule.skip.is_some() => return,
            Truth::True | Truth::Error(_) if !is_open => Certainty::Certain,
            Truth::True | Truth::Error(_) | Truth::Unknown => Certainty::Possible,
        };
        if truth == Truth::Unknown {
            self.judgement.gaps.extend(gaps);
        }
        if is_open_whom {
            self.judgement.gaps.push(OPERATION);
        }
        if self.phase == Certainty::Possible {
            self.judgement.gaps.push(RESPONSE);
        }
        self.take(rule, match_, reached);
    }

    /// What follows from a match.
    fn take(&mut self, rule: &'z Rule, match_: Certainty, reached: Certainty) {
        let seen = if match_ == Certainty::Certain { reached } else { match_ };
        let index = RuleIndex::Rule(rule.place);
        self.judgement.matched.push((index, seen));
        if let Some(skip) = &rule.skip {
            self.skips[1].add(rule.place, skip);
            if match_ == Certainty::Certain {
                self.skips[0].add(rule.place, skip);
            }
            if !skip.log {
                return;
            }
        }
        let action = if rule.action == RuleAction::Block { Action::Block } else { Action::Log };
        let judgement = &mut self.judgement;
        // Whoever came before and stopped it, stopped it no milder: a certain match is the least that happened.
        if match_ == Certainty::Certain && action > judgement.low {
            judgement.low = action;
            judgement.decided = (judgement.high < action).then_some(index);
        }
        judgement.high = judgement.high.max(action);
    }
}
