//! How often a zone's requests may be sent again: an account that each request pays into and each retry draws from, shared by all
//! serving threads. Without it, retries would multiply the load of upstreams that are in trouble already.
//!
//! Knows nothing of what is retried; whether that is safe is decided elsewhere.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use engine::RetrySettings;

/// What one retry costs; a request pays in as many as the budget's percentage.
const RETRY: i64 = 100;
/// Retries that can be saved up: after a quiet time, no more than these go out at once.
const MAX_SAVED: i64 = 100 * RETRY;
/// An account begins with what the minimum gives in this time.
const FIRST_MILLIS: u64 = 10_000;

/// The accounts of the zones in use, by zone id.
#[derive(Default)]
pub struct RetryBudgets {
    entries: Mutex<HashMap<String, Arc<RetryBudget>>>,
}

impl RetryBudgets {
    /// The account of a zone. Accounts that no thread uses any more are dropped here.
    pub fn of(&self, zone: &str, settings: RetrySettings, now_millis: u64) -> Arc<RetryBudget> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|id, budget| id == zone || Arc::strong_count(budget) > 1);
        entries.entry(zone.to_owned()).or_insert_with(|| Arc::new(RetryBudget::new(settings, now_millis))).clone()
    }
}

/// One zone's account, in hundredths of a retry.
pub struct RetryBudget {
    saved: AtomicI64,
    refilled_millis: AtomicU64,
}

impl RetryBudget {
    fn new(settings: RetrySettings, now_millis: u64) -> RetryBudget {
        let saved = by_time(settings, FIRST_MILLIS).min(MAX_SAVED);
        RetryBudget { saved: saved.into(), refilled_millis: now_millis.into() }
    }

    /// A request goes out for the first time. A full account is only read.
    pub fn pay_in(&self, settings: RetrySettings) {
        if self.saved.load(Relaxed) < MAX_SAVED {
            self.saved.fetch_add(settings.budget_percent.into(), Relaxed);
        }
    }

    /// Whether a request may go out again.
    pub fn draw(&self, settings: RetrySettings, now_millis: u64) -> bool {
        self.refill(settings, now_millis);
        self.saved.fetch_update(Relaxed, Relaxed, |saved| (saved >= RETRY).then_some(saved - RETRY)).is_ok()
    }

    /// Adds what the minimum gives for the time since the last look. Two threads never add for the same time.
    fn refill(&self, settings: RetrySettings, now_millis: u64) {
        let since = self.refilled_millis.load(Relaxed);
        let added = by_time(settings, now_millis.saturating_sub(since));
        if added == 0 || self.refilled_millis.compare_exchange(since, now_millis, Relaxed, Relaxed).is_err() {
            return;
        }
        let _ = self.saved.fetch_update(Relaxed, Relaxed, |saved| Some((saved + added).min(MAX_SAVED.max(saved))));
    }
}

fn by_time(settings: RetrySettings, millis: u64) -> i64 {
    let hundredths = millis.saturating_mul(settings.min_per_second.into()).saturating_mul(RETRY as u64) / 1_000;
    i64::try_from(hundredths).unwrap_or(MAX_SAVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(budget: &RetryBudget, settings: RetrySettings, now_millis: u64) -> usize {
        (0..1_000).take_while(|_| budget.draw(settings, now_millis)).count()
    }

    #[test]
    fn requests_pay_for_their_share_of_retries() {
        let settings = RetrySettings { budget_percent: 20, min_per_second: 0 };
        let budget = RetryBudget::new(settings, 0);
        assert_eq!(drawn(&budget, settings, 0), 0);
        (0..50).for_each(|_| budget.pay_in(settings));
        assert_eq!(drawn(&budget, settings, 0), 10);
        (0..10_000).for_each(|_| budget.pay_in(settings));
        assert_eq!(drawn(&budget, settings, 0), 100, "what is saved up is bounded");
    }

    #[test]
    fn the_minimum_is_there_without_requests() {
        let settings = RetrySettings { budget_percent: 0, min_per_second: 3 };
        let budget = RetryBudget::new(settings, 0);
        assert_eq!(drawn(&budget, settings, 0), 30);
        assert_eq!(drawn(&budget, settings, 1_000), 3);
        assert_eq!(drawn(&budget, settings, 1_100), 0);
        assert_eq!(drawn(&budget, settings, 3_600_000), 100);
    }

    #[test]
    fn accounts_of_dropped_zones_are_forgotten() {
        let budgets = RetryBudgets::default();
        let kept = budgets.of("a", RetrySettings::default(), 0);
        drop(budgets.of("b", RetrySettings::default(), 0));
        drop(budgets.of("a", RetrySettings::default(), 0));
        assert_eq!(budgets.entries.lock().unwrap().len(), 1);
        drop(kept);
    }
}
