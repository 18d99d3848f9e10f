//! How a bundle gets from `bundles/` into use: watched, loaded and dropped on a background thread.
//!
//! `bundles/current` names the parts by hash; a bundle is loaded whole or not at all. What cannot be loaded changes nothing: the
//! bundle in use stays, the errors are reported with their paths, and the load is tried again as soon as anything changes. After
//! a load, the manifest is copied to `bundles/last_good`, which serves when `current` is broken at the next start.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use engine::bundle::{Bundle, BundleHash, LoadError, TokenInputs};
use engine::tokens::Secrets;
use serde::Serialize;

use crate::background::Background;
use crate::calendar::unix_seconds_f64;
use crate::files::{self, Identity, identity};
use crate::log;
use crate::shared::Shared;
use crate::token_secrets;

/// How often `bundles/current` is looked at.
const INTERVAL: Duration = Duration::from_millis(20);
/// A manifest that did not load is tried again this often: its parts may have come, or come back.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// No manifest or part is larger; reading stops there.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// The alert while `current` is not what is served.
pub const ALERT: &str = "bundle_refused";

/// Which manifest the bundle in use was loaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Serving {
    /// `bundles/current`.
    Current,
    /// `bundles/last_good`, because `current` could not be loaded.
    LastGood,
    /// None could be loaded: every request is answered 503.
    #[default]
    None,
}

impl Serving {
    /// The word in the status file and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Serving::Current => "current",
            Serving::LastGood => "last_good",
            Serving::None => "none",
        }
    }
}

/// One reason why a bundle was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: a file below `bundles/`, or a member inside the manifest or a part.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// What is known about loading, for the status file.
#[derive(Debug, Clone, Default)]
pub struct BundleState {
    /// The bundle in use.
    pub hash: Option<String>,
    /// Where it came from.
    pub serving: Serving,
    /// Hash of the manifest in `current` that was refused.
    pub refused: Option<String>,
    /// Why.
    pub problems: Vec<Problem>,
}

/// The state of loading, written by the watcher, read by the status thread.
#[derive(Debug, Default)]
pub struct Reported(Mutex<BundleState>);

impl Reported {
    /// A copy of the state.
    pub fn get(&self) -> BundleState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut BundleState)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Loads what there is, then watches. When this returns, a bundle is in use if any could be loaded.
///
/// # Errors
/// The system's, when it gives no thread.
pub fn start(shared: Arc<Shared>) -> io::Result<Background> {
    let mut watch = Watch::new(shared);
    watch.look();
    watch.fall_back();
    Background::start("hoplon-bundles", INTERVAL, Arc::default(), move || watch.look())
}

/// The watcher's own memory.
pub struct Watch {
    shared: Arc<Shared>,
    directory: PathBuf,
    /// `current`, and the secrets of token keys.
    seen: Option<[Option<Identity>; 2]>,
    /// When loading last failed, until it succeeds.
    failed: Option<Instant>,
    /// Replaced bundles that transactions still hold; dropped here when they no longer do.
    retired: Vec<Arc<Bundle>>,
}

impl Watch {
    /// A watcher that has seen nothing yet.
    pub fn new(shared: Arc<Shared>) -> Watch {
        let directory = shared.config.state_path("bundles");
        Watch { shared, directory, seen: None, failed: None, retired: vec![] }
    }

    /// Looks once: loads what is new, tries again what failed, drops what nobody uses.
    pub fn look(&mut self) {
        self.retired.retain(|bundle| Arc::strong_count(bundle) > 1);
        let secrets = self.shared.config.state_path(token_secrets::FILE);
        let now = [self.directory.join("current"), secrets].map(|path| identity(&path));
        let is_retry = self.failed.is_some_and(|at| at.elapsed() >= RETRY_INTERVAL);
        if self.seen == Some(now) && !is_retry {
            return;
        }
        let has_new_secrets = self.seen.is_some_and(|seen| seen[1] != now[1]);
        self.seen = Some(now);
        match self.read("current") {
            Ok(manifest) => self.consider(&manifest, has_new_secrets),
            Err(problem) => self.report(None, vec![problem]),
        }
    }

    /// Puts the manifest's bundle into use, unless it already is or cannot be loaded.
    fn consider(&mut self, manifest: &[u8], has_new_secrets: bool) {
        let hash = BundleHash::of(manifest);
        let is_serving = self.shared.bundles.get().serving != Serving::None && !has_new_secrets;
        if is_serving && self.shared.bundle.load().as_ref().is_some_and(|bundle| bundle.hash == hash) {
            return self.settle(Serving::Current);
        }
        match self.load(manifest) {
            Ok(bundle) => {
                self.adopt(bundle, Serving::Current);
                self.keep_last_good(manifest);
            }
            Err(problems) => self.report(Some(hash), problems),
        }
    }

    /// At the start: the last good bundle, when `current` gave none.
    fn fall_back(&mut self) {
        if self.shared.bundle.load().is_some() {
            return;
        }
        let Ok(manifest) = self.read("last_good") else { return };
        match self.load(&manifest) {
            Ok(bundle) => self.adopt(bundle, Serving::LastGood),
            Err(problems) => {
                let problems = problems.into_iter().map(|p| Problem { path: format!("last_good: {}", p.path), ..p });
                self.shared.bundles.change(|state| state.problems.extend(problems));
            }
        }
    }

    fn load(&self, manifest: &[u8]) -> Result<Bundle, Vec<Problem>> {
        let mut fetch = |sha256: &str| self.read(&format!("parts/{sha256}")).map_err(|problem| problem.message);
        let tokens = TokenInputs { secrets: self.secrets(), cache: self.shared.token_cache.clone() };
        let loaded = catch_unwind(AssertUnwindSafe(|| Bundle::load_with(manifest, &mut fetch, &tokens)));
        match loaded {
            Ok(Ok(bundle)) => Ok(bundle),
            Ok(Err(errors)) => Err(errors.0.into_iter().map(|LoadError { path, message }| Problem { path, message }).collect()),
            Err(_) => {
                self.shared.metrics.panics.increment(["bundles".into()]);
                Err(vec![Problem { path: "current".into(), message: "loading it panicked; this is an error in Hoplon".into() }])
            }
        }
    }

    /// Without their file, keys that need one verify nothing; all else in the bundle holds.
    fn secrets(&self) -> Secrets {
        let read = token_secrets::read(&self.shared.config.state_path(token_secrets::FILE));
        read.unwrap_or_else(|message| {
            log::error("token_secrets", &message);
            Secrets::default()
        })
    }

    fn read(&self, relative: &str) -> Result<Vec<u8>, Problem> {
        let problem = |message: String| Problem { path: relative.to_owned(), message };
        let path = self.directory.join(relative);
        let size = fs::metadata(&path).map_err(|error| problem(error.to_string()))?.len();
        if size > MAX_FILE_BYTES {
            return Err(problem(format!("{size} bytes are more than the {MAX_FILE_BYTES} that a file of a bundle may have")));
        }
        fs::read(&path).map_err(|error| problem(error.to_string()))
    }

    fn adopt(&mut self, bundle: Bundle, serving: Serving) {
        let shared = &self.shared;
        let hash = bundle.hash.to_string();
        shared.metrics.zones().serve(bundle.zones().iter().map(|zone| &*zone.id));
        shared.metrics.bundle_loads_ok.inc();
        match token_secrets::complaint(&bundle) {
            Some(sentence) => shared.alerts.raise(token_secrets::ALERT, sentence),
            None => shared.alerts.clear(token_secrets::ALERT),
        }
        shared.metrics.token_secrets_missing.set(bundle.missing_secrets().count() as i64);
        shared.metrics.bundle_loaded.set(unix_seconds_f64(SystemTime::now()));
        let replaced = shared.bundle.swap(Some(Arc::new(bundle)));
        shared.bundles.change(|state| state.hash = Some(hash.clone()));
        self.retired.extend(replaced);
        log::info("bundle", &format!("bundle {} is in use ({})", &hash[..16], serving.as_str()));
        self.settle(serving);
    }

    /// Notes where the bundle in use came from. Serving `current` means that nothing is wrong.
    fn settle(&mut self, serving: Serving) {
        let shared = &self.shared;
        shared.bundles.change(|state| {
            state.serving = serving;
            if serving == Serving::Current {
                (state.refused, state.problems) = (None, vec![]);
            }
        });
        if serving == Serving::Current {
            shared.alerts.clear(ALERT);
            self.failed = None;
        }
        self.show();
    }

    /// Reports why `current` is not in use; whatever was in use stays. The same failure again is not counted again.
    fn report(&mut self, refused: Option<BundleHash>, problems: Vec<Problem>) {
        let shared = &self.shared;
        let hash = refused.map(|hash| hash.to_string());
        let state = shared.bundles.get();
        let is_news = state.problems != problems || state.refused != hash;
        self.failed = Some(Instant::now());
        let is_waiting = refused.is_none() && state.serving == Serving::None;
        if is_news && !is_waiting {
            shared.metrics.bundle_loads_failed.inc();
            let first = problems.first().map(|p| format!("{}: {}", p.path, p.message)).unwrap_or_default();
            let message = format!("the bundle in bundles/current is not in use: {first} ({} problems)", problems.len());
            log::error("bundle.refused", &message);
            shared.alerts.raise(ALERT, message);
        }
        shared.bundles.change(|state| (state.refused, state.problems) = (hash, problems));
        self.show();
    }

    fn show(&self) {
        let state = self.shared.bundles.get();
        self.shared.metrics.bundle.set([state.hash.unwrap_or_default().into(), state.serving.as_str().into()]);
        self.shared.status_changed();
    }

    fn keep_last_good(&self, manifest: &[u8]) {
        let path = self.directory.join("last_good");
        if fs::read(&path).is_ok_and(|kept| kept == manifest) {
            return;
        }
        if let Err(error) = files::replace(&path, manifest) {
            log::warn("bundle.last_good", &format!("{}: {error}", path.display()));
        }
    }
}

#[cfg(test)]
mod tests;
