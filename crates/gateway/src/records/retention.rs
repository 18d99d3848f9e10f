//! How long records stay: by age and by bytes, over open and sealed ones, whether the worker runs or not.
//!
//! Looks at names and sizes only. Deletes the oldest first, under the exclusive `records/.lock` that readers share; when that
//! lock is held it does nothing and comes back later. A segment that is being written or sealed is never touched.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::segment::{OWNER_LOCK, segment_time};
use crate::background::Background;
use crate::calendar::{TrustedClock, day_of};
use crate::files::{Lock, LockFailure};
use crate::log;
use crate::shared::Shared;

/// Retention looks at least this often.
const INTERVAL: Duration = Duration::from_secs(60);
/// A hidden directory older than this is what a killed gateway left.
const LEFTOVER_AGE: Duration = Duration::from_secs(60);

/// Starts the retention thread: a slow disk never holds up the writer.
///
/// # Errors
/// The system's, when it gives no thread.
pub fn start(shared: Arc<Shared>) -> io::Result<Background> {
    let bell = shared.retention.clone();
    let mut clock = TrustedClock::new(SystemTime::now(), Instant::now());
    bell.ring();
    Background::start("hoplon-retention", INTERVAL, bell, move || {
        let now = clock.read(SystemTime::now(), Instant::now());
        look(&shared, now);
    })
}

fn look(shared: &Shared, now: Option<SystemTime>) {
    let limits = Limits { age: shared.config.records.retention, bytes: shared.config.records.retention_bytes };
    match enforce(&shared.config.state_path("records"), limits, now) {
        Ok(Some(report)) => note(shared, &report),
        Ok(None) => {}
        Err(error) => {
            shared.metrics.records_errors.increment(["retention".into()]);
            log::warn("records.retention", &format!("retention could not look at the records: {error}"));
        }
    }
}

fn note(shared: &Shared, report: &Report) {
    shared.metrics.records_retired_bytes.add(["age".into()], report.deleted_for_age);
    shared.metrics.records_retired_bytes.add(["bytes".into()], report.deleted_for_bytes);
    shared.metrics.records_stored_bytes.set(report.kept_bytes as i64);
}

/// What may stay.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Records whose day ended longer ago than this go.
    pub age: Duration,
    /// The oldest go until the rest is no larger than this.
    pub bytes: u64,
}

/// What a look did, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    pub kept_bytes: u64,
    pub deleted_for_age: u64,
    pub deleted_for_bytes: u64,
}

/// Files that go together, in the order in which they go: by day, then by segment, then by zone.
type Stored = BTreeMap<(String, String, PathBuf), Item>;

enum Item {
    /// The sealed files of one segment, zone and day.
    Sealed { files: Vec<PathBuf>, bytes: u64 },
    /// An open segment, whole.
    Open { path: PathBuf, bytes: u64 },
}

impl Item {
    fn bytes(&self) -> u64 {
        match self {
            Item::Sealed { bytes, .. } | Item::Open { bytes, .. } => *bytes,
        }
    }

    /// Returns whether it is gone. An open segment that someone holds stays.
    fn delete(&self) -> bool {
        match self {
            Item::Sealed { files, .. } => files.iter().all(|file| is_gone(fs::remove_file(file))),
            Item::Open { path, .. } => match Lock::try_take(&path.join(OWNER_LOCK), "retention") {
                Ok(_held) => is_gone(fs::remove_dir_all(path)),
                Err(LockFailure::Held(_) | LockFailure::Io(_)) => false,
            },
        }
    }
}

fn is_gone(removed: io::Result<()>) -> bool {
    removed.map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true)
}

/// Applies the limits to the directory of records. `now` is `None` when age must not be judged. Gives `None` when someone holds the lock.
///
/// # Errors
/// The file system's, for the directory itself; single files that cannot be removed stay and count as kept.
pub fn enforce(records: &Path, limits: Limits, now: Option<SystemTime>) -> io::Result<Option<Report>> {
    fs::create_dir_all(records.join("open"))?;
    let _lock = match Lock::try_take(&records.join(".lock"), "") {
        Ok(lock) => lock,
        Err(LockFailure::Held(_)) => return Ok(None),
        Err(LockFailure::Io(error)) => return Err(error),
    };
    remove_leftovers(&records.join("open"));
    let mut stored = Stored::new();
    list_sealed(&records.join("sealed"), &mut stored);
    list_open(&records.join("open"), &mut stored);
    let oldest_day = now.and_then(|now| now.checked_sub(limits.age)).map(day_of);
    let report = delete_beyond(&stored, oldest_day.as_deref(), limits.bytes);
    remove_empty_days(&records.join("sealed"));
    Ok(Some(report))
}

fn delete_beyond(stored: &Stored, oldest_day: Option<&str>, limit_bytes: u64) -> Report {
    let total: u64 = stored.values().map(Item::bytes).sum();
    let mut report = Report { kept_bytes: total, ..Report::default() };
    for ((day, ..), item) in stored {
        let is_old = oldest_day.is_some_and(|oldest| day.as_str() < oldest);
        if !is_old && report.kept_bytes <= limit_bytes {
            break;
        }
        if item.delete() {
            let deleted = if is_old { &mut report.deleted_for_age } else { &mut report.deleted_for_bytes };
            *deleted += item.bytes();
            report.kept_bytes -= item.bytes();
        }
    }
    report
}

/// `sealed/zone=<id>/day=YYYY-MM-DD/<kind>-<segment>.parquet`.
fn list_sealed(sealed: &Path, stored: &mut Stored) {
    for zone in entries(sealed) {
        for day in entries(&zone) {
            let Some(date) = name(&day).strip_prefix("day=").map(str::to_owned) else { continue };
            for file in entries(&day) {
                let Some((_, segment)) = name(&file).split_once('-') else { continue };
                let size = fs::metadata(&file).map_or(0, |m| m.len());
                let key = (date.clone(), segment.to_owned(), zone.clone());
                let item = stored.entry(key).or_insert(Item::Sealed { files: vec![], bytes: 0 });
                if let Item::Sealed { files, bytes } = item {
                    files.push(file);
                    *bytes += size;
                }
            }
        }
    }
}

fn list_open(open: &Path, stored: &mut Stored) {
    for path in entries(open) {
        let id = name(&path).to_owned();
        let Some(opened) = segment_time(&id) else { continue };
        let bytes = entries(&path).iter().filter_map(|file| fs::metadata(file).ok()).map(|m| m.len()).sum();
        stored.insert((day_of(opened), id, PathBuf::new()), Item::Open { path, bytes });
    }
}

/// Hidden directories are segments that were never finished being created; their owner is dead when they are old.
fn remove_leftovers(open: &Path) {
    for path in entries(open).into_iter().filter(|path| name(path).starts_with('.')) {
        let modified = fs::metadata(&path).and_then(|m| m.modified());
        let age = modified.ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
        if age > LEFTOVER_AGE && Lock::try_take(&path.join(OWNER_LOCK), "retention").is_ok() {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn remove_empty_days(sealed: &Path) {
    for zone in entries(sealed) {
        for day in entries(&zone) {
            // Fails, as it should, unless the directory is empty.
            let _ = fs::remove_dir(day);
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).map_or_else(|_| vec![], |entries| entries.flatten().map(|entry| entry.path()).collect())
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    const UNLIMITED: Limits = Limits { age: Duration::from_secs(1 << 40), bytes: u64::MAX };

    fn put(path: PathBuf, bytes: usize) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![0; bytes]).unwrap();
    }

    fn sealed(dir: &TempDir, zone: &str, day: &str, segment: &str, bytes: usize) -> PathBuf {
        let day = dir.join(format!("sealed/zone={zone}/day={day}"));
        put(day.join(format!("records-{segment}.parquet")), bytes);
        put(day.join(format!("violations-{segment}.parquet")), bytes);
        day
    }

    fn open(dir: &TempDir, id: &str, bytes: usize) -> PathBuf {
        let path = dir.join(format!("open/{id}"));
        put(path.join("records.arrows"), bytes);
        put(path.join(OWNER_LOCK), 0);
        path
    }

    /// An instant of this day at noon.
    fn noon(day: &str) -> SystemTime {
        let mut time = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
        while day_of(time) != day {
            time += Duration::from_secs(86_400);
        }
        time
    }

    // 2025-01-01 in milliseconds is 0x01941f297c00.
    const OPEN_OF_JANUARY: &str = "01941f29-7c00-7000-8000-000000000001";

    #[test]
    fn days_older_than_the_limit_go_and_others_stay() {
        let dir = TempDir::new();
        let old = sealed(&dir, "a", "2025-01-01", "s1", 10);
        let kept = sealed(&dir, "b", "2025-01-08", "s2", 10);
        let orphan = open(&dir, OPEN_OF_JANUARY, 10);
        let limits = Limits { age: Duration::from_secs(7 * 86_400), ..UNLIMITED };
        let report = enforce(dir.path(), limits, Some(noon("2025-01-09"))).unwrap().unwrap();
        assert_eq!(report, Report { kept_bytes: 20, deleted_for_age: 30, deleted_for_bytes: 0 });
        assert!(!old.exists() && !orphan.exists() && kept.exists());
    }

    #[test]
    fn the_oldest_segments_of_all_zones_go_until_the_rest_fits() {
        let dir = TempDir::new();
        let first = sealed(&dir, "b", "2025-01-01", "s1", 10);
        sealed(&dir, "a", "2025-01-01", "s2", 10);
        let last = sealed(&dir, "a", "2025-01-02", "s3", 10);
        let report = enforce(dir.path(), Limits { bytes: 45, ..UNLIMITED }, None).unwrap().unwrap();
        assert_eq!(report, Report { kept_bytes: 40, deleted_for_age: 0, deleted_for_bytes: 20 });
        assert!(!first.exists());
        let report = enforce(dir.path(), Limits { bytes: 39, ..UNLIMITED }, None).unwrap().unwrap();
        assert_eq!(report.kept_bytes, 20);
        assert!(last.exists());
    }

    #[test]
    fn a_segment_that_is_written_is_never_deleted() {
        let dir = TempDir::new();
        let path = open(&dir, OPEN_OF_JANUARY, 10);
        let owner = Lock::try_take(&path.join(OWNER_LOCK), "").unwrap();
        let limits = Limits { age: Duration::ZERO, bytes: 0 };
        let report = enforce(dir.path(), limits, Some(noon("2025-06-01"))).unwrap().unwrap();
        assert_eq!(report, Report { kept_bytes: 10, ..Report::default() });
        drop(owner);
        enforce(dir.path(), limits, None).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn nothing_happens_while_a_reader_holds_the_lock() {
        let dir = TempDir::new();
        let kept = sealed(&dir, "a", "2025-01-01", "s1", 10);
        let reader = fs::File::create(dir.join(".lock")).unwrap();
        reader.lock_shared().unwrap();
        assert_eq!(enforce(dir.path(), Limits { bytes: 0, ..UNLIMITED }, None).unwrap(), None);
        assert!(kept.exists());
    }

    #[test]
    fn a_young_hidden_directory_is_left_to_its_owner() {
        let dir = TempDir::new();
        let hidden = open(&dir, ".01941f29-7c00-7000-8000-000000000002", 10);
        enforce(dir.path(), UNLIMITED, None).unwrap();
        assert!(hidden.exists());
    }
}
