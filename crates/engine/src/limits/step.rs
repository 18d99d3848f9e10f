//! What a transaction asks of the counters and what they answer: plain data, so that a store in another process can do the same.
//! All limits that one request meets in one phase are one step, decided and counted in one atomic act.

use smallvec::SmallVec;

use super::key::Key;
use super::slide::Test;

/// One atomic act: every check is decided first; then, unless one of those that stop the request is exceeded, everything that
/// counts and fits is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateStep {
    pub checks: SmallVec<[Check; 4]>,
}

/// The counter that a limit keeps for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    pub key: Key,
    /// The bucket that is used when there is no room for `key`.
    pub overflow: Key,
    /// The sliding window; 0: requests in flight.
    pub period_seconds: u32,
}

/// One limit's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub counter: Counter,
    /// What may be counted in a window, or be in flight.
    pub limit: u32,
    /// Whether this request is counted here, or only checked.
    pub test: Test,
    /// How long an excess keeps this key from passing; 0: only the excess is stopped.
    pub mitigation_seconds: u32,
    /// An excess stops the request: then none of the step counts it.
    pub stops: bool,
    /// It is given back when the request does not go upstream.
    pub to_origin: bool,
}

/// The answer to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateAnswer {
    /// One for each check, in their order.
    Checked(SmallVec<[Checked; 4]>),
    /// The store is away or too slow: each limit's fail mode applies.
    Failed,
}

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    pub outcome: Outcome,
    /// How many more fit now.
    pub remaining: u32,
    /// Microseconds until one fits again; 0 when this one does.
    pub wait_micros: u64,
    /// Microseconds to the end of the running window.
    pub reset_micros: u64,
    /// What has to be given back when the request ends.
    pub held: Option<Held>,
}

/// Whether the request fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Fits,
    /// It is over the limit.
    Exceeds,
    /// An earlier excess is still being punished.
    Mitigated,
    /// There is no room for its counter, nor for its overflow bucket: the limit's fail mode applies.
    NoRoom,
}

/// One count that ends with its request. Giving it back twice would take another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub(super) key: Key,
    pub(super) area: Area,
    pub(super) kind: HeldKind,
}

/// What is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldKind {
    InFlight,
    /// Counted in this window, and only given back when the request did not go upstream.
    ToOrigin {
        window: u32,
    },
}

/// Where a counter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Area {
    Own,
    Overflow,
}

/// Something to be counted after the response is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub counter: Counter,
    pub amount: u32,
}
