//! The health of upstreams, shared by all serving threads: who failed lately is left out for a while, and comes back by itself; who
//! fails its health checks is left out until it passes them.
//!
//! Takes outcomes of connections and how many requests are under way; gives whether an upstream may be chosen. Sends nothing of its
//! own.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::handover::UpstreamState;

/// Failures in a row after which an upstream is left out.
pub const EJECT_AFTER_FAILURES: u32 = 3;
/// How long it is left out the first time; each further time in a row this much longer.
pub const EJECTION_STEP_MILLIS: u64 = 5_000;
/// The longest it is left out.
pub const MAX_EJECTION_MILLIS: u64 = 60_000;

/// The health of every upstream of every loaded bundle, by upstream key.
pub struct UpstreamHealth {
    started: Instant,
    entries: Mutex<HashMap<String, Entry>>,
    /// What a predecessor left, until the upstream is used for the first time.
    restored: Mutex<HashMap<String, Health>>,
}

/// An upstream as it is named, and what is known of it.
struct Entry {
    url: String,
    health: Arc<Health>,
}

impl Default for UpstreamHealth {
    fn default() -> Self {
        UpstreamHealth { started: Instant::now(), entries: Mutex::default(), restored: Mutex::default() }
    }
}

impl UpstreamHealth {
    /// The entry of one upstream. Entries that no thread uses any more are dropped here, so the table is bounded by
    /// the upstreams of the bundles in use.
    pub fn of(&self, key: &str, url: &str) -> Arc<Health> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|k, entry| k == key || Arc::strong_count(&entry.health) > 1);
        let restored = || self.restored.lock().unwrap_or_else(PoisonError::into_inner).remove(key).unwrap_or_default();
        let new = || Entry { url: url.to_owned(), health: Arc::new(restored()) };
        entries.entry(key.to_owned()).or_insert_with(new).health.clone()
    }

    /// Milliseconds on the clock that ejections are measured with.
    pub fn now_millis(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Every upstream that something is held against, for a successor of this process.
    pub fn states(&self) -> Vec<UpstreamState> {
        let now = self.now_millis();
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter_map(|(key, entry)| entry.health.state(key, now)).collect()
    }

    /// Begins with what a predecessor held against upstreams.
    pub fn restore(&self, states: &[UpstreamState]) {
        let now = self.now_millis();
        let mut restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        restored.extend(states.iter().map(|state| (state.key.clone(), Health::restored(state, now))));
    }

    /// How many upstreams are left out at this moment.
    pub fn ejected(&self) -> usize {
        let now = self.now_millis();
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().filter(|entry| entry.health.is_ejected(now)).count()
    }

    /// The URLs of the upstreams that fail their health checks.
    pub fn failing(&self) -> BTreeSet<String> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().filter(|entry| entry.health.is_failing()).map(|entry| entry.url.clone()).collect()
    }

    /// Requests under way by the upstream's URL.
    pub fn in_flight(&self) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for entry in self.entries.lock().unwrap_or_else(PoisonError::into_inner).values() {
            *all.entry(entry.url.clone()).or_default() += entry.health.in_flight();
        }
        all
    }
}

/// One upstream's health.
#[derive(Default)]
pub struct Health {
    failures: AtomicU32,
    ejections: AtomicU32,
    ejected_until_millis: AtomicU64,
    in_flight: AtomicUsize,
    objections: AtomicU32,
}

impl Health {
    /// Whether it is left out now. After its time it is chosen again: the next transaction is the probe.
    pub fn is_ejected(&self, now_millis: u64) -> bool {
        self.ejected_until_millis.load(Relaxed) > now_millis
    }

    /// Whether a health check says that it is down.
    pub fn is_failing(&self) -> bool {
        self.objections.load(Relaxed) > 0
    }

    /// Whether nothing is held against it, neither by requests nor by checks.
    pub fn is_healthy(&self, now_millis: u64) -> bool {
        !self.is_ejected(now_millis) && !self.is_failing()
    }

    fn state(&self, key: &str, now_millis: u64) -> Option<UpstreamState> {
        let failures = self.failures.load(Relaxed);
        let ejections = self.ejections.load(Relaxed);
        let ejected_for_millis = self.ejected_until_millis.load(Relaxed).saturating_sub(now_millis);
        (failures > 0 || ejections > 0).then(|| UpstreamState { key: key.to_owned(), failures, ejections, ejected_for_millis })
    }

    fn restored(state: &UpstreamState, now_millis: u64) -> Health {
        Health {
            failures: state.failures.into(),
            ejections: state.ejections.into(),
            ejected_until_millis: (now_millis + state.ejected_for_millis.min(MAX_EJECTION_MILLIS)).into(),
            in_flight: AtomicUsize::new(0),
            objections: AtomicU32::new(0),
        }
    }

    /// Requests under way, upgraded connections included.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// A request goes out.
    pub fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// A request ended, one way or the other.
    pub fn end(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// It answered: whatever was held against it is forgotten.
    pub fn succeeded(&self) {
        if self.failures.load(Relaxed) != 0 || self.ejections.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            self.ejections.store(0, Relaxed);
            self.ejected_until_millis.store(0, Relaxed);
        }
    }

    /// It did not answer. Returns whether this failure ejected it; a probe that fails ejects at once.
    pub fn failed(&self, now_millis: u64) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        let was_ejected = self.ejections.load(Relaxed) > 0;
        if (failures < EJECT_AFTER_FAILURES && !was_ejected) || self.is_ejected(now_millis) {
            return false;
        }
        let ejections = u64::from(self.ejections.fetch_add(1, Relaxed)) + 1;
        let pause = EJECTION_STEP_MILLIS.saturating_mul(ejections).min(MAX_EJECTION_MILLIS);
        self.ejected_until_millis.store(now_millis + pause, Relaxed);
        true
    }
}

/// What one health check holds against an upstream. Withdrawn when dropped: a check that ends says nothing any more. Several zones
/// may check the same upstream; it is healthy when none objects.
pub struct Objection {
    health: Arc<Health>,
    is_raised: Cell<bool>,
}

impl Objection {
    /// None yet.
    pub fn new(health: Arc<Health>) -> Objection {
        Objection { health, is_raised: Cell::new(false) }
    }

    /// Raises or withdraws it.
    pub fn set(&self, is_raised: bool) {
        match (self.is_raised.replace(is_raised), is_raised) {
            (false, true) => drop(self.health.objections.fetch_add(1, Relaxed)),
            (true, false) => drop(self.health.objections.fetch_sub(1, Relaxed)),
            _ => {}
        }
    }
}

impl Drop for Objection {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_eject_and_one_success_forgives() {
        let health = Health::default();
        assert!(!health.failed(0));
        assert!(!health.failed(0));
        health.succeeded();
        assert!(!health.failed(0));
        assert!(!health.failed(0));
        assert!(health.failed(0));
        assert!(health.is_ejected(EJECTION_STEP_MILLIS - 1));
        assert!(!health.is_ejected(EJECTION_STEP_MILLIS));
    }

    #[test]
    fn a_failed_probe_ejects_for_longer_up_to_a_bound() {
        let health = Health::default();
        for _ in 0..EJECT_AFTER_FAILURES {
            health.failed(0);
        }
        let mut now = EJECTION_STEP_MILLIS;
        assert!(health.failed(now));
        assert!(health.is_ejected(now + 2 * EJECTION_STEP_MILLIS - 1));
        for _ in 0..50 {
            now += MAX_EJECTION_MILLIS;
            health.failed(now);
            assert!(!health.is_ejected(now + MAX_EJECTION_MILLIS));
        }
    }

    #[test]
    fn an_upstream_is_healthy_when_no_check_objects() {
        let table = UpstreamHealth::default();
        let health = table.of("a", "http://a");
        let (one, other) = (Objection::new(health.clone()), Objection::new(health.clone()));
        one.set(true);
        one.set(true);
        other.set(true);
        one.set(false);
        assert!(!health.is_healthy(0));
        assert_eq!(table.failing().into_iter().collect::<Vec<_>>(), ["http://a"]);
        drop(other);
        assert!(health.is_healthy(0));
    }

    #[test]
    fn entries_of_dropped_upstreams_are_forgotten() {
        let table = UpstreamHealth::default();
        let kept = table.of("a", "http://a");
        drop(table.of("b", "http://b"));
        drop(table.of("a", "http://a"));
        assert_eq!(table.entries.lock().unwrap().len(), 1);
        drop(kept);
    }
}
