//! One record under one policy: the engine's rules in the engine's order, with verdicts that may stay open. What a record does not
//! tell makes an outcome unknown; the verdict is known only where it is the same whatever was not recorded.

use smallvec::SmallVec;

use super::counts::{Counts, Excess};
use super::facts::Recorded;
use super::limits::{self, Asked, Asking, Pending};
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

/// What is named where it is open what was counted before.
const COUNTED: &str = "limits.counted";

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
    /// A rule matched, or may have; so did what came before it let the request get there.
    fn found(&mut self, index: RuleIndex, action: Action, certainty: Certainty, reached: Certainty) {
        let seen = if certainty == Certainty::Certain { reached } else { certainty };
        self.matched.push((index, seen));
        // Whoever came before and stopped it, stopped it no milder: a certain match is the least that happened.
        if certainty == Certainty::Certain && action > self.low {
            self.low = action;
            self.decided = (self.high < action).then_some(index);
        }
        self.high = self.high.max(action);
    }

    /// The action, where it is certain.
    pub fn action(&self) -> Option<Action> {
        (self.low == self.high).then_some(self.low)
    }
}

/// A record on its way through the phases.
struct Walk<'w, 'z> {
    facts: &'w Recorded<'z>,
    counts: &'w mut Counts,
    judgement: Judgement,
    /// What is skipped for certain, and what may be.
    skips: [Skips; 2],
    /// Whether this phase took place at all.
    phase: Certainty,
    /// What is counted once the verdict is known.
    pending: SmallVec<[Pending; 2]>,
}

/// Judges one record in the mode `enforce`, and counts it.
pub(super) fn judge(facts: &Recorded<'_>, counts: &mut Counts) -> Judgement {
    counts.catch_up(facts.row.time);
    let (judgement, skips, pending) = (Judgement::default(), Default::default(), SmallVec::new());
    let mut walk = Walk { facts, counts, judgement, skips, phase: Certainty::Certain, pending };
    for phase in Phase::ALL {
        // A switch of protocols leaves HTTP without the response being judged.
        if phase == Phase::ResponseHead && matches!(facts.row.upstream_status, None | Some(101)) {
            walk.phase = Certainty::Possible;
        }
        for stage in Stage::ALL {
            match stage {
                _ if !walk.judgement.low.passes() => {}
                Stage::Limits => walk.limits(phase),
                Stage::Custom | Stage::Features => walk.rules(stage, phase),
            }
        }
    }
    let pending = std::mem::take(&mut walk.pending);
    pending.iter().for_each(|pending| pending.count(facts, &walk.judgement, walk.counts));
    walk.judgement
}

impl<'z> Walk<'_, 'z> {
    /// Whether an earlier stage may have ended the request; all rules of one stage run.
    fn reached(&self) -> Certainty {
        if self.judgement.high.passes() { self.phase } else { Certainty::Possible }
    }

    fn rules(&mut self, stage: Stage, phase: Phase) {
        let reached = self.reached();
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
        let certainty = match truth {
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
        if let Some(skip) = &rule.skip {
            self.skips[1].add(rule.place, skip);
            if certainty == Certainty::Certain {
                self.skips[0].add(rule.place, skip);
            }
        }
        let is_silent = rule.skip.as_ref().is_some_and(|skip| !skip.log);
        let action = if is_silent { Action::Allow } else { action_of(rule.action) };
        self.judgement.found(RuleIndex::Rule(rule.place), action, certainty, reached);
    }

    /// All limits of a phase: decided first, counted afterwards, none of them when one stops the request.
    fn limits(&mut self, phase: Phase) {
        let (zone, reached) = (self.facts.zone, self.reached());
        if phase == Phase::ResponseHead || self.skips[0].has_stage(Stage::Limits) {
            return;
        }
        let places = match self.facts.called {
            Called::None => zone.limits.about(phase, None),
            Called::Operation(index) => zone.limits.about(phase, Some(index)),
            Called::Unknown => zone.limits.in_phase(phase),
        };
        let mut asked: SmallVec<[Asked; 2]> = SmallVec::new();
        for place in places {
            let limit = &zone.limits.all()[place as usize];
            if self.skips[0].has_id(&limit.id) {
                continue;
            }
            let is_open_whom = limit.operations.is_some() && self.facts.called == Called::Unknown;
            let is_open = is_open_whom || self.skips[1].has_stage(Stage::Limits) || self.skips[1].has_id(&limit.id);
            let asking = limits::ask(place, limit, self.facts, is_open);
            let gaps = self.facts.take_gaps();
            if asking.is_open() {
                // What was not recorded may also be what could not be found out.
                if !gaps.is_empty() && limit.fail == FailMode::Closed {
                    self.judgement.found(RuleIndex::Limit(place), action_of(limit.action), Certainty::Possible, reached);
                }
                self.judgement.gaps.extend(gaps);
                self.judgement.gaps.extend(is_open_whom.then_some(OPERATION));
            }
            match asking {
                Asking::Nothing => {}
                Asking::Failed(_) if limit.fail == FailMode::Open => {}
                Asking::Failed(certainty) => {
                    self.judgement.found(RuleIndex::Limit(place), action_of(limit.action), certainty, reached);
                }
                Asking::This(question) => asked.push(question),
            }
        }
        if self.judgement.low.passes() {
            self.settle(asked, reached);
        }
    }

    fn settle(&mut self, asked: SmallVec<[Asked; 2]>, reached: Certainty) {
        let now = self.facts.row.time;
        let seen: SmallVec<[Excess; 2]> = asked.iter().map(|asked| asked.excess(self.counts, now)).collect();
        // A check that failed closed just now may have stopped it before anything was counted.
        let before = if reached == Certainty::Certain && self.judgement.high.passes() { Excess::No } else { Excess::Maybe };
        let stopped = asked.iter().zip(&seen).map(|(asked, excess)| asked.stops(*excess)).fold(before, Excess::or);
        for (asked, excess) in asked.iter().zip(seen) {
            if let Some(checked) = asked.checked.filter(|_| excess != Excess::No) {
                let is_certain = checked == Certainty::Certain && excess == Excess::Yes;
                let certainty = if is_certain { Certainty::Certain } else { Certainty::Possible };
                if !is_certain {
                    self.judgement.gaps.push(COUNTED);
                }
                let happened = if before == Excess::No { checked } else { Certainty::Possible };
                self.counts.mitigate(asked.key, &asked.check, excess, happened, now);
                self.judgement.found(RuleIndex::Limit(asked.key.limit), asked.action, certainty, reached);
            }
            self.pending.extend(asked.pending(excess, stopped));
        }
    }
}

fn action_of(action: RuleAction) -> Action {
    if action == RuleAction::Block { Action::Block } else { Action::Log }
}
