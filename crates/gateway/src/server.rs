//! The gateway as one thing: starts what serves and what stands beside it, and stops it in order.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::acceptor::{self, Listener};
use crate::config::Config;
use crate::handover;
use crate::instance::{self, Claim};
use crate::log;
use crate::services::Services;
use crate::shared::{Listening, Phase, Shared};
use crate::worker::{Handle, Stop};

/// Why a gateway did not start.
#[derive(Debug)]
pub enum StartError {
    /// An address, the state directory or a file of it is in use by another process.
    InUse(String),
    /// What was configured cannot be used: a certificate, a key, an address.
    Unusable(String),
    /// The system gave no thread, no socket or no memory.
    System(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (StartError::InUse(message) | StartError::Unusable(message) | StartError::System(message)) = self;
        f.write_str(message)
    }
}

impl std::error::Error for StartError {}

fn system(error: io::Error) -> StartError {
    StartError::System(error.to_string())
}

/// A running gateway.
pub struct Gateway {
    shared: Arc<Shared>,
    services: Services,
    stop: watch::Sender<Stop>,
    serving: JoinHandle<()>,
    _lock: Claim,
}

impl Gateway {
    /// Starts everything. Clients are served when this returns.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn start(config: Config) -> Result<Gateway, StartError> {
        let lock = instance::lock(&config).map_err(StartError::InUse)?;
        let predecessor = config.predecessor;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(system)?;
        let (listeners, status) = open_listeners(&config, &runtime)?;
        let listening = listening(&listeners, &status).map_err(system)?;
        let shared = Shared::open(config).map_err(StartError::Unusable)?;
        if let Some(process) = predecessor {
            handover::take(&shared, process);
        }
        let certificates = listeners.iter().filter_map(|(_, listener)| listener.certificates.clone()).collect();
        let services = Services::start(&shared, status, certificates).map_err(StartError::System)?;
        let _ = shared.listening.set(listening);
        let (stop, stopping) = watch::channel(Stop::Run);
        let workers = (0..shared.config.threads)
            .map(|index| Handle::start(shared.clone(), index, stopping.clone()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(system)?;
        let serving = std::thread::Builder::new()
            .name("accept".into())
            .spawn({
                let shared = shared.clone();
                move || accept(&runtime, listeners, workers, &shared, stopping)
            })
            .map_err(system)?;
        shared.enter(Phase::Serving);
        Ok(Gateway { shared, services, stop, serving, _lock: lock })
    }

    /// What its parts share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Where clients connect.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.shared.listening.get().map(|listening| listening.clients.clone()).unwrap_or_default()
    }

    /// A successor is on its way: leaves it what it needs to know. From now on a stop hands over: idle connections are kept
    /// for a while and each gets one more answer, upgraded ones have the whole drain time.
    pub fn announce_successor(&self) {
        self.shared.is_succeeded.store(true, Relaxed);
        match handover::write(&self.shared) {
            Ok(()) => log::info("handover", "a successor is announced"),
            Err(error) => {
                log::warn("handover", &format!("the successor starts without known hosts and upstream health: {error}"))
            }
        }
    }

    /// No new connections; running transactions have the configured time to end.
    pub fn drain(&self) {
        self.shared.enter(Phase::Draining);
        self.stop.send_replace(Stop::Drain);
    }

    /// Ends what still runs.
    pub fn cut(&self) {
        self.stop.send_replace(Stop::Cut);
    }

    /// Whether nothing is served any more.
    pub fn is_drained(&self) -> bool {
        self.serving.is_finished()
    }

    /// Drains, then stops what stands beside: the last record is written when this returns.
    pub fn stop(self) {
        if !matches!(*self.stop.borrow(), Stop::Cut) {
            self.drain();
        }
        let _ = self.serving.join();
        self.services.stop();
    }
}

type Open = (TcpListener, Arc<Listener>);

fn open_listeners(config: &Config, runtime: &Runtime) -> Result<(Vec<Open>, std::net::TcpListener), StartError> {
    let _context = runtime.enter();
    let listeners = config.listen.iter().map(acceptor::open).collect::<Result<Vec<_>, _>>()?;
    let status = acceptor::bind(config.status.address, config.status.fd)?.into_std().map_err(system)?;
    Ok((listeners, status))
}

fn listening(listeners: &[Open], status: &std::net::TcpListener) -> io::Result<Listening> {
    let clients = listeners.iter().map(|(listener, _)| listener.local_addr()).collect::<io::Result<_>>()?;
    Ok(Listening { clients, status: status.local_addr()? })
}

/// Accepts until told to stop, then waits for the serving threads.
fn accept(
    runtime: &Runtime,
    listeners: Vec<Open>,
    workers: Vec<Handle>,
    shared: &Arc<Shared>,
    mut stopping: watch::Receiver<Stop>,
) {
    let workers = Rc::new(workers);
    let tasks = LocalSet::new();
    for (listener, at) in listeners {
        tasks.spawn_local(acceptor::accept(listener, at, workers.clone(), shared.clone()));
    }
    tasks.block_on(runtime, async {
        let _ = stopping.changed().await;
    });
    drop(tasks);
    // All of them first: each thread ends in its own time, not after the one before.
    let threads: Vec<_> = Rc::into_inner(workers).into_iter().flatten().map(Handle::hang_up).collect();
    threads.into_iter().for_each(|thread| drop(thread.join()));
}
