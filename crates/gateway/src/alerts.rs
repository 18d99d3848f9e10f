//! What needs the operator's attention now: a small table of stable names and sentences, shown by the status file, `/readyz`
//! and the metric `hoplon_alert`. An alert never stops traffic.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The alerts that are raised, by name.
#[derive(Debug, Default)]
pub struct Alerts(Mutex<BTreeMap<&'static str, String>>);

impl Alerts {
    /// Raises an alert, or changes its sentence.
    pub fn raise(&self, name: &'static str, message: String) {
        self.lock().insert(name, message);
    }

    /// Takes an alert back.
    pub fn clear(&self, name: &'static str) {
        self.lock().remove(name);
    }

    /// All that are raised.
    pub fn all(&self) -> BTreeMap<&'static str, String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
