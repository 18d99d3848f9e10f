//! One gateway per state directory: `run/gateway.lock`, held until the process ends.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::files::{Lock, LockFailure};

/// Others look at the lock for an instant to see whether a gateway runs; that must not keep one from starting.
const PATIENCE: Duration = Duration::from_millis(300);

/// Takes the lock of this state directory.
///
/// # Errors
/// A sentence saying who holds it, or why it cannot be taken.
pub fn lock(config: &Config) -> Result<Lock, String> {
    let path = config.state_path("run/gateway.lock");
    fs::create_dir_all(config.state_path("run")).map_err(|error| format!("{}: {error}", config.state_path("run").display()))?;
    let started = Instant::now();
    loop {
        match Lock::try_take(&path, &std::process::id().to_string()) {
            Ok(lock) => return Ok(lock),
            Err(LockFailure::Io(error)) => return Err(format!("{}: {error}", path.display())),
            Err(LockFailure::Held(by)) if started.elapsed() >= PATIENCE => {
                return Err(format!("a gateway with process id {by} already uses {}", config.state_dir.display()));
            }
            Err(LockFailure::Held(_)) => thread::sleep(Duration::from_millis(20)),
        }
    }
}
