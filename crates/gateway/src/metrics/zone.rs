//! The counters that every transaction touches: per zone, striped by serving thread so that no two cores write one cache line.
//!
//! Takes a [`Counted`]; gives samples at a scrape. One stripe costs about 600 bytes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::table::{self, MetricDef};

/// Labels of `action`, by index.
pub const ACTIONS: [&str; 4] = ["allow", "log", "block", "refuse"];
/// Labels of `status`, by index: the hundreds of the status, 0 when the client got nothing.
pub const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// Upper bounds of the duration buckets in microseconds: half a millisecond to half a minute, the Prometheus steps.
const WALL_BOUNDS: [u32; 15] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    30_000_000,
];
/// Upper bounds of the engine's buckets in nanoseconds: a microsecond to ten milliseconds.
const ENGINE_BOUNDS: [u32; 12] =
    [1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000];

/// What one ended transaction adds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    /// Index into [`ACTIONS`].
    pub action: usize,
    /// What the client got; 0: nothing.
    pub status: u16,
    /// Whole duration.
    pub duration_micros: u32,
    /// To the head of the upstream's response.
    pub upstream_micros: Option<u32>,
    /// Inside the engine.
    pub engine_nanos: Option<u32>,
    /// Of the request's body.
    pub request_bytes: u64,
    /// Of the response's body.
    pub response_bytes: u64,
    /// Whether Observations are taken of it.
    pub is_sampled: bool,
    /// Whether it was sent twice.
    pub is_retried: bool,
}

/// A histogram of integers without a lock.
#[derive(Debug)]
struct Histogram<const N: usize> {
    /// Not cumulative; values above the last bound are in `over`.
    buckets: [AtomicU64; N],
    over: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Histogram { buckets: std::array::from_fn(|_| AtomicU64::new(0)), over: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

impl<const N: usize> Histogram<N> {
    fn observe(&self, bounds: &[u32; N], value: u32) {
        let bucket = self.buckets.get(bounds.partition_point(|bound| *bound < value)).unwrap_or(&self.over);
        bucket.fetch_add(1, Relaxed);
        self.sum.fetch_add(value.into(), Relaxed);
    }
}

/// One thread's counters of one zone.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    requests: [[AtomicU64; CLASSES.len()]; ACTIONS.len()],
    duration: Histogram<{ WALL_BOUNDS.len() }>,
    upstream: Histogram<{ WALL_BOUNDS.len() }>,
    engine: Histogram<{ ENGINE_BOUNDS.len() }>,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    sampled: AtomicU64,
    retried: AtomicU64,
}

/// The counters of one zone.
#[derive(Debug)]
pub struct ZoneMetrics {
    zone: String,
    stripes: Box<[Stripe]>,
}

impl ZoneMetrics {
    fn new(zone: &str, threads: usize) -> ZoneMetrics {
        let stripes = (0..threads.clamp(1, MAX_STRIPES)).map(|_| Stripe::default()).collect();
        ZoneMetrics { zone: zone.to_owned(), stripes }
    }

    fn count(&self, thread: usize, counted: &Counted) {
        let Some(stripe) = self.stripes.get(thread % self.stripes.len()) else { return };
        let class = usize::from(counted.status / 100).min(CLASSES.len() - 1);
        if let Some(cell) = stripe.requests.get(counted.action).and_then(|row| row.get(class)) {
            cell.fetch_add(1, Relaxed);
        }
        stripe.duration.observe(&WALL_BOUNDS, counted.duration_micros);
        if let Some(micros) = counted.upstream_micros {
            stripe.upstream.observe(&WALL_BOUNDS, micros);
        }
        if let Some(nanos) = counted.engine_nanos {
            stripe.engine.observe(&ENGINE_BOUNDS, nanos);
        }
        add(&stripe.request_bytes, counted.request_bytes);
        add(&stripe.response_bytes, counted.response_bytes);
        add(&stripe.sampled, counted.is_sampled.into());
        add(&stripe.retried, counted.is_retried.into());
    }

    fn sum(&self, of: impl Fn(&Stripe) -> &AtomicU64) -> u64 {
        self.stripes.iter().map(|stripe| of(stripe).load(Relaxed)).sum()
    }

    fn requests(&self) -> u64 {
        let cells = self.stripes.iter().flat_map(|stripe| stripe.requests.iter().flatten());
        cells.map(|cell| cell.load(Relaxed)).sum()
    }
}

/// More serving threads than this share stripes.
const MAX_STRIPES: usize = 64;

fn add(cell: &AtomicU64, amount: u64) {
    if amount != 0 {
        cell.fetch_add(amount, Relaxed);
    }
}

/// The zones' counters, as one collector. Read without a lock by every transaction, written when a bundle loads.
#[derive(Debug)]
pub struct ZoneTable {
    threads: usize,
    /// Counters of transactions without a zone.
    unknown: Arc<ZoneMetrics>,
    zones: ArcSwap<HashMap<String, Arc<ZoneMetrics>>>,
}

impl ZoneTable {
    /// An empty table for this many serving threads.
    pub fn new(threads: usize) -> ZoneTable {
        ZoneTable { threads, unknown: Arc::new(ZoneMetrics::new("", threads)), zones: ArcSwap::default() }
    }

    /// Counts one transaction of a zone; of one that no bundle named, under the empty id.
    pub fn count(&self, zone: &str, counted: &Counted) {
        STRIPE.with(|stripe| self.zones.load().get(zone).unwrap_or(&self.unknown).count(*stripe, counted));
    }

    /// Makes sure that these zones have counters. Others are kept, up to a bound: their last transactions may still run.
    pub fn serve<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let old = self.zones.load();
        let mut zones: HashMap<_, _> = if old.len() > MAX_ZONES_KEPT { HashMap::new() } else { old.as_ref().clone() };
        for id in ids {
            let zone = old.get(id).cloned();
            zones.entry(id.to_owned()).or_insert_with(|| zone.unwrap_or_else(|| Arc::new(ZoneMetrics::new(id, self.threads))));
        }
        self.zones.store(Arc::new(zones));
    }

    /// Transactions counted, all zones.
    pub fn requests(&self) -> u64 {
        self.snapshot().iter().map(|zone| zone.requests()).sum()
    }

    fn snapshot(&self) -> Vec<Arc<ZoneMetrics>> {
        let zones = self.zones.load();
        let mut all: Vec<_> = std::iter::once(&self.unknown).chain(zones.values()).cloned().collect();
        all.sort_by(|a, b| a.zone.cmp(&b.zone));
        all
    }
}

/// With more zones than this, those that the newest bundle does not name lose their counters.
const MAX_ZONES_KEPT: usize = 1_000;

/// Numbers threads as they first count.
static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's stripe, modulo their number.
    static STRIPE: usize = NEXT_STRIPE.fetch_add(1, Relaxed);
}

impl Collector for ZoneTable {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let zones = self.snapshot();
        encode_requests(&mut encoder, &zones)?;
        let (wall, engine) = (1e6, 1e9);
        encode_histograms(&mut encoder, &zones, &table::REQUEST_DURATION, &WALL_BOUNDS, wall, |s| &s.duration)?;
        encode_histograms(&mut encoder, &zones, &table::UPSTREAM_DURATION, &WALL_BOUNDS, wall, |s| &s.upstream)?;
        encode_histograms(&mut encoder, &zones, &table::ENGINE_DURATION, &ENGINE_BOUNDS, engine, |s| &s.engine)?;
        encode_counters(&mut encoder, &zones, &table::REQUEST_BODY_BYTES, |s| &s.request_bytes)?;
        encode_counters(&mut encoder, &zones, &table::RESPONSE_BODY_BYTES, |s| &s.response_bytes)?;
        encode_counters(&mut encoder, &zones, &table::SAMPLED, |s| &s.sampled)?;
        encode_counters(&mut encoder, &zones, &table::RETRIES, |s| &s.retried)
    }
}

fn describe<'s>(
    encoder: &'s mut DescriptorEncoder,
    def: &'s MetricDef,
    kind: MetricType,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(def.name, &format!("{}.", def.help), None, kind)
}

/// Every verdict of a zone, but only the classes that occurred: an empty series says nothing.
fn encode_requests(encoder: &mut DescriptorEncoder, zones: &[Arc<ZoneMetrics>]) -> Result<(), fmt::Error> {
    let mut metric = describe(encoder, &table::REQUESTS, MetricType::Counter)?;
    for zone in zones {
        for (a, action) in ACTIONS.iter().enumerate() {
            for (c, class) in CLASSES.iter().enumerate() {
                let count: u64 = zone.stripes.iter().map(|s| s.requests[a][c].load(Relaxed)).sum();
                if count > 0 {
                    let labels = [("zone", zone.zone.as_str()), ("action", action), ("status", class)];
                    ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
                }
            }
        }
    }
    Ok(())
}

fn encode_counters(
    encoder: &mut DescriptorEncoder,
    zones: &[Arc<ZoneMetrics>],
    def: &MetricDef,
    of: impl Fn(&Stripe) -> &AtomicU64,
) -> Result<(), fmt::Error> {
    let mut metric = describe(encoder, def, MetricType::Counter)?;
    for zone in zones {
        let labels = [("zone", zone.zone.as_str())];
        ConstCounter::new(zone.sum(&of)).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn encode_histograms<const N: usize>(
    encoder: &mut DescriptorEncoder,
    zones: &[Arc<ZoneMetrics>],
    def: &MetricDef,
    bounds: &[u32; N],
    units_per_second: f64,
    of: impl Fn(&Stripe) -> &Histogram<N>,
) -> Result<(), fmt::Error> {
    let mut metric = describe(encoder, def, MetricType::Histogram)?;
    for zone in zones {
        let labels = [("zone", zone.zone.as_str())];
        let sum = zone.sum(|s| &of(s).sum) as f64 / units_per_second;
        let mut buckets: Vec<(f64, u64)> =
            (0..N).map(|i| (f64::from(bounds[i]) / units_per_second, zone.sum(|s| &of(s).buckets[i]))).collect();
        buckets.push((f64::INFINITY, zone.sum(|s| &of(s).over)));
        let count = buckets.iter().map(|(_, n)| n).sum();
        metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
    }
    Ok(())
}
