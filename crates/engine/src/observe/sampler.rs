//! Which transactions are sampled for observations. Every operation gets its first transactions of a minute, then a share; no session gets
//! more than its own budget. Fixed tables of atomics without locks: two that share a cell share a budget, nothing grows.

use std::sync::atomic::{AtomicU64, Ordering};

use super::literals::mix;
use crate::bundle::ObserveSettings;
use crate::hash::Hash64;
use crate::timestamp::Timestamp;

const OPERATION_CELLS: usize = 1 << 14;
const SESSION_CELLS: usize = 1 << 16;

/// Budgets per operation and minute, and per session, operation and minute; 640 KiB, shared by all serving threads.
pub struct Sampler {
    operations: Budgets,
    sessions: Budgets,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { operations: Budgets::new(OPERATION_CELLS), sessions: Budgets::new(SESSION_CELLS) }
    }
}

impl Sampler {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decides for one transaction with 64 random bits. Gives the probability with which it was sampled, 0 when it is not: 1 while the
    /// operation's minute is young, then `settings.probability`.
    pub fn decide(&self, operation: u64, session: Hash64, settings: &ObserveSettings, now: Timestamp, dice: u64) -> f32 {
        let minute = minute_of(now);
        let session = mix(operation ^ session.0.rotate_left(17));
        if self.sessions.used(session, minute) >= settings.per_session_per_minute {
            return 0.0;
        }
        let probability =
            if self.operations.take(mix(operation), minute, settings.full_per_minute) { 1.0 } else { settings.probability };
        let drawn = (dice >> 40) as f32 / (1_u64 << 24) as f32;
        if drawn < probability && self.sessions.take(session, minute, settings.per_session_per_minute) {
            probability
        } else {
            0.0
        }
    }
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sampler(..)")
    }
}

fn minute_of(now: Timestamp) -> u32 {
    (now.micros() / 60_000_000) as u32
}

/// Counters, each a minute (high half) and what was used in it (low half).
struct Budgets {
    cells: Box<[AtomicU64]>,
}

impl Budgets {
    fn new(cells: usize) -> Self {
        Self { cells: (0..cells).map(|_| AtomicU64::new(0)).collect() }
    }

    fn used(&self, key: u64, minute: u32) -> u32 {
        used_in(self.cell(key).load(Ordering::Relaxed), minute)
    }

    /// Takes one of `budget` in this minute; false when they are used up. A used-up cell is only read, so threads do not contend.
    fn take(&self, key: u64, minute: u32, budget: u32) -> bool {
        let next = |cell| {
            let used = used_in(cell, minute);
            (used < budget).then(|| u64::from(minute) << 32 | u64::from(used + 1))
        };
        self.cell(key).fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    fn cell(&self, key: u64) -> &AtomicU64 {
        &self.cells[key as usize % self.cells.len()]
    }
}

fn used_in(cell: u64, minute: u32) -> u32 {
    if (cell >> 32) as u32 == minute { cell as u32 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: ObserveSettings = ObserveSettings {
        probability: 0.1,
        full_per_minute: 60,
        per_session_per_minute: 30,
        max_leaves: 200,
        body_copy_bytes: 65536,
        literal_sessions: 5,
    };

    fn sampled(sampler: &Sampler, operation: u64, sessions: u64, count: u64, minute: i64) -> Vec<f32> {
        let now = Timestamp::from_micros(minute * 60_000_000);
        (0..count)
            .map(|i| sampler.decide(operation, Hash64(mix(i % sessions)), &SETTINGS, now, mix(i + 1)))
            .filter(|probability| *probability > 0.0)
            .collect()
    }

    #[test]
    fn the_first_of_a_minute_are_all_sampled_then_a_share() {
        let got = sampled(&Sampler::new(), 1, 10_000, 10_060, 5);
        assert_eq!(got.iter().filter(|p| **p == 1.0).count(), 60);
        let share = got.len() - 60;
        assert!((800..1200).contains(&share), "{share} of 10,000 at probability 0.1");
    }

    #[test]
    fn one_session_gets_its_budget_and_leaves_the_operation_s() {
        let sampler = Sampler::new();
        assert_eq!(sampled(&sampler, 1, 1, 10_000, 5).len(), 30);
        assert!(sampled(&sampler, 1, 1000, 30, 5).len() >= 28, "the other half of the full budget is left for others");
    }

    #[test]
    fn every_minute_begins_anew_even_when_the_clock_goes_back() {
        let sampler = Sampler::new();
        for minute in [5, 6, 5] {
            assert_eq!(sampled(&sampler, 1, 1, 100, minute).len(), 30);
        }
    }

    #[test]
    fn the_tables_stay_below_a_mebibyte() {
        assert!((OPERATION_CELLS + SESSION_CELLS) * size_of::<AtomicU64>() <= 1 << 20);
    }
}
