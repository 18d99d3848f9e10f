//! The gateway as a process: starts it, waits for SIGTERM or SIGINT (SIGUSR1 announces a successor), stops it, gives the exit code.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::log;
use crate::server::{Gateway, StartError};

/// Exit codes, as `hoplon` documents them.
const OK: i32 = 0;
const UNUSABLE: i32 = 1;
const IN_USE: i32 = 4;
const INTERNAL: i32 = 5;

/// How often a stop looks whether everything has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Serves until SIGTERM or SIGINT, drains, and returns the exit code. A second signal cuts short what still runs.
/// Blocks the calling thread.
pub fn run(config: Config) -> i32 {
    match serve(config) {
        Ok(()) => OK,
        Err(error) => {
            log::error("start", &error.to_string());
            match error {
                StartError::InUse(_) => IN_USE,
                StartError::Unusable(_) => UNUSABLE,
                StartError::System(_) => INTERNAL,
            }
        }
    }
}

fn serve(config: Config) -> Result<(), StartError> {
    let system = |error: io::Error| StartError::System(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    // Started outside the runtime: what a failed start drops owns a runtime itself, and tokio lets none be dropped inside another.
    let mut signals = {
        let _context = runtime.enter();
        Signals::new().map_err(system)?
    };
    let gateway = Gateway::start(config)?;
    log::info("serving", &format!("{:?}", gateway.addresses()));
    runtime.block_on(async {
        while signals.next().await == Told::Succeeded {
            gateway.announce_successor();
        }
        log::info("stopping", "no new connections; running transactions may end");
        gateway.drain();
        tokio::select! {
            () = drained(&gateway) => {}
            () = signals.stop() => gateway.cut(),
        }
    });
    gateway.stop();
    log::info("stopped", "every record is written");
    Ok(())
}

async fn drained(gateway: &Gateway) {
    while !gateway.is_drained() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What a signal says.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// SIGUSR1: a successor is on its way.
    Succeeded,
    /// SIGTERM, SIGINT: stop.
    Stop,
}

/// The signals that a gateway listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    succeeded: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            succeeded: signal(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.succeeded.recv() => Told::Succeeded,
        }
    }

    async fn stop(&mut self) {
        while self.next().await != Told::Stop {}
    }
}
