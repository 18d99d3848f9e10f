//! The one switch: `bundles/mode` holds `enforce`, `log` or `off`; a missing file means `enforce`.
//!
//! A thread of its own looks several times a second, so the switch works while everything else is stuck. A word it does not
//! know changes nothing and is reported.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use engine::transaction::Mode;

use crate::background::Background;
use crate::files::{Identity, identity};
use crate::log;
use crate::shared::Shared;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_millis(200);
/// No mode has a name this long; more of the file is not read.
const MAX_BYTES: u64 = 64;
/// The alert while the file holds something else.
pub const ALERT: &str = "mode_unknown";

/// The mode in use, read by every transaction.
#[derive(Debug)]
pub struct AtomicMode(AtomicU8);

const MODES: [Mode; 3] = [Mode::Enforce, Mode::Log, Mode::Off];

impl Default for AtomicMode {
    fn default() -> Self {
        AtomicMode(AtomicU8::new(0))
    }
}

impl AtomicMode {
    /// The mode in use.
    pub fn load(&self) -> Mode {
        MODES.get(usize::from(self.0.load(Relaxed))).copied().unwrap_or(Mode::Enforce)
    }

    /// Makes this the mode in use, from the next transaction on.
    pub fn store(&self, mode: Mode) {
        let index = MODES.iter().position(|known| *known == mode).unwrap_or(0);
        self.0.store(index as u8, Relaxed);
    }
}

/// Reads the file once, then watches it.
///
/// # Errors
/// The system's, when it gives no thread.
pub fn start(shared: Arc<Shared>) -> io::Result<Background> {
    let mut watch = ModeWatch::new(&shared);
    watch.look(&shared);
    Background::start("hoplon-mode", INTERVAL, Arc::default(), move || watch.look(&shared))
}

struct ModeWatch {
    path: std::path::PathBuf,
    seen: Option<Option<Identity>>,
}

impl ModeWatch {
    fn new(shared: &Shared) -> ModeWatch {
        ModeWatch { path: shared.config.state_path("bundles/mode"), seen: None }
    }

    fn look(&mut self, shared: &Shared) {
        let now = identity(&self.path);
        if self.seen == Some(now) {
            return;
        }
        self.seen = Some(now);
        match read(&self.path) {
            Ok(mode) => apply(shared, mode),
            Err(message) => {
                log::warn("mode.unknown", &message);
                shared.alerts.raise(ALERT, message);
            }
        }
    }
}

fn apply(shared: &Shared, mode: Mode) {
    let before = shared.mode.load();
    shared.mode.store(mode);
    shared.alerts.clear(ALERT);
    shared.metrics.mode.set([mode.as_str().into()]);
    if before != mode {
        log::info("mode", &format!("the mode is now {}", mode.as_str()));
    }
}

fn read(path: &Path) -> Result<Mode, String> {
    use io::Read;
    let mut word = String::new();
    match fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut word)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Mode::Enforce),
        Err(error) => return Err(format!("{}: {error}; the mode stays as it is", path.display())),
    }
    let word = word.trim();
    Mode::parse(word).ok_or_else(|| {
        format!("{}: `{}` is not a mode (enforce, log or off); the mode stays as it is", path.display(), word.escape_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TempDir, eventually, shared};

    #[test]
    fn the_file_switches_within_a_second_and_an_unknown_word_changes_nothing() {
        let dir = TempDir::new();
        let shared = shared(dir.path(), "");
        let watch = start(shared.clone()).unwrap();
        assert_eq!(shared.mode.load(), Mode::Enforce);
        fs::create_dir_all(dir.join("bundles")).unwrap();
        for (word, mode) in [("log\n", Mode::Log), ("off", Mode::Off), ("enforce", Mode::Enforce), ("log", Mode::Log)] {
            crate::files::replace(&dir.join("bundles/mode"), word.as_bytes()).unwrap();
            let written = std::time::Instant::now();
            eventually("the mode is taken", || shared.mode.load() == mode);
            assert!(written.elapsed() < Duration::from_secs(1));
        }
        crate::files::replace(&dir.join("bundles/mode"), b"enforced").unwrap();
        eventually("the alert is raised", || shared.alerts.all().contains_key(ALERT));
        assert!(shared.alerts.all()[ALERT].contains("`enforced` is not a mode"));
        assert_eq!(shared.mode.load(), Mode::Log);
        fs::remove_file(dir.join("bundles/mode")).unwrap();
        eventually("a missing file enforces", || shared.mode.load() == Mode::Enforce);
        assert!(shared.alerts.all().is_empty());
        watch.stop();
    }

    #[test]
    fn a_mode_that_is_there_at_the_start_holds_from_the_first_request() {
        let dir = TempDir::new();
        fs::create_dir_all(dir.join("bundles")).unwrap();
        fs::write(dir.join("bundles/mode"), "off").unwrap();
        let shared = shared(dir.path(), "");
        let watch = start(shared.clone()).unwrap();
        assert_eq!(shared.mode.load(), Mode::Off);
        watch.stop();
    }
}
