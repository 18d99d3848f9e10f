//! The wall clock and request ids: the engine has neither of its own.

use std::time::{Instant, SystemTime};

use engine::{RequestId, Timestamp};

use crate::worker::Worker;

/// The time now. A clock before 1970 counts as 1970.
pub fn now() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Time that never goes back and never jumps: the wall clock's when it was started, and what passed since. The counters of limits
/// go by it, so that setting the wall clock neither frees nor punishes anybody.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    wall: Timestamp,
    started: Instant,
}

impl Default for SteadyClock {
    fn default() -> SteadyClock {
        SteadyClock::start()
    }
}

impl SteadyClock {
    /// From now on.
    pub fn start() -> SteadyClock {
        SteadyClock { wall: now(), started: Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.wall.plus(self.started.elapsed())
    }
}

/// A new id that sorts by time.
pub fn request_id(now: Timestamp, worker: &Worker) -> RequestId {
    RequestId::new(now, (u128::from(worker.random()) << 64) | u128::from(worker.random()))
}
