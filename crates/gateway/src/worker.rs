//! One serving thread: a single-threaded runtime with its connections, its upstream connections and its randomness.
//!
//! Takes accepted sockets from the acceptor; nothing here is shared with another thread but [`Shared`].

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::acceptor::{Accepted, Listener};
use crate::connection;
use crate::places::ClientPlace;
use crate::shared::Shared;
use crate::upstream::Upstreams;

/// What serving threads are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Nothing: serve.
    Run,
    /// End after the running transactions.
    Drain,
    /// End now.
    Cut,
}

/// Threads of one runtime for name resolution and reading certificates.
const MAX_BLOCKING_THREADS: usize = 4;
/// How often idle upstream connections are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// See the module.
pub struct Worker {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// This thread's connections to upstreams.
    pub upstreams: Upstreams,
    connections: RefCell<Slab<Waker>>,
    is_leaving: Cell<bool>,
    is_draining: Cell<bool>,
    in_flight: Cell<usize>,
    random: Cell<u64>,
}

impl Worker {
    fn new(shared: Arc<Shared>) -> Worker {
        let upstreams = Upstreams::new(shared.clone());
        let seed = RandomState::new().build_hasher().finish();
        Worker {
            shared,
            upstreams,
            connections: RefCell::default(),
            is_leaving: Cell::new(false),
            is_draining: Cell::new(false),
            in_flight: Cell::new(0),
            random: Cell::new(seed),
        }
    }

    /// 64 random bits, good for sampling and request ids, not for secrets (SplitMix64, Steele et al. 2014).
    pub fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A request begins on this thread.
    pub fn begin(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    /// A request was answered to its end.
    pub fn end(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Whether this thread answers more requests than its share of the bound, or the process takes too much memory.
    pub fn is_overloaded(&self) -> bool {
        let config = &self.shared.config;
        self.in_flight.get() > config.limits.requests_in_flight.div_ceil(config.threads)
            || self.shared.is_short_of_memory.load(Relaxed)
    }

    /// Whether connections are to end after their running requests.
    pub fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    /// Whether a successor serves: the next answer on a connection is its last.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.get()
    }

    /// Whether what is no transaction, an upgraded connection, is to end now.
    pub fn is_cutting_upgrades(&self) -> bool {
        self.is_draining.get() && !self.is_leaving.get()
    }

    /// Lists the calling task, so that a stop wakes it.
    pub async fn register(&self) -> Place<'_> {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        Place { worker: self, key: self.connections.borrow_mut().insert(waker) }
    }

    fn leave(&self) {
        self.is_leaving.set(true);
        self.wake();
    }

    fn drain(&self) {
        self.is_draining.set(true);
        self.wake();
    }

    fn wake(&self) {
        self.connections.borrow().iter().for_each(|(_, waker)| waker.wake_by_ref());
    }
}

/// A connection's place in the list of those that a stop wakes.
pub struct Place<'a> {
    worker: &'a Worker,
    key: usize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.worker.connections.borrow_mut().remove(self.key);
    }
}

/// The acceptor's end of a worker.
pub struct Handle {
    sockets: mpsc::UnboundedSender<Accepted>,
    load: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<()>,
}

impl Handle {
    /// Starts a serving thread.
    ///
    /// # Errors
    /// When the system gives no thread or no runtime.
    pub fn start(shared: Arc<Shared>, index: usize, stop: watch::Receiver<Stop>) -> io::Result<Handle> {
        let (sockets, arriving) = mpsc::unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(MAX_BLOCKING_THREADS).build()?;
        let counted = load.clone();
        let thread = std::thread::Builder::new().name(format!("serve-{index}")).spawn(move || {
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, run(Rc::new(Worker::new(shared)), arriving, counted, stop));
        })?;
        Ok(Handle { sockets, load, thread })
    }

    /// Its open connections, those on the way to it included.
    pub fn load(&self) -> usize {
        self.load.load(Relaxed)
    }

    /// Hands it a connection.
    pub fn give(&self, stream: std::net::TcpStream, peer: SocketAddr, listener: Arc<Listener>, place: Option<ClientPlace>) {
        self.load.fetch_add(1, Relaxed);
        let load = Load(self.load.clone());
        let _ = self.sockets.send(Accepted { stream, peer, listener, load, place });
    }

    /// No more connections come; gives the thread to wait for.
    pub fn hang_up(self) -> std::thread::JoinHandle<()> {
        self.thread
    }
}

async fn run(
    worker: Rc<Worker>,
    mut arriving: mpsc::UnboundedReceiver<Accepted>,
    load: Arc<AtomicUsize>,
    mut stop: watch::Receiver<Stop>,
) {
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        tokio::select! {
            accepted = arriving.recv() => match accepted {
                Some(accepted) => drop(tokio::task::spawn_local(connection::serve(worker.clone(), accepted))),
                None => break,
            },
            _ = stop.changed() => break,
            _ = sweep.tick() => {
                worker.upstreams.sweep();
                worker.shared.look_at_memory();
            }
        }
    }
    let cut = async {
        let _ = stop.wait_for(|stop| *stop == Stop::Cut).await;
    };
    tokio::select! {
        () = end(&worker, arriving, &load) => {}
        () = cut => {}
    }
}

/// Ends what runs within the drain time. With a successor, first gives what is idle the chance of one more request.
async fn end(worker: &Rc<Worker>, mut arriving: mpsc::UnboundedReceiver<Accepted>, load: &AtomicUsize) {
    let config = &worker.shared.config;
    let until = Instant::now() + config.drain;
    if worker.shared.is_succeeded.load(Relaxed) {
        worker.leave();
        let serve = async {
            // Accepted before the stop: their requests are answered here. The acceptor hangs up when it has ended.
            while let Some(accepted) = arriving.recv().await {
                tokio::task::spawn_local(connection::serve(worker.clone(), accepted));
            }
            drained(load, config.handover.min(config.drain)).await;
        };
        serve.await;
    } else {
        drop(arriving);
    }
    worker.drain();
    drained(load, until.saturating_duration_since(Instant::now())).await;
}

/// A connection that counts towards a worker's load until dropped.
pub struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Waits until no connection is open, or the time is over: then what still runs is cut off.
async fn drained(load: &AtomicUsize, patience: Duration) {
    const LOOK_AGAIN: Duration = Duration::from_millis(10);
    let waiting = async {
        while load.load(Relaxed) > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let _ = tokio::time::timeout(patience, waiting).await;
}
