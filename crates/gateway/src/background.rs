//! A thread that does one thing again and again, at an interval or when its bell rings, until it is told to stop. A panic of the
//! thing does not end it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::log;

/// Wakes a background thread early, or ends it. Can be rung before the thread starts and by any number of threads.
#[derive(Debug, Default)]
pub struct Bell {
    state: Mutex<BellState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct BellState {
    is_rung: bool,
    is_stopped: bool,
}

impl Bell {
    /// The thread runs its step soon.
    pub fn ring(&self) {
        self.lock().is_rung = true;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }

    /// Waits for the bell or the interval. Returns whether to go on.
    fn wait(&self, interval: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), interval, |state| !state.is_rung && !state.is_stopped);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_rung = false;
        !state.is_stopped
    }

    fn lock(&self) -> MutexGuard<'_, BellState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running thread.
pub struct Background {
    thread: JoinHandle<()>,
    bell: Arc<Bell>,
}

impl Background {
    /// Runs `step` every `interval` and whenever `bell` rings, first after the first of these.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub fn start(
        name: &'static str,
        interval: Duration,
        bell: Arc<Bell>,
        mut step: impl FnMut() + Send + 'static,
    ) -> io::Result<Background> {
        let own = bell.clone();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            while own.wait(interval) {
                if catch_unwind(AssertUnwindSafe(&mut step)).is_err() {
                    log::error("background.panic", &format!("{name} panicked and goes on"));
                }
            }
        })?;
        Ok(Background { thread, bell })
    }

    /// Ends the thread, after the step that runs.
    pub fn stop(self) {
        self.bell.stop();
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_bell_wakes_a_panic_does_not_end_and_stop_ends() {
        let bell = Arc::new(Bell::default());
        let (sender, steps) = mpsc::channel();
        let background = Background::start("test", Duration::from_secs(3600), bell.clone(), move || {
            sender.send(()).unwrap();
            panic!("each time");
        });
        for _ in 0..3 {
            bell.ring();
            steps.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        background.unwrap().stop();
        assert!(steps.recv().is_err());
    }
}
