//! One gateway per state directory: `run/gateway.lock`, held until the process ends. A successor gets it when its predecessor
//! has ended.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::background::Background;
use crate::config::Config;
use crate::files::{Lock, LockFailure};
use crate::log;

/// Others look at the lock for an instant to see whether a gateway runs; that must not keep one from starting.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often a successor tries.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// The state directory is ours, or will be.
pub enum Claim {
    /// It is.
    Held(#[expect(dead_code, reason = "held, not read")] Lock),
    /// A thread waits for the predecessor to leave.
    Waiting(#[expect(dead_code, reason = "ends with the process")] Background),
}

/// Takes the lock of this state directory. A successor does not wait for it: its predecessor, which holds it, still answers.
///
/// # Errors
/// A sentence saying who holds it, or why it cannot be taken.
pub fn lock(config: &Config) -> Result<Claim, String> {
    let path = config.state_path("run/gateway.lock");
    fs::create_dir_all(config.state_path("run")).map_err(|error| format!("{}: {error}", config.state_path("run").display()))?;
    let started = Instant::now();
    loop {
        match take(&path) {
            Ok(lock) => return Ok(Claim::Held(lock)),
            Err(LockFailure::Io(error)) => return Err(format!("{}: {error}", path.display())),
            Err(LockFailure::Held(by)) if config.predecessor.is_some_and(|process| process.to_string() == by) => {
                return wait(path).map(Claim::Waiting);
            }
            Err(LockFailure::Held(by)) if started.elapsed() >= PATIENCE => {
                return Err(format!("a gateway with process id {by} already uses {}", config.state_dir.display()));
            }
            Err(LockFailure::Held(_)) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn take(path: &std::path::Path) -> Result<Lock, LockFailure> {
    Lock::try_take(path, &std::process::id().to_string())
}

fn wait(path: PathBuf) -> Result<Background, String> {
    let mut held = None;
    Background::start("hoplon-lock", TRY_AGAIN, Arc::default(), move || {
        if held.is_none() {
            held = take(&path).ok();
            if held.is_some() {
                log::info("handover", "the predecessor has ended");
            }
        }
    })
    .map_err(|error| error.to_string())
}
