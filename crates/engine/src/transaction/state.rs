//! What a check needs from the counters outside: steps that read and change a key in one atomic act, and their answers. The
//! driver brings the answers, from memory at once or from a store by awaiting.

use std::sync::Arc;
use std::time::Duration;

/// One atomic step on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateStep {
    /// Unique over the installation: it begins with the zone's id and the rule's.
    pub key: Arc<str>,
    pub change: StateChange,
}

/// What is changed, and so what is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateChange {
    /// Adds to the counter of the current window; a window begins with the first addition. Answers the sum with this addition.
    Add { amount: u64, window: Duration },
}

/// The answer to one step, in the order of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAnswer {
    /// The number after the change.
    Number(u64),
    /// The store is away or too slow: the rule's fail mode applies.
    Failed,
}
