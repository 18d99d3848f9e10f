//! What a replay counts: records and sessions by outcome, rules by operation, facts that were missing, a few examples of each. States of
//! one policy can be added up.

use std::collections::HashMap;

use hashbrown::HashSet;

use super::judge::{Certainty, Judgement};
use super::row::RecordRow;
use crate::hash::Hash64;
use crate::verdict::Action;

/// Sessions that one set tells apart; beyond that they are counted as at least so many.
const MAX_SESSIONS: usize = 1 << 20;
/// The same for one rule on one operation, and for all of them together.
const MAX_SESSIONS_OF_RULE: usize = 1 << 16;
const MAX_SESSIONS_OF_RULES: usize = 1 << 22;

/// A bounded set of callers.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    seen: HashSet<u64>,
    is_full: bool,
}

/// A few records' ids, the first ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examples(pub Vec<Box<str>>);

/// How many records, and whose.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub records: u64,
    pub callers: Callers,
    pub examples: Examples,
}

/// One rule on one operation.
#[derive(Clone, Debug, Default)]
pub struct RuleTally {
    /// Records that it matched for certain …
    pub matched: u64,
    /// … and of them, those whose verdict it made.
    pub decided: u64,
    /// Records that it may have matched.
    pub unknown: u64,
    pub callers: Callers,
    pub examples: Examples,
}

/// Which operation (its index in the bundle; none: no saved one, or not known) and which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RulePlace {
    pub operation: Option<u32>,
    pub rule: RuleIndex,
}

/// A rule or a limit, by its place in the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleIndex {
    Rule(u32),
    Limit(u32),
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub records: u64,
    /// Microseconds since 1970 of the first and the last record.
    pub since: Option<i64>,
    pub until: Option<i64>,
    pub refused: u64,
    pub elsewhere: u64,
    /// What the verdict would have been.
    pub would: Outcomes,
    /// What it was.
    pub was: [u64; 4],
    pub newly_blocked: Group,
    pub no_longer_blocked: u64,
    pub callers: Callers,
    pub rules: HashMap<RulePlace, RuleTally>,
    /// Entries in the sets of all rules.
    of_rules: usize,
    /// Records whose verdict a fact left open, by the fact.
    pub unknown_facts: HashMap<&'static str, u64>,
}

/// Records by what the verdict would have been.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    pub allow: Group,
    pub log: Group,
    pub block: Group,
    pub unknown: Group,
}

impl Tally {
    /// Counts a record's time and what its verdict was.
    pub(super) fn record(&mut self, row: &RecordRow<'_>) {
        let micros = row.time.micros();
        self.records += 1;
        self.since = Some(self.since.map_or(micros, |since| since.min(micros)));
        self.until = Some(self.until.map_or(micros, |until| until.max(micros)));
        if let Some(action) = row.action {
            self.was[action as usize] += 1;
        }
    }

    /// Counts what would have become of it.
    pub(super) fn judged(&mut self, row: &RecordRow<'_>, operation: Option<u32>, judgement: &Judgement, examples: usize) {
        let caller = row.caller();
        self.callers.add(caller, MAX_SESSIONS);
        let was_passed = row.action.is_some_and(Action::passes);
        let group = match judgement.action() {
            None => &mut self.would.unknown,
            Some(Action::Allow) => &mut self.would.allow,
            Some(Action::Log) => &mut self.would.log,
            Some(Action::Block | Action::Refuse) => &mut self.would.block,
        };
        group.add(row, examples);
        match judgement.action() {
            Some(Action::Block) if was_passed => self.newly_blocked.add(row, examples),
            Some(Action::Allow | Action::Log) if row.action == Some(Action::Block) => self.no_longer_blocked += 1,
            None => self.count_gaps(&judgement.gaps),
            _ => {}
        }
        for (rule, certainty) in &judgement.matched {
            let is_decider = judgement.action().is_some() && judgement.decided == Some(*rule);
            let tally = self.rules.entry(RulePlace { operation, rule: *rule }).or_default();
            match certainty {
                Certainty::Possible => tally.unknown += 1,
                Certainty::Certain => {
                    tally.matched += 1;
                    tally.decided += u64::from(is_decider);
                    let room = MAX_SESSIONS_OF_RULES.saturating_sub(self.of_rules);
                    self.of_rules += usize::from(tally.callers.add(caller, of_rule(&tally.callers, room)));
                    tally.examples.add(row.id, examples);
                }
            }
        }
    }

    /// Each once, however many rules asked.
    fn count_gaps(&mut self, gaps: &[&'static str]) {
        for (place, fact) in gaps.iter().enumerate() {
            if !gaps[..place].contains(fact) {
                *self.unknown_facts.entry(fact).or_default() += 1;
            }
        }
    }

    /// Adds another state of the same policy; `examples` of each kind stay.
    pub(super) fn merge(&mut self, other: &Self, examples: usize) {
        self.records += other.records;
        self.since = self.since.into_iter().chain(other.since).min();
        self.until = self.until.into_iter().chain(other.until).max();
        self.refused += other.refused;
        self.elsewhere += other.elsewhere;
        for (one, more) in self.would.groups_mut().into_iter().zip(other.would.groups()) {
            one.merge(more, examples);
        }
        self.was.iter_mut().zip(other.was).for_each(|(one, more)| *one += more);
        self.newly_blocked.merge(&other.newly_blocked, examples);
        self.no_longer_blocked += other.no_longer_blocked;
        self.callers.merge(&other.callers, MAX_SESSIONS);
        for (place, more) in &other.rules {
            let tally = self.rules.entry(*place).or_default();
            let (before, room) = (tally.callers.seen.len(), MAX_SESSIONS_OF_RULES.saturating_sub(self.of_rules));
            tally.merge(more, examples, room);
            self.of_rules += tally.callers.seen.len() - before;
        }
        for (fact, more) in &other.unknown_facts {
            *self.unknown_facts.entry(fact).or_default() += more;
        }
    }

    /// Whether every number of sessions is exact.
    #[must_use]
    pub fn has_exact_sessions(&self) -> bool {
        let groups = self.would.groups();
        let mut sets = groups.iter().map(|group| &group.callers).chain(self.rules.values().map(|rule| &rule.callers));
        !self.callers.is_full && sets.all(|callers| !callers.is_full)
    }
}

impl Outcomes {
    /// All four: allow, log, block, unknown.
    #[must_use]
    pub fn groups(&self) -> [&Group; 4] {
        [&self.allow, &self.log, &self.block, &self.unknown]
    }

    fn groups_mut(&mut self) -> [&mut Group; 4] {
        [&mut self.allow, &mut self.log, &mut self.block, &mut self.unknown]
    }
}

impl Group {
    fn add(&mut self, row: &RecordRow<'_>, examples: usize) {
        self.records += 1;
        self.callers.add(row.caller(), MAX_SESSIONS);
        self.examples.add(row.id, examples);
    }

    fn merge(&mut self, other: &Self, examples: usize) {
        self.records += other.records;
        self.callers.merge(&other.callers, MAX_SESSIONS);
        other.examples.0.iter().for_each(|id| self.examples.add(id, examples));
    }
}

impl RuleTally {
    fn merge(&mut self, other: &Self, examples: usize, room: usize) {
        self.matched += other.matched;
        self.decided += other.decided;
        self.unknown += other.unknown;
        self.callers.merge(&other.callers, of_rule(&self.callers, room));
        other.examples.0.iter().for_each(|id| self.examples.add(id, examples));
    }
}

/// What the set of one rule may hold when all together have so much room left.
fn of_rule(callers: &Callers, room: usize) -> usize {
    MAX_SESSIONS_OF_RULE.min(callers.seen.len() + room)
}

impl Callers {
    /// Whether it is a new one that is held now.
    fn add(&mut self, caller: Option<Hash64>, at_most: usize) -> bool {
        let Some(Hash64(caller)) = caller else { return false };
        if self.seen.len() < at_most {
            return self.seen.insert(caller);
        }
        self.is_full |= !self.seen.contains(&caller);
        false
    }

    fn merge(&mut self, other: &Self, at_most: usize) {
        self.is_full |= other.is_full;
        for caller in &other.seen {
            self.add(Some(Hash64(*caller)), at_most);
        }
    }

    /// How many; at least so many when the set was full.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.seen.len() as u64
    }
}

impl Examples {
    fn add(&mut self, id: &str, at_most: usize) {
        if self.0.len() < at_most {
            self.0.push(id.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_callers_are_bounded_and_say_when_they_are_full() {
        let mut callers = Callers::default();
        let seen = |callers: &mut Callers, caller| callers.add(Some(Hash64(caller)), 2);
        assert_eq!([1, 1, 2, 3].map(|caller| seen(&mut callers, caller)), [true, false, true, false]);
        assert_eq!((callers.count(), callers.is_full), (2, true));
        let mut other = Callers::default();
        seen(&mut other, 2);
        assert!(!seen(&mut other, 2) && !other.is_full, "one that is known needs no room");
        other.merge(&callers, 8);
        assert_eq!((other.count(), other.is_full), (2, true), "what was not held before is not known now");
    }

    #[test]
    fn the_sets_of_all_rules_share_one_bound() {
        let full = Callers { seen: (0..10).collect(), is_full: false };
        assert_eq!(of_rule(&full, 0), 10);
        assert_eq!(of_rule(&full, 5), 15);
        assert_eq!(of_rule(&full, usize::MAX - 10), MAX_SESSIONS_OF_RULE);
    }

    #[test]
    fn only_the_first_examples_are_kept() {
        let mut examples = Examples::default();
        ["a", "b", "c"].iter().for_each(|id| examples.add(id, 2));
        assert_eq!(examples.0, ["a".into(), "b".into()]);
    }
}
