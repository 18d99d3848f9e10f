//! The bounded queue between serving threads and the records writer: bounded in records, and in the bytes of the samples that
//! ride on them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crossbeam_queue::ArrayQueue;
use engine::transaction::Ended;
use prometheus_client::metrics::counter::Counter;

use crate::metrics::Metrics;

/// Samples waiting may hold this much; beyond it a record goes without its sample.
pub const MAX_SAMPLE_BYTES: usize = 32 << 20;

/// See the module.
pub struct RecordQueue {
    queue: ArrayQueue<Box<Ended>>,
    sample_bytes: AtomicUsize,
    dropped: Counter,
    samples_dropped: Counter,
}

impl RecordQueue {
    /// An empty queue for `capacity` records (at least one).
    pub fn new(capacity: usize, metrics: &Metrics) -> RecordQueue {
        RecordQueue {
            queue: ArrayQueue::new(capacity.max(1)),
            sample_bytes: AtomicUsize::new(0),
            dropped: metrics.records_dropped_queue_full.clone(),
            samples_dropped: metrics.records_samples_dropped.clone(),
        }
    }

    /// Hands over a record. Never waits: when the queue is full, the record is dropped and counted.
    pub fn offer(&self, mut ended: Box<Ended>) {
        let bytes = self.admit_sample(&mut ended);
        if self.queue.push(ended).is_err() {
            self.sample_bytes.fetch_sub(bytes, Relaxed);
            self.dropped.inc();
        }
    }

    /// The oldest record waiting.
    pub fn take(&self) -> Option<Box<Ended>> {
        let ended = self.queue.pop()?;
        let bytes = ended.sample.as_ref().map_or(0, |sample| sample.bytes());
        self.sample_bytes.fetch_sub(bytes, Relaxed);
        Some(ended)
    }

    /// Records waiting.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes the sample's bytes into account, or takes the sample away. Returns what was accounted.
    fn admit_sample(&self, ended: &mut Ended) -> usize {
        let Some(sample) = &ended.sample else { return 0 };
        let bytes = sample.bytes();
        if self.sample_bytes.fetch_add(bytes, Relaxed) + bytes <= MAX_SAMPLE_BYTES {
            return bytes;
        }
        self.sample_bytes.fetch_sub(bytes, Relaxed);
        self.samples_dropped.inc();
        ended.sample = None;
        ended.record.sample_probability = None;
        0
    }
}
