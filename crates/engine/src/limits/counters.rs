//! All counters of a process, in a fixed piece of memory behind many small locks. Takes steps and the time, gives answers; no
//! clock, no I/O. What it does when it is full: a slot whose windows are over is taken over; is there none, new keys share an
//! overflow bucket per limit and address prefix; is there no room for a bucket either, the one that counted least is forgotten.
//! Keys under mitigation and requests in flight are never forgotten; a bucket is never under mitigation.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::key::Key;
use super::sets::{Entry, Place, Sets};
use super::slide::{Now, Test};
use super::step::{Area, Check, Checked, Count, Counter, Held, HeldKind, Outcome, StateAnswer, StateStep};
use crate::timestamp::Timestamp;

/// The bound, where no setting says another.
pub const DEFAULT_BYTES: usize = 64 << 20;
/// With less, sets would be too few to fill evenly.
pub const MIN_BYTES: usize = 1 << 20;
/// A sixteenth of the memory is for overflow buckets.
const OVERFLOW_SHARE: usize = 16;
const OWN_SHARDS: usize = 256;
const OVERFLOW_SHARDS: usize = 16;

/// See the module.
#[derive(Debug)]
pub struct Counters {
    /// Those of own counters, then those of overflow buckets: locked in this order only.
    shards: Box<[Shard]>,
}

/// On a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Shard(Mutex<Guarded>);

#[derive(Debug)]
struct Guarded {
    sets: Sets,
    tally: Tally,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Checks decided.
    pub checks: u64,
    /// Checks that found the limit exceeded, or the key under mitigation.
    pub exceeded: u64,
    /// Mitigations that began.
    pub mitigations: u64,
    /// Checks and counts that were taken to an overflow bucket.
    pub overflowed: u64,
    /// Overflow buckets that were forgotten for another.
    pub forgotten: u64,
    /// Checks and counts that found no room at all.
    pub no_room: u64,
}

/// A look at the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub tally: Tally,
    /// Slots in use, and all of them.
    pub keys: usize,
    pub capacity: usize,
    /// Bytes of all slots: never more than the bound.
    pub bytes: usize,
}

/// A key that was over its limit and may not pass yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mitigation {
    pub key: Key,
    pub period_seconds: u32,
    pub rest: Duration,
}

impl Default for Counters {
    fn default() -> Self {
        Self::new(DEFAULT_BYTES)
    }
}

impl Counters {
    /// Nothing counted; never more than `bytes`, at least [`MIN_BYTES`]. An eighth of it is for what an allocator adds.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let slots = bytes.max(MIN_BYTES) / 8 * 7;
        let overflow = slots / OVERFLOW_SHARE;
        let own = slots - overflow;
        let shard = |bytes| Shard(Mutex::new(Guarded { sets: Sets::new(bytes), tally: Tally::default() }));
        let own = (0..OWN_SHARDS).map(|_| shard(own / OWN_SHARDS));
        Self { shards: own.chain((0..OVERFLOW_SHARDS).map(|_| shard(overflow / OVERFLOW_SHARDS))).collect() }
    }

    /// Decides and counts, in one atomic act; see [`StateStep`].
    #[must_use]
    pub fn decide(&self, step: &StateStep, now: Timestamp) -> StateAnswer {
        if let [check] = &step.checks[..]
            && let Some(checked) = self.decide_alone(check, now)
        {
            return StateAnswer::Checked(smallvec![checked]);
        }
        let (mut locked, found) = self.find(step.checks.iter().map(|check| &check.counter), now);
        let seen: SmallVec<[Seen; 4]> = step.checks.iter().zip(found).map(|(check, found)| Seen::of(check, found, now)).collect();
        let is_stopped = step.checks.iter().zip(&seen).any(|(check, seen)| check.stops && seen.is_excess());
        let checked = step.checks.iter().zip(seen).map(|(check, seen)| match &seen.found {
            Some(found) => locked.shard(found.area, found.key).settle(check, &seen, found, is_stopped, now),
            None => Checked { outcome: seen.outcome, remaining: 0, wait_micros: 0, reset_micros: 0, held: None },
        });
        StateAnswer::Checked(checked.collect())
    }

    /// The common case, without the lists of the general one: a single limit whose key has a slot of its own.
    fn decide_alone(&self, check: &Check, now: Timestamp) -> Option<Checked> {
        let mut shard = self.shards[Area::Own.shard(check.counter.key)].lock();
        let found = shard.find_own(&check.counter, now)?;
        let seen = Seen::of(check, Some(found), now);
        let is_stopped = check.stops && seen.is_excess();
        Some(shard.settle(check, &seen, &found, is_stopped, now))
    }

    /// Counts what only the response told.
    pub fn count(&self, count: &Count, now: Timestamp) {
        let Count { counter, amount } = count;
        let (mut locked, found) = self.find(std::iter::once(counter), now);
        for found in found.into_iter().flatten() {
            let slide = found.entry.slide.at(now, counter.period_seconds).slide.plus(*amount);
            locked.shard(found.area, found.key).write(&found, &Entry { slide, ..found.entry }, now);
        }
    }

    /// Finds these counters, and holds the shards that they stand in. None: there is no room for it.
    fn find<'c>(
        &self,
        counters: impl Iterator<Item = &'c Counter> + Clone,
        now: Timestamp,
    ) -> (Locked<'_>, SmallVec<[Option<Found>; 4]>) {
        let mut locked = Locked { counters: self, held: SmallVec::new() };
        locked.lock(counters.clone().map(|counter| Area::Own.shard(counter.key)).collect());
        let mut found: SmallVec<[Option<Found>; 4]> =
            counters.clone().map(|counter| locked.shard(Area::Own, counter.key).find_own(counter, now)).collect();
        if found.iter().any(Option::is_none) {
            let spilled = counters.clone().zip(&found).filter(|(_, found)| found.is_none());
            locked.lock(spilled.map(|(counter, _)| Area::Overflow.shard(counter.overflow)).collect());
            for (counter, found) in counters.zip(&mut found).filter(|(_, found)| found.is_none()) {
                *found = locked.shard(Area::Overflow, counter.overflow).find_overflow(counter, now);
            }
        }
        (locked, found)
    }

    /// Gives back what ended with its request; what counts towards the upstream only when the request did not go there.
    pub fn release(&self, held: &Held, went_upstream: bool) {
        let mut shard = self.shards[held.area.shard(held.key)].lock();
        let Some(place) = shard.sets.find(held.key) else { return };
        let entry = shard.sets.read(place);
        let slide = match held.kind {
            HeldKind::InFlight => entry.slide.given_back(entry.slide.window),
            HeldKind::ToOrigin { .. } if went_upstream => return,
            HeldKind::ToOrigin { window } => entry.slide.given_back(window),
        };
        shard.sets.write(place, held.key, &Entry { slide, ..entry });
    }

    /// The keys under mitigation, at most `most` of them: for a hand-over.
    #[must_use]
    pub fn mitigations(&self, now: Timestamp, most: usize) -> Vec<Mitigation> {
        let mut found = Vec::new();
        for shard in &self.shards[..OWN_SHARDS] {
            let shard = shard.lock();
            let running = shard.sets.entries().filter(|(_, entry)| entry.until > now).map(|(key, entry)| Mitigation {
                key,
                period_seconds: entry.period_seconds,
                rest: entry.until.since(now),
            });
            found.extend(running.take(most - found.len()));
        }
        found
    }

    /// Takes a mitigation over from a process before; whether there was room for it.
    pub fn restore(&self, mitigation: &Mitigation, now: Timestamp) -> bool {
        let key = mitigation.key;
        let mut shard = self.shards[Area::Own.shard(key)].lock();
        let Some(place) = shard.sets.find(key).or_else(|| shard.sets.room(key, now)) else { return false };
        let until = now.plus(mitigation.rest);
        shard.sets.write(place, key, &Entry { until, ..Entry::new(mitigation.period_seconds) });
        true
    }

    /// How full it is and what happened so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for shard in &self.shards {
            let shard = shard.lock();
            usage.tally.add(&shard.tally);
            usage.keys += shard.sets.used();
            usage.bytes += shard.sets.bytes();
            usage.capacity += shard.sets.capacity();
        }
        usage
    }
}

impl Shard {
    /// A panic elsewhere left whole slots behind: they are written one after the other, none half.
    fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Area {
    /// By the highest bits of the key: the sets go by others.
    fn shard(self, key: Key) -> usize {
        match self {
            Area::Own => (key.get() >> 56) as usize % OWN_SHARDS,
            Area::Overflow => OWN_SHARDS + (key.get() >> 56) as usize % OVERFLOW_SHARDS,
        }
    }
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.checks += other.checks;
        self.exceeded += other.exceeded;
        self.mitigations += other.mitigations;
        self.overflowed += other.overflowed;
        self.forgotten += other.forgotten;
        self.no_room += other.no_room;
    }
}

/// A counter as it stands, in the area that it belongs to; perhaps nothing yet.
#[derive(Clone, Copy)]
struct Found {
    key: Key,
    area: Area,
    place: Place,
    /// Who owned the slot: another, while nothing is counted under this key.
    owner: u64,
    entry: Entry,
}

/// What a check found before anything was counted.
struct Seen {
    outcome: Outcome,
    found: Option<Found>,
    /// The counter with its windows moved on; of requests in flight as it stands.
    entry: Entry,
    now: Option<Now>,
}

impl Seen {
    /// A mitigation never lasts longer than the limit says now: the clock was set back, or the policy changed.
    fn of(check: &Check, found: Option<Found>, now: Timestamp) -> Self {
        let period = check.counter.period_seconds;
        let Some(stored) = found.map(|found| found.entry) else {
            return Self { outcome: Outcome::NoRoom, found, entry: Entry::new(period), now: None };
        };
        let until = stored.until.min(now.plus(Duration::from_secs(check.mitigation_seconds.into())));
        let at = (period > 0).then(|| stored.slide.at(now, period));
        let entry = Entry { until, slide: at.map_or(stored.slide, |at| at.slide), ..stored };
        let fits = at.map_or(stored.slide.current < check.limit, |at| at.fits(check.limit, check.test));
        let outcome = match fits {
            _ if until > now => Outcome::Mitigated,
            true => Outcome::Fits,
            false => Outcome::Exceeds,
        };
        Self { outcome, found, entry, now: at }
    }

    fn is_excess(&self) -> bool {
        matches!(self.outcome, Outcome::Exceeds | Outcome::Mitigated)
    }
}

/// The shards that one act holds, by ascending index: two acts never wait for each other in a circle.
struct Locked<'c> {
    counters: &'c Counters,
    held: SmallVec<[(usize, MutexGuard<'c, Guarded>); 4]>,
}

impl Locked<'_> {
    /// All of these are behind those that are held already.
    fn lock(&mut self, mut shards: SmallVec<[usize; 4]>) {
        shards.sort_unstable();
        shards.dedup();
        self.held.extend(shards.into_iter().map(|index| (index, self.counters.shards[index].lock())));
    }

    fn shard(&mut self, area: Area, key: Key) -> &mut Guarded {
        let index = area.shard(key);
        let position = self.held.iter().position(|(held, _)| *held == index).unwrap_or(0);
        &mut self.held[position].1
    }
}

impl Guarded {
    /// The counter of its own, or room for one.
    fn find_own(&self, counter: &Counter, now: Timestamp) -> Option<Found> {
        let sets = &self.sets;
        let place = sets.find(counter.key).or_else(|| sets.room(counter.key, now))?;
        Some(Found::at(sets, place, counter.key, Area::Own, counter))
    }

    /// The bucket, or room for one, if need be another's.
    fn find_overflow(&mut self, counter: &Counter, now: Timestamp) -> Option<Found> {
        let key = counter.overflow;
        self.tally.overflowed += 1;
        let sets = &self.sets;
        let place = sets.find(key).or_else(|| sets.room(key, now)).or_else(|| sets.victim(key, now));
        match place {
            Some(place) => Some(Found::at(sets, place, key, Area::Overflow, counter)),
            None => {
                self.tally.no_room += 1;
                None
            }
        }
    }

    /// Counts what is to be counted, begins a mitigation, and answers.
    fn settle(&mut self, check: &Check, seen: &Seen, found: &Found, is_stopped: bool, now: Timestamp) -> Checked {
        let Seen { outcome, mut entry, now: mut at, .. } = *seen;
        let mut held = None;
        // A bucket is many keys': its excess is stopped as long as the window says so, but nobody is punished for a neighbour.
        let is_punished = outcome == Outcome::Exceeds && check.mitigation_seconds > 0 && found.area == Area::Own;
        if is_punished {
            entry.until = now.plus(Duration::from_secs(check.mitigation_seconds.into()));
        } else if outcome == Outcome::Fits && check.test == Test::Counting && !is_stopped {
            entry.slide = entry.slide.plus(1);
            at = at.map(Now::plus_one);
            held = held_kind(check, &entry).map(|kind| Held { key: found.key, area: found.area, kind });
        }
        let tally = &mut self.tally;
        tally.checks += 1;
        tally.exceeded += u64::from(matches!(outcome, Outcome::Exceeds | Outcome::Mitigated));
        tally.mitigations += u64::from(is_punished);
        if found.differs(&entry) {
            self.write(found, &entry, now);
        }
        answer(check, outcome, &entry, at, held, now)
    }

    fn write(&mut self, found: &Found, entry: &Entry, now: Timestamp) {
        let sets = &mut self.sets;
        let is_new = found.owner != found.key.get();
        // Another counter of the same act may have taken the slot.
        let is_taken = sets.owner(found.place) != found.owner;
        let place = match is_taken {
            false => Some(found.place),
            true => sets.find(found.key).or_else(|| sets.room(found.key, now)).or_else(|| sets.victim(found.key, now)),
        };
        let Some(place) = place else { return };
        let is_lost = is_new && sets.owner(place) != 0 && !sets.read(place).is_over(now);
        sets.write(place, found.key, entry);
        self.tally.forgotten += u64::from(is_lost);
    }
}

impl Found {
    fn at(sets: &Sets, place: Place, key: Key, area: Area, counter: &Counter) -> Self {
        let owner = sets.owner(place);
        let entry = if owner == key.get() { sets.read(place) } else { Entry::new(counter.period_seconds) };
        Self { key, area, place, owner, entry }
    }

    /// Whether this is to be written: something was counted, or what stands there is not true any more (the clock was set back,
    /// or the policy changed). Windows that only moved on are not worth a slot.
    fn differs(&self, entry: &Entry) -> bool {
        let stored = &self.entry;
        let is_repaired = entry.until < stored.until || entry.slide.window < stored.slide.window;
        let has_counted = entry.slide.current > if entry.slide.window == stored.slide.window { stored.slide.current } else { 0 };
        is_repaired || has_counted || entry.until > stored.until
    }
}

fn held_kind(check: &Check, entry: &Entry) -> Option<HeldKind> {
    match check.counter.period_seconds {
        0 => Some(HeldKind::InFlight),
        _ => check.to_origin.then_some(HeldKind::ToOrigin { window: entry.slide.window }),
    }
}

fn answer(check: &Check, outcome: Outcome, entry: &Entry, at: Option<Now>, held: Option<Held>, now: Timestamp) -> Checked {
    let Some(at) = at else {
        let remaining = check.limit.saturating_sub(entry.slide.current);
        return Checked { outcome, remaining, wait_micros: 0, reset_micros: 0, held };
    };
    let wait = || {
        let punished = u64::try_from(entry.until.since(now).as_micros()).unwrap_or(u64::MAX);
        punished.max(at.wait(check.limit, check.test))
    };
    Checked {
        outcome,
        remaining: if outcome == Outcome::Fits { at.remaining(check.limit) } else { 0 },
        wait_micros: if outcome == Outcome::Fits { 0 } else { wait() },
        reset_micros: at.window_rest(),
        held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// A limit of `limit` in ten seconds on this key, whose address has this bucket.
    fn check(key: u64, overflow: u64, limit: u32) -> Check {
        let counter = Counter { key: Key::new(key), overflow: Key::new(overflow), period_seconds: 10 };
        Check { counter, limit, test: Test::Counting, mitigation_seconds: 0, stops: true, to_origin: false }
    }

    fn decide(counters: &Counters, checks: &[Check], now: Timestamp) -> Vec<Checked> {
        match counters.decide(&StateStep { checks: checks.into() }, now) {
            StateAnswer::Checked(checked) => checked.into_vec(),
            StateAnswer::Failed => panic!("the counters are always there"),
        }
    }

    fn outcome(counters: &Counters, check: Check, now: Timestamp) -> Outcome {
        decide(counters, &[check], now)[0].outcome
    }

    /// Keys in the one shard and set of the smallest table.
    fn fill(counters: &Counters, mitigation_seconds: u32, limit: u32) {
        for number in 0..30_000 {
            let key = number << 40 | number << 8 | number >> 8;
            decide(counters, &[Check { mitigation_seconds, ..check(key, 1 << 30 | number, limit) }], at(100));
        }
    }

    #[test]
    fn one_limit_that_stops_a_request_keeps_the_others_from_counting_it() {
        let counters = Counters::new(0);
        let (tight, wide) = (check(1 << 56 | 1, 1, 1), check(2 << 56 | 2, 1, 5));
        let outcomes = |checked: Vec<Checked>| checked.iter().map(|one| (one.outcome, one.remaining)).collect::<Vec<_>>();
        assert_eq!(outcomes(decide(&counters, &[tight, wide], at(100))), [(Outcome::Fits, 0), (Outcome::Fits, 4)]);
        assert_eq!(outcomes(decide(&counters, &[tight, wide], at(101))), [(Outcome::Exceeds, 0), (Outcome::Fits, 4)]);
        let logged = Check { stops: false, ..tight };
        assert_eq!(outcomes(decide(&counters, &[logged, wide], at(102))), [(Outcome::Exceeds, 0), (Outcome::Fits, 3)]);
    }

    #[test]
    fn an_excess_is_punished_for_its_time_and_no_longer() {
        let counters = Counters::new(0);
        let punished = Check { mitigation_seconds: 60, ..check(5, 1, 1) };
        let seen = |seconds| outcome(&counters, punished, at(seconds));
        assert_eq!(
            [100, 101, 102, 160, 161].map(seen),
            [Outcome::Fits, Outcome::Exceeds, Outcome::Mitigated, Outcome::Mitigated, Outcome::Fits]
        );
        let answer = decide(&counters, &[punished], at(162))[0];
        assert_eq!((answer.outcome, answer.wait_micros), (Outcome::Exceeds, 60_000_000));
        assert_eq!(
            outcome(&counters, Check { mitigation_seconds: 0, ..punished }, at(200)),
            Outcome::Fits,
            "the policy forgave it"
        );
    }

    #[test]
    fn a_clock_set_back_an_hour_keeps_what_was_counted_and_it_slides_out_in_the_new_time() {
        let counters = Counters::new(0);
        let seen = [13_600, 13_600, 10_000, 10_009, 10_020].map(|seconds| outcome(&counters, check(5, 1, 1), at(seconds)));
        assert_eq!(seen, [Outcome::Fits, Outcome::Exceeds, Outcome::Exceeds, Outcome::Exceeds, Outcome::Fits]);
    }

    #[test]
    fn a_clock_set_back_an_hour_prolongs_no_mitigation() {
        let counters = Counters::new(0);
        let punished = Check { mitigation_seconds: 60, ..check(5, 1, 1) };
        for now in [10_000, 10_000] {
            outcome(&counters, punished, at(now));
        }
        assert_eq!(outcome(&counters, punished, at(6_400)), Outcome::Mitigated);
        assert_eq!(decide(&counters, &[punished], at(6_400))[0].wait_micros, 60_000_000);
        assert_eq!(outcome(&counters, punished, at(6_459)), Outcome::Mitigated);
        assert_eq!(outcome(&counters, punished, at(6_460)), Outcome::Fits);
    }

    #[test]
    fn requests_in_flight_are_given_back_once_each() {
        let counters = Counters::new(0);
        let mut two = check(9, 1, 2);
        two.counter.period_seconds = 0;
        let held: Vec<_> = (0..2).map(|_| decide(&counters, &[two], at(100))[0].held.unwrap()).collect();
        let third = decide(&counters, &[two], at(100))[0];
        assert_eq!((third.outcome, third.held), (Outcome::Exceeds, None));
        counters.release(&held[0], true);
        assert_eq!(outcome(&counters, two, at(100)), Outcome::Fits);
    }

    #[test]
    fn when_it_is_full_new_keys_share_a_bucket_per_prefix_and_old_ones_stay_exact() {
        let counters = Counters::new(0);
        fill(&counters, 0, 100);
        let usage = counters.usage();
        assert!(usage.keys <= usage.capacity && usage.bytes <= MIN_BYTES, "{usage:?}");
        assert!(usage.tally.overflowed > 0 && usage.tally.forgotten > 0 && usage.tally.no_room == 0, "{usage:?}");
        // No room for these two: they meet in the bucket of their address.
        let (one, other) = (check(77, 4_444, 1), check(78, 4_444, 1));
        assert_eq!(outcome(&counters, one, at(100)), Outcome::Fits);
        assert_eq!(outcome(&counters, other, at(100)), Outcome::Exceeds);
        assert_eq!(outcome(&counters, check(79, 5_555, 1), at(100)), Outcome::Fits, "another prefix");
        assert_eq!(outcome(&counters, other, at(120)), Outcome::Fits, "room again");
        assert_eq!(counters.usage().bytes, usage.bytes);
    }

    #[test]
    fn a_flood_of_keys_frees_nobody_who_is_under_mitigation() {
        let counters = Counters::new(0);
        let punished = Check { mitigation_seconds: 600, ..check(5, 1, 1) };
        for _ in 0..2 {
            outcome(&counters, punished, at(100));
        }
        fill(&counters, 600, 0);
        let tally = counters.usage().tally;
        assert!(tally.overflowed > 0 && tally.no_room == 0, "every own slot is under mitigation, no bucket is: {tally:?}");
        assert_eq!(outcome(&counters, punished, at(699)), Outcome::Mitigated);
    }

    #[test]
    fn nobody_is_punished_for_a_neighbour_in_the_same_bucket() {
        let counters = Counters::new(0);
        fill(&counters, 600, 0);
        let shared = |key| Check { mitigation_seconds: 600, ..check(key, 4_444, 1) };
        assert_eq!(outcome(&counters, shared(77), at(100)), Outcome::Fits);
        assert_eq!(outcome(&counters, shared(78), at(100)), Outcome::Exceeds);
        assert_eq!(outcome(&counters, shared(77), at(120)), Outcome::Fits, "the window is over, and nothing lasts longer");
    }

    #[test]
    fn only_requests_in_flight_can_leave_no_room() {
        let counters = Counters::new(0);
        for number in 0..30_000 {
            let key = number << 40 | number << 8 | number >> 8;
            let mut busy = check(key, 1 << 30 | number, 1);
            busy.counter.period_seconds = 0;
            decide(&counters, &[busy], at(100));
        }
        assert!(counters.usage().tally.no_room > 0);
    }

    #[test]
    fn mitigations_go_over_to_another_process_with_their_rest() {
        let (old, new) = (Counters::new(0), Counters::new(DEFAULT_BYTES));
        let punished = Check { mitigation_seconds: 60, ..check(5, 1, 1) };
        for _ in 0..2 {
            outcome(&old, punished, at(100));
        }
        outcome(&old, check(6, 1, 1), at(100));
        let left = old.mitigations(at(110), 10);
        assert_eq!(left.iter().map(|one| (one.key, one.rest.as_secs())).collect::<Vec<_>>(), [(Key::new(5), 50)]);
        assert!(left.iter().all(|one| new.restore(one, at(5_000))));
        assert_eq!(outcome(&new, punished, at(5_049)), Outcome::Mitigated);
        assert_eq!(outcome(&new, punished, at(5_050)), Outcome::Fits);
        assert!(old.mitigations(at(110), 0).is_empty());
    }

    #[test]
    fn threads_count_every_request_exactly_once() {
        let counters = Counters::default();
        let passed: usize = std::thread::scope(|scope| {
            let run = |seed: u64| {
                let counters = &counters;
                let mut checks = [check(1 << 56 | 1, 1, 500), check(200 << 56 | 2, 1, 700)];
                if seed.is_multiple_of(2) {
                    checks.reverse();
                }
                scope.spawn(move || {
                    let fits = |_: &usize| decide(counters, &checks, at(100)).iter().all(|one| one.outcome == Outcome::Fits);
                    (0..400).filter(fits).count()
                })
            };
            let threads: Vec<_> = (0..4).map(run).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 500);
        assert_eq!(decide(&counters, &[check(200 << 56 | 2, 1, 700)], at(100))[0].remaining, 199);
    }
}
