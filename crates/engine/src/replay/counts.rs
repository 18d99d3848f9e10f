//! What limits would have counted: for every key the least and the most that the engine's sliding counter can hold, given what
//! records tell. As long as nothing is open the two are one, and the decisions are the engine's. Counting begins with the first record,
//! as it would if the policy had been put in place then; each gateway counts for itself.

use std::collections::BTreeMap;
use std::time::Duration;

use hashbrown::HashMap;

use super::judge::Certainty;
use crate::limits::{Check, Slide};
use crate::timestamp::Timestamp;

/// Keys that are held at most; beyond that decisions about new ones are open. About 100 bytes each.
const MAX_KEYS: usize = 1 << 20;
const SWEEP: Duration = Duration::from_secs(10);

/// One counter: the limit's place in its zone, and the hash of gateway and characteristics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CountKey {
    pub limit: u32,
    /// None: the record does not tell which; it may be any.
    pub key: Option<u64>,
}

/// Whether one request more exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    No,
    Maybe,
    Yes,
}

/// An amount of which only the bounds are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub least: u32,
    pub most: u32,
}

/// What happens to a counter later than the request that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Count(Amount),
    Release(Amount),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Counts {
    keys: HashMap<CountKey, Counted>,
    /// In the order of time, and then of coming.
    later: BTreeMap<(Timestamp, u64), Later>,
    coming: u64,
    /// When keys that hold nothing are looked for again.
    sweep_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Later {
    key: CountKey,
    period_seconds: u32,
    change: Change,
}

/// What is known of one key.
#[derive(Clone, Copy, Debug)]
struct Counted {
    least: Slide,
    most: Slide,
    /// Under mitigation until then for certain, and until then perhaps.
    mitigated_until: Timestamp,
    maybe_until: Timestamp,
    period_seconds: u32,
}

impl Counted {
    fn new(period_seconds: u32) -> Self {
        let never = Timestamp::from_micros(0);
        let (least, most) = (Slide::default(), Slide::default());
        Self { least, most, mitigated_until: never, maybe_until: never, period_seconds }
    }

    /// With its windows moved on. Requests in flight know none.
    fn at(self, now: Timestamp) -> Self {
        let moved = |slide: Slide| if self.period_seconds == 0 { slide } else { slide.at(now, self.period_seconds).slide };
        Self { least: moved(self.least), most: moved(self.most), ..self }
    }

    fn is_idle(self, now: Timestamp) -> bool {
        let most = self.at(now).most;
        self.maybe_until <= now && most.current == 0 && most.previous == 0
    }
}

impl Amount {
    pub const NOTHING: Self = Self { least: 0, most: 0 };

    /// What may be, but need not.
    pub fn at_most(self) -> Self {
        Self { least: 0, ..self }
    }
}

impl Counts {
    /// What happened until now, in its order.
    pub fn catch_up(&mut self, now: Timestamp) {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let ((at, _), Later { key, period_seconds, change }) = first.remove_entry();
            match change {
                Change::Count(amount) => self.count(key, period_seconds, amount, at),
                Change::Release(amount) => self.release(key, amount),
            }
        }
        if self.keys.len() >= MAX_KEYS && self.sweep_at.is_none_or(|at| at <= now) {
            self.keys.retain(|_, counted| !counted.is_idle(now));
            self.sweep_at = Some(now.plus(SWEEP));
        }
    }

    /// Notes what happens at a later time.
    pub fn later(&mut self, at: Timestamp, key: CountKey, period_seconds: u32, change: Change) {
        self.later.insert((at, self.coming), Later { key, period_seconds, change });
        self.coming += 1;
    }

    /// Decides, and counts nothing.
    pub fn excess(&self, key: CountKey, check: &Check, now: Timestamp) -> Excess {
        let period = check.counter.period_seconds;
        let known = match (key.key, self.keys.get(&key)) {
            (Some(_), Some(counted)) => counted.at(now),
            (Some(_), None) if self.keys.len() < MAX_KEYS => Counted::new(period).at(now),
            _ => return Excess::Maybe,
        };
        let unplaced =
            self.keys.get(&CountKey { key: None, ..key }).map_or_else(|| Counted::new(period), |counted| counted.at(now));
        let most = Slide {
            previous: known.most.previous.saturating_add(unplaced.most.previous),
            current: known.most.current.saturating_add(unplaced.most.current),
            ..known.most
        };
        if known.mitigated_until > now || !fits(known.least, check, now) {
            Excess::Yes
        } else if fits(most, check, now) && known.maybe_until.max(unplaced.maybe_until) <= now {
            Excess::No
        } else {
            Excess::Maybe
        }
    }

    /// An excess begins a mitigation, unless one runs. `happened`: whether the request was checked at all.
    pub fn mitigate(&mut self, key: CountKey, check: &Check, excess: Excess, happened: Certainty, now: Timestamp) {
        let end = now.plus(Duration::from_secs(check.mitigation_seconds.into()));
        if check.mitigation_seconds == 0 || excess == Excess::No || !self.has_room(key) {
            return;
        }
        let counted = self.keys.entry(key).or_insert_with(|| Counted::new(check.counter.period_seconds));
        match (excess, happened) {
            _ if counted.mitigated_until > now => {}
            (Excess::Yes, Certainty::Certain) if counted.maybe_until <= now => {
                counted.mitigated_until = end;
                counted.maybe_until = end;
            }
            _ => counted.maybe_until = counted.maybe_until.max(end),
        }
    }

    /// Counts.
    pub fn count(&mut self, key: CountKey, period_seconds: u32, amount: Amount, now: Timestamp) {
        if amount == Amount::NOTHING || !self.has_room(key) {
            return;
        }
        let counted = self.keys.entry(key).or_insert_with(|| Counted::new(period_seconds));
        *counted = counted.at(now);
        counted.least = counted.least.plus(amount.least);
        counted.most = counted.most.plus(amount.most);
    }

    /// A request in flight ended: what was added for it goes.
    fn release(&mut self, key: CountKey, amount: Amount) {
        if let Some(counted) = self.keys.get_mut(&key) {
            counted.least.current = counted.least.current.saturating_sub(amount.least);
            counted.most.current = counted.most.current.saturating_sub(amount.most);
        }
    }

    fn has_room(&self, key: CountKey) -> bool {
        self.keys.len() < MAX_KEYS || self.keys.contains_key(&key)
    }
}

fn fits(slide: Slide, check: &Check, now: Timestamp) -> bool {
    match check.counter.period_seconds {
        0 => slide.current < check.limit,
        period => slide.at(now, period).fits(check.limit, check.test),
    }
}
