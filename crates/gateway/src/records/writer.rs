//! The records writer: one thread that empties the queue, makes Observations of the sampled transactions, and appends all of
//! it to the open segment each second.
//!
//! Nothing stops it but [`RecordWriter::stop`]: an error of the file system keeps a bounded batch for another try, a panic
//! costs the batch and is counted. Intervals are measured with the monotonic clock only.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use engine::observe::{LiteralTable, observe};
use engine::transaction::Ended;

use super::columns::{Batch, Table};
use super::segment::{Segment, SegmentIds};
use crate::log;
use crate::shared::Shared;

/// The queue is emptied this often: no wake-up is needed from the threads that fill it.
const DRAIN_INTERVAL: Duration = Duration::from_millis(15);
/// A batch is written early when it has this many rows: columns are built one after the other, so the rows should fit in a core's
/// second-level cache.
const BATCH_ROWS: usize = 2_048;
/// A batch is also written early at this many Observations.
const BATCH_OBSERVATIONS: usize = 16_384;
/// While writing fails, this many rows are held for another try; what comes on top is dropped and counted.
const HELD_ROWS: usize = 8 * BATCH_ROWS;
/// Time between two tries while writing fails.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The alert while writing fails.
pub const ALERT: &str = "records_write_failing";

/// The running writer.
pub struct RecordWriter {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

/// Starts the writer's thread.
///
/// # Errors
/// The system's, when it gives no thread.
pub fn start(shared: Arc<Shared>) -> io::Result<RecordWriter> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let thread = thread::Builder::new().name("hoplon-records".into()).spawn(move || run(&shared, &stopped))?;
    Ok(RecordWriter { thread, stop })
}

impl RecordWriter {
    /// Writes everything that is queued, closes the segment and ends the thread.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let _ = self.thread.join();
    }
}

fn run(shared: &Shared, stop: &AtomicBool) {
    let mut writer = Writer::new(shared);
    while !stop.load(Ordering::Acquire) {
        if !writer.guarded(Writer::turn) {
            thread::park_timeout(DRAIN_INTERVAL);
        }
    }
    while writer.guarded(Writer::turn) {}
    writer.guarded(Writer::finish);
}

struct Writer<'a> {
    shared: &'a Shared,
    open: PathBuf,
    ids: SegmentIds,
    segment: Option<Segment>,
    batch: Batch,
    literals: LiteralTable,
    /// When the oldest row of the batch came.
    since: Option<Instant>,
    /// Not before this is writing tried again.
    retry_at: Option<Instant>,
}

impl<'a> Writer<'a> {
    fn new(shared: &'a Shared) -> Writer<'a> {
        Writer {
            shared,
            open: shared.config.state_path("records/open"),
            ids: SegmentIds::default(),
            segment: None,
            batch: empty_batch(shared),
            literals: LiteralTable::default(),
            since: None,
            retry_at: None,
        }
    }

    /// Runs one step; a panic costs what was being written and the table of literals, nothing else.
    fn guarded(&mut self, step: fn(&mut Self) -> bool) -> bool {
        catch_unwind(AssertUnwindSafe(|| step(self))).unwrap_or_else(|_| {
            let metrics = &self.shared.metrics;
            metrics.panics.increment(["records".into()]);
            metrics.records_dropped_panic.inc_by(self.batch.records.len() as u64);
            log::error("records.panic", "the records writer panicked; its batch is lost, it goes on with a new segment");
            self.batch = empty_batch(self.shared);
            self.segment = None;
            self.literals = LiteralTable::default();
            self.since = None;
            false
        })
    }

    /// Takes what is queued, writes when it is time. Returns whether more was waiting than one turn takes.
    fn turn(&mut self) -> bool {
        self.shared.metrics.records_queue_depth.set(self.shared.records.len() as i64);
        let is_full = self.drain();
        if self.is_due(is_full) {
            self.flush();
        }
        if self.segment.as_ref().is_some_and(|segment| self.is_complete(segment)) {
            self.rotate();
        }
        is_full
    }

    /// Takes rows until the batch is full or the queue is empty. Returns whether the batch is full.
    fn drain(&mut self) -> bool {
        for _ in 0..BATCH_ROWS {
            let Some(ended) = self.shared.records.take() else { return false };
            if self.batch.records.len() < HELD_ROWS {
                self.since.get_or_insert_with(Instant::now);
                self.add(*ended);
            } else {
                self.shared.metrics.records_dropped_io.inc();
            }
            if self.batch.records.len() == BATCH_ROWS || self.batch.observations.len() >= BATCH_OBSERVATIONS {
                return true;
            }
        }
        true
    }

    fn add(&mut self, ended: Ended) {
        let row = self.batch.records.len();
        if let Some(sample) = &ended.sample {
            let (literals, keys) = (&mut self.literals, &self.shared.keys);
            match catch_unwind(AssertUnwindSafe(|| observe(sample, &ended.record, literals, keys))) {
                Ok(observations) => self.batch.observations.extend(observations.into_iter().map(|o| (row, o))),
                Err(_) => self.shared.metrics.panics.increment(["observe".into()]),
            }
        }
        self.batch.violations.extend(ended.violations.into_iter().map(|violation| (row, violation)));
        self.batch.records.push(ended.record);
    }

    /// Whether the batch is to be written now. An eighth of the interval is left for the drain before, the write itself and a
    /// busy machine, so that no row waits longer than the flush setting.
    fn is_due(&self, is_full: bool) -> bool {
        let interval = self.shared.config.records.flush * 7 / 8;
        let is_old = self.since.is_some_and(|since| since.elapsed() >= interval);
        (is_full || is_old) && self.retry_at.is_none_or(|at| Instant::now() >= at)
    }

    /// Writes the batch. When that fails it is kept and tried again later.
    fn flush(&mut self) {
        if self.batch.records.is_empty() {
            return;
        }
        match self.write() {
            Ok(()) => self.written(),
            Err((operation, error)) => self.failed(operation, &error),
        }
    }

    fn write(&mut self) -> Result<(), (&'static str, io::Error)> {
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(create(&self.open, &mut self.ids, self.shared).map_err(|error| ("open", error))?),
        };
        segment.write(&self.batch).map_err(|error| ("write", error))
    }

    fn written(&mut self) {
        let metrics = &self.shared.metrics;
        metrics.records_written.inc_by(Table::Records.rows(&self.batch) as u64);
        metrics.violations_written.inc_by(Table::Violations.rows(&self.batch) as u64);
        metrics.observations_written.inc_by(Table::Observations.rows(&self.batch) as u64);
        self.batch = empty_batch(self.shared);
        self.since = None;
        if self.retry_at.take().is_some() {
            self.shared.alerts.clear(ALERT);
            log::info("records.recovered", "records are written again");
        }
    }

    /// Counts, reports once, and lets the segment go: what it holds is whole and may be sealed.
    fn failed(&mut self, operation: &'static str, error: &io::Error) {
        self.shared.metrics.records_errors.increment([operation.into()]);
        let message = format!("records cannot be written ({operation} below {}): {error}; traffic goes on", self.open.display());
        if self.retry_at.is_none() {
            log::error("records.failing", &message);
        }
        self.shared.alerts.raise(ALERT, message);
        self.segment = None;
        self.retry_at = Some(Instant::now() + RETRY_INTERVAL);
    }

    fn is_complete(&self, segment: &Segment) -> bool {
        let config = &self.shared.config.records;
        segment.age() >= config.rotate || segment.bytes() >= config.rotate_bytes
    }

    fn rotate(&mut self) {
        if let Some(Err(error)) = self.segment.take().map(Segment::close) {
            self.shared.metrics.records_errors.increment(["close".into()]);
            log::warn("records.close", &format!("a segment was not closed in order, it stays readable: {error}"));
        }
        self.shared.retention.ring();
    }

    /// The last step of a stop: one try for what is left, then the segment is closed.
    fn finish(&mut self) -> bool {
        self.flush();
        self.shared.metrics.records_dropped_io.inc_by(self.batch.records.len() as u64);
        self.rotate();
        false
    }
}

fn empty_batch(shared: &Shared) -> Batch {
    Batch { gateway: shared.config.instance.as_str().into(), ..Batch::default() }
}

fn create(open: &std::path::Path, ids: &mut SegmentIds, shared: &Shared) -> io::Result<Segment> {
    let [high, low] = [RandomState::new().hash_one(0_u8), RandomState::new().hash_one(1_u8)];
    let id = ids.next(SystemTime::now(), u128::from(high) << 64 | u128::from(low));
    let segment = Segment::create(open, &id)?;
    shared.metrics.records_segments.inc();
    Ok(segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TempDir, ended, shared};

    #[test]
    fn a_panic_costs_the_batch_and_is_counted_and_the_writer_goes_on() {
        let dir = TempDir::new();
        let shared = shared(dir.path(), "");
        let mut writer = Writer::new(&shared);
        (0..3).for_each(|n| shared.records.offer(Box::new(ended(n))));
        writer.guarded(Writer::turn);
        assert!(!writer.guarded(|_| panic!("in the middle of a batch")));
        assert_eq!(shared.metrics.panics.get(["records".into()]), 1);
        assert_eq!(shared.metrics.records_dropped_panic.get(), 3);
        shared.records.offer(Box::new(ended(3)));
        writer.guarded(Writer::turn);
        writer.guarded(Writer::finish);
        assert_eq!(shared.metrics.records_written.get(), 1);
    }
}
