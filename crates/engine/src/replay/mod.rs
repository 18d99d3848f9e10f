//! Replay: stored TrafficRecords judged by a policy that was not in force, with exactly the engine's rules, programs and matching of
//! operations. Facts answer from what records hold; where the verdict hangs on something that they do not hold it is unknown, and
//! counted so, never guessed. A mergeable state: rows in, counts out.

mod counts;
mod facts;
mod judge;
mod limits;
mod path;
mod row;
mod tally;
mod tokens;

use std::sync::Arc;

pub use facts::{Recorded, is_recorded};
pub use row::RecordRow;
pub use tally::{Callers, Examples, Group, Outcomes, RuleIndex, RulePlace, RuleTally, Tally};

use crate::bundle::{Bundle, Zone, ZoneIndex};
use crate::operations::recorded::{Called, ReplacedLiterals};
use crate::verdict::Action;

/// One zone of a policy, and what became of the records under it.
#[derive(Debug)]
pub struct Replay {
    bundle: Arc<Bundle>,
    zone: ZoneIndex,
    replaced: ReplacedLiterals,
    examples: usize,
    counts: counts::Counts,
    tally: Tally,
}

/// What would have become of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The verdict's action, and the rule that decided where that is certain.
    Known(Action, Option<RuleIndex>),
    /// It hangs on what was not recorded.
    Unknown,
    /// It was refused as HTTP, whatever the policy is.
    Refused,
    /// Its host belongs to no zone of the policy, or to another.
    Elsewhere,
}

impl Replay {
    /// A replay of records of the zone with this id; `examples` ids of each kind are kept. None: the bundle has no such zone.
    #[must_use]
    pub fn new(bundle: Arc<Bundle>, zone_id: &str, examples: usize) -> Option<Self> {
        let zone = bundle.zone_index(zone_id)?;
        let replaced = bundle.zone(zone).operations.replaced_literals();
        Some(Self { bundle, zone, replaced, examples, counts: counts::Counts::default(), tally: Tally::default() })
    }

    /// The policy's zone.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        self.bundle.zone(self.zone)
    }

    /// The id of what stands at this place.
    #[must_use]
    pub fn rule_id(&self, index: RuleIndex) -> Option<&str> {
        match index {
            RuleIndex::Rule(place) => self.zone().rules.at(place).map(|rule| &*rule.id),
            RuleIndex::Limit(place) => self.zone().limits.all().get(place as usize).map(|limit| &*limit.id),
        }
    }

    /// What a record answers under the policy.
    #[must_use]
    pub fn facts<'r>(&'r self, row: &'r RecordRow<'r>) -> Recorded<'r> {
        Recorded::new(row, self.zone(), &self.replaced)
    }

    /// Judges the next record, in the order of time.
    pub fn judge(&mut self, row: &RecordRow<'_>) -> Replayed {
        self.tally.record(row);
        if row.action == Some(Action::Refuse) {
            self.tally.refused += 1;
            return Replayed::Refused;
        }
        if self.bundle.zone_for(row.host) != Some(self.zone) {
            self.tally.elsewhere += 1;
            return Replayed::Elsewhere;
        }
        let facts = Recorded::new(row, self.bundle.zone(self.zone), &self.replaced);
        let judgement = judge::judge(&facts, &mut self.counts);
        let operation = match facts.called {
            Called::Operation(index) => Some(index),
            Called::None | Called::Unknown => None,
        };
        self.tally.judged(row, operation, &judgement, self.examples);
        judgement.action().map_or(Replayed::Unknown, |action| Replayed::Known(action, judgement.decided))
    }

    /// Adds what another replay of the same policy found in other records.
    ///
    /// # Errors
    /// It is one of another policy.
    pub fn merge(&mut self, other: &Self) -> Result<(), &'static str> {
        if self.bundle.hash != other.bundle.hash || self.zone != other.zone {
            return Err("is a replay of another policy");
        }
        self.tally.merge(&other.tally, self.examples);
        Ok(())
    }

    /// What was found so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}
