//! Everything that serving threads share, in one place: what they read (bundle, mode, keys, known hosts), what they add to
//! (counters, records) and what the background threads tell each other. All of it is lock-free on the request path.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use engine::bundle::Bundle;
use engine::hash::Keys;
use engine::limits::Counters;
use engine::observe::Sampler;
use engine::tokens::TokenCache;
use engine::transaction::Ended;
use engine::verdict::{Effect, Verdict};

use crate::alerts::Alerts;
use crate::background::Bell;
use crate::bundles::Reported;
use crate::clock::SteadyClock;
use crate::config::Config;
use crate::hosts::{KnownHosts, Remembered};
use crate::keys;
use crate::metrics::{Metrics, resident_memory_bytes};
use crate::mode::AtomicMode;
use crate::places::Places;
use crate::records::RecordQueue;
use crate::upstream::health::UpstreamHealth;
use crate::upstream::retries::RetryBudgets;

/// See the module.
pub struct Shared {
    /// The process settings.
    pub config: Config,
    /// The bundle in use; each transaction pins the one it began with. Written by the bundle watcher only.
    pub bundle: ArcSwapOption<Bundle>,
    /// Where the bundle came from and what was refused. Written by the bundle watcher only.
    pub bundles: Reported,
    /// The one switch. Written by the mode watcher only.
    pub mode: AtomicMode,
    /// Subkeys for sessions, clients and values.
    pub keys: Keys,
    /// Tokens that were verified; bounded.
    pub token_cache: Arc<TokenCache>,
    /// Which transactions are sampled; bounded.
    pub sampler: Sampler,
    /// Hosts that answered successfully; bounded.
    pub hosts: KnownHosts,
    /// Open connections per client; bounded.
    pub places: Places,
    /// What limits have counted; bounded.
    pub counters: Arc<Counters>,
    /// The time that they go by.
    pub steady: SteadyClock,
    /// Whether the process takes more memory than it may, as of the last look.
    pub is_short_of_memory: AtomicBool,
    /// Health of the upstreams of the bundles in use.
    pub health: Arc<UpstreamHealth>,
    /// How often each zone may send again.
    pub retries: RetryBudgets,
    /// The queue to the records writer; bounded.
    pub records: RecordQueue,
    /// Counters.
    pub metrics: Metrics,
    /// What needs attention.
    pub alerts: Alerts,
    /// Where the process is in its life.
    pub phase: AtomicPhase,
    /// Whether a successor was announced: then a stop hands over instead of hanging up.
    pub is_succeeded: AtomicBool,
    /// The addresses that are served, once they are bound.
    pub listening: OnceLock<Listening>,
    /// When the gateway started.
    pub started: SystemTime,
    /// Wakes the retention thread.
    pub retention: Arc<Bell>,
    /// Wakes the thread that writes the status file.
    pub status: Arc<Bell>,
}

/// Bound addresses.
#[derive(Debug, Clone)]
pub struct Listening {
    /// For clients.
    pub clients: Vec<SocketAddr>,
    /// Of the status listener.
    pub status: SocketAddr,
}

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not accepting yet.
    Starting,
    /// Accepting.
    Serving,
    /// Not accepting any more; running transactions end.
    Draining,
    /// Everything is written; the process ends.
    Stopped,
}

impl Phase {
    const ALL: [Phase; 4] = [Phase::Starting, Phase::Serving, Phase::Draining, Phase::Stopped];

    /// The word in the status file.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Serving => "serving",
            Phase::Draining => "draining",
            Phase::Stopped => "stopped",
        }
    }
}

/// The phase, read by anyone.
#[derive(Debug, Default)]
pub struct AtomicPhase(AtomicU8);

impl AtomicPhase {
    /// The phase now.
    pub fn load(&self) -> Phase {
        Phase::ALL.get(usize::from(self.0.load(Relaxed))).copied().unwrap_or(Phase::Stopped)
    }
}

impl Shared {
    /// Reads the installation key and builds everything else empty.
    ///
    /// # Errors
    /// A sentence, when the key cannot be read.
    pub fn open(config: Config) -> Result<Arc<Shared>, String> {
        let keys = keys::load(&config.state_path("keys/records.key"))?;
        Ok(Arc::new(Shared::new(config, keys)))
    }

    /// Everything empty, with these keys.
    pub fn new(config: Config, keys: Keys) -> Shared {
        let counters = Arc::new(Counters::new(config.limits.counter_bytes));
        let metrics = Metrics::new(config.threads, &config.instance, counters.clone());
        let started = SystemTime::now();
        metrics.started.set(crate::calendar::unix_seconds_f64(started));
        Shared {
            bundle: ArcSwapOption::empty(),
            bundles: Reported::default(),
            mode: AtomicMode::default(),
            token_cache: TokenCache::new(keys.token_cache(), config.limits.token_cache_bytes).into(),
            keys,
            sampler: Sampler::default(),
            hosts: KnownHosts::default(),
            places: Places::default(),
            counters,
            steady: SteadyClock::start(),
            is_short_of_memory: AtomicBool::new(false),
            health: Arc::default(),
            retries: RetryBudgets::default(),
            records: RecordQueue::new(config.records.queue, &metrics),
            metrics,
            alerts: Alerts::default(),
            phase: AtomicPhase::default(),
            is_succeeded: AtomicBool::new(false),
            listening: OnceLock::new(),
            started,
            retention: Arc::default(),
            status: Arc::default(),
            config,
        }
    }

    /// Applies what a verdict says is to be done after the decision. Called once per transaction.
    pub fn apply_effects(&self, verdict: &Verdict) {
        for effect in &verdict.effects {
            match effect {
                Effect::RememberHost { zone, host } => {
                    if self.hosts.remember(zone, host) == Remembered::Forgone {
                        self.metrics.known_hosts_forgone.inc();
                    }
                }
            }
        }
    }

    /// Counts an ended transaction and hands its record to the writer. Never waits.
    pub fn ended(&self, ended: Box<Ended>) {
        self.metrics.ended(&ended);
        self.records.offer(ended);
    }

    /// Whether a successor serves in this process's place by now: what is said about "the gateway" is for it to say.
    pub fn has_left(&self) -> bool {
        self.is_succeeded.load(Relaxed) && matches!(self.phase.load(), Phase::Draining | Phase::Stopped)
    }

    /// Looks at how much memory the process takes. Called once a second by each serving thread.
    pub fn look_at_memory(&self) {
        let limit = self.config.limits.memory_bytes;
        if limit > 0 {
            let taken = u64::try_from(resident_memory_bytes()).unwrap_or(0);
            self.is_short_of_memory.store(taken > limit, Relaxed);
        }
    }

    /// Moves on to the next phase and shows it.
    pub fn enter(&self, phase: Phase) {
        self.phase.0.store(phase as u8, Relaxed);
        self.status_changed();
    }

    /// The status file is written again soon.
    pub fn status_changed(&self) {
        self.status.ring();
    }
}
