//! All counters of a process, in a fixed piece of memory behind many small locks. Takes steps and the time, gives answers; no
//! clock, no I/O. What it does when it is full: a slot whose windows are over is taken over; is there none, new keys share an
//! overflow bucket per limit and address prefix; is there no room for a bucket either, the one that counted least is forgotten.
//! Keys under mitigation and requests in flight are never forgotten.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

use super::key::Key;
use super::sets::{Entry, Sets};
use super::slide::Test;
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
    pub is_overflow: bool,
    pub period_seconds: u32,
    pub rest: Duration,
}

impl Default for Counters {
    fn default() -> Self {
        Self::new(DEFAULT_BYTES)
    }
}

impl Counters {
    /// Nothing counted; never more than `bytes`, at least [`MIN_BYTES`], plus 25 KiB.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let overflow = bytes.max(MIN_BYTES) / OVERFLOW_SHARE;
        let own = bytes.max(MIN_BYTES) - overflow;
        let shard = |bytes| Shard(Mutex::new(Guarded { sets: Sets::new(bytes), tally: Tally::default() }));
        let own = (0..OWN_SHARDS).map(|_| shard(own / OWN_SHARDS));
        Self { shards: own.chain((0..OVERFLOW_SHARDS).map(|_| shard(overflow / OVERFLOW_SHARDS))).collect() }
    }

    /// Decides and counts, in one atomic act; see [`StateStep`].
    #[must_use]
    pub fn decide(&self, step: &StateStep, now: Timestamp) -> StateAnswer {
        let mut locked = Locked::new(self);
        locked.lock(step.checks.iter().map(|check| Area::Own.shard(check.counter.key)).collect());
        let full: SmallVec<[usize; 4]> = step
            .checks
            .iter()
            .filter(|check| !locked.has_own(&check.counter, now))
            .map(|check| Area::Overflow.shard(check.counter.overflow))
            .collect();
        locked.lock(full);
        let seen: SmallVec<[Seen; 2]> = step.checks.iter().map(|check| locked.see(check, now)).collect();
        let is_stopped = step.checks.iter().zip(&seen).any(|(check, seen)| check.stops && seen.is_excess());
        let checked = step.checks.iter().zip(&seen).map(|(check, seen)| locked.settle(check, seen, is_stopped, now));
        StateAnswer::Checked(checked.collect())
    }

    /// Counts what only the response told.
    pub fn count(&self, count: &Count, now: Timestamp) {
        let Count { counter, amount } = count;
        let mut locked = Locked::new(self);
        locked.lock(SmallVec::from_slice(&[Area::Own.shard(counter.key)]));
        if !locked.has_own(counter, now) {
            locked.lock(SmallVec::from_slice(&[Area::Overflow.shard(counter.overflow)]));
        }
        let Some(found) = locked.find(counter, now) else { return };
        let slide = found.entry.slide.at(now, counter.period_seconds).slide.plus(*amount);
        locked.write(&found, &Entry { slide, ..found.entry }, now);
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
        for (index, shard) in self.shards.iter().enumerate() {
            let shard = shard.lock();
            let running = shard.sets.entries().filter(|(_, entry)| entry.until > now).map(|(key, entry)| Mitigation {
                key,
                is_overflow: index >= OWN_SHARDS,
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
        let area = if mitigation.is_overflow { Area::Overflow } else { Area::Own };
        let mut shard = self.shards[area.shard(key)].lock();
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

/// What a check found before anything was counted.
struct Seen {
    outcome: Outcome,
    found: Option<Found>,
}

impl Seen {
    fn is_excess(&self) -> bool {
        matches!(self.outcome, Outcome::Exceeds | Outcome::Mitigated)
    }
}

/// A counter as it stands, in the area that it belongs to; perhaps nothing yet.
struct Found {
    key: Key,
    area: Area,
    entry: Entry,
    /// The clock was set back, or the policy changed: what stands there is not true any more.
    is_repaired: bool,
}

/// The shards that one act holds, by ascending index: two acts never wait for each other in a circle.
struct Locked<'c> {
    counters: &'c Counters,
    held: SmallVec<[(usize, MutexGuard<'c, Guarded>); 4]>,
}

impl<'c> Locked<'c> {
    fn new(counters: &'c Counters) -> Self {
        Self { counters, held: SmallVec::new() }
    }

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

    /// Whether the key has a counter of its own, or room for one.
    fn has_own(&mut self, counter: &Counter, now: Timestamp) -> bool {
        let sets = &self.shard(Area::Own, counter.key).sets;
        sets.find(counter.key).is_some() || sets.room(counter.key, now).is_some()
    }

    fn find(&mut self, counter: &Counter, now: Timestamp) -> Option<Found> {
        let is_own = self.has_own(counter, now);
        let (area, key) = if is_own { (Area::Own, counter.key) } else { (Area::Overflow, counter.overflow) };
        let shard = self.shard(area, key);
        shard.tally.overflowed += u64::from(!is_own);
        let entry = shard.sets.find(key).map(|place| shard.sets.read(place));
        let has_place = is_own || entry.is_some() || shard.sets.victim(key, now).is_some();
        if !has_place {
            shard.tally.no_room += 1;
        }
        has_place.then(|| Found {
            key,
            area,
            entry: entry.unwrap_or_else(|| Entry::new(counter.period_seconds)),
            is_repaired: false,
        })
    }

    fn see(&mut self, check: &Check, now: Timestamp) -> Seen {
        let found = self.find(&check.counter, now).map(|found| found.as_of(check, now));
        let outcome = match &found {
            None => Outcome::NoRoom,
            Some(found) if found.entry.until > now => Outcome::Mitigated,
            Some(found) if !fits(&found.entry, check, now) => Outcome::Exceeds,
            Some(_) => Outcome::Fits,
        };
        Seen { outcome, found }
    }

    /// Counts what is to be counted, begins a mitigation, and answers.
    fn settle(&mut self, check: &Check, seen: &Seen, is_stopped: bool, now: Timestamp) -> Checked {
        let outcome = seen.outcome;
        let Some(found) = &seen.found else {
            return Checked { outcome, remaining: 0, wait_micros: 0, reset_micros: 0, held: None };
        };
        let mut entry = found.entry;
        let mut held = None;
        if outcome == Outcome::Exceeds && check.mitigation_seconds > 0 {
            entry.until = now.plus(Duration::from_secs(check.mitigation_seconds.into()));
        } else if outcome == Outcome::Fits && check.test == Test::Counting && !is_stopped {
            entry.slide = entry.slide.plus(1);
            held = held_kind(check, &entry).map(|kind| Held { key: found.key, area: found.area, kind });
        }
        let tally = &mut self.shard(found.area, found.key).tally;
        tally.checks += 1;
        tally.exceeded += u64::from(seen.is_excess());
        tally.mitigations += u64::from(entry.until > found.entry.until);
        if entry != found.entry || found.is_repaired {
            self.write(found, &entry, now);
        }
        answer(check, outcome, &entry, held, now)
    }

    fn write(&mut self, found: &Found, entry: &Entry, now: Timestamp) {
        let shard = self.shard(found.area, found.key);
        let known = shard.sets.find(found.key).or_else(|| shard.sets.room(found.key, now));
        let place = known.or_else(|| {
            let victim = shard.sets.victim(found.key, now);
            shard.tally.forgotten += u64::from(victim.is_some());
            victim
        });
        if let Some(place) = place {
            shard.sets.write(place, found.key, entry);
        }
    }
}

impl Found {
    /// With its windows moved on. A mitigation never lasts longer than the limit says now: the clock was set back, or the policy
    /// changed.
    fn as_of(self, check: &Check, now: Timestamp) -> Self {
        let stored = self.entry;
        let until = stored.until.min(now.plus(Duration::from_secs(check.mitigation_seconds.into())));
        let slide = match check.counter.period_seconds {
            0 => stored.slide,
            period => stored.slide.at(now, period).slide,
        };
        let is_repaired = until < stored.until || slide.window < stored.slide.window;
        Self { entry: Entry { until, slide, ..stored }, is_repaired, ..self }
    }
}

fn fits(entry: &Entry, check: &Check, now: Timestamp) -> bool {
    match check.counter.period_seconds {
        0 => entry.slide.current < check.limit,
        period => entry.slide.at(now, period).fits(check.limit, check.test),
    }
}

fn held_kind(check: &Check, entry: &Entry) -> Option<HeldKind> {
    match check.counter.period_seconds {
        0 => Some(HeldKind::InFlight),
        _ => check.to_origin.then_some(HeldKind::ToOrigin { window: entry.slide.window }),
    }
}

fn answer(check: &Check, outcome: Outcome, entry: &Entry, held: Option<Held>, now: Timestamp) -> Checked {
    if check.counter.period_seconds == 0 {
        let remaining = check.limit.saturating_sub(entry.slide.current);
        return Checked { outcome, remaining, wait_micros: 0, reset_micros: 0, held };
    }
    let slide = entry.slide.at(now, check.counter.period_seconds);
    let punished = u64::try_from(entry.until.since(now).as_micros()).unwrap_or(u64::MAX);
    Checked {
        outcome,
        remaining: if outcome == Outcome::Fits { slide.remaining(check.limit) } else { 0 },
        wait_micros: punished.max(slide.wait(check.limit, check.test)),
        reset_micros: slide.window_rest(),
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
        assert!(counters.usage().tally.no_room > 0, "every slot is under mitigation");
        assert_eq!(outcome(&counters, punished, at(699)), Outcome::Mitigated);
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
