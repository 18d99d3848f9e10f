//! The wall clock and request ids: the engine has neither of its own.

use std::time::SystemTime;

use engine::{RequestId, Timestamp};

use crate::worker::Worker;

/// The time now. A clock before 1970 counts as 1970.
pub fn now() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A new id that sorts by time.
pub fn request_id(now: Timestamp, worker: &Worker) -> RequestId {
    RequestId::new(now, (u128::from(worker.random()) << 64) | u128::from(worker.random()))
}
