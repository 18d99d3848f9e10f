//! What the gateway counts, as Prometheus (OpenMetrics text) through the official client.
//!
//! Handles are resolved when a bundle loads or at start: the request path only adds to atomics. Whatever is rare (refusals,
//! errors, ejections) goes through a labelled family.

pub mod limits;
pub mod table;
pub mod zone;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use engine::limits::Counters as LimitCounters;
use engine::record::TrafficRecord;
use engine::transaction::{Ended, TokenUse};
use engine::verdict::Action;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use table::MetricDef;
pub use zone::{Counted, ZoneMetrics, ZoneTable};

/// `Content-Type` of a scrape.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// A family never holds more label sets than this; what comes later is counted under `other`.
const MAX_LABEL_SETS: usize = 500;

/// One label value: nearly always a stable code.
pub type Value = Cow<'static, str>;

/// Counters by label values, bounded.
#[derive(Debug, Clone)]
pub struct Counters<const N: usize> {
    names: &'static [&'static str],
    family: Family<[(&'static str, Value); N], Counter>,
    /// Over all label values.
    all: Counter,
    /// Label sets asked for that were new; at least as many as there are.
    sets: Arc<AtomicUsize>,
}

impl<const N: usize> Counters<N> {
    fn new(def: &MetricDef) -> Self {
        debug_assert_eq!(def.labels.len(), N);
        Counters { names: def.labels, family: Family::default(), all: Counter::default(), sets: Arc::default() }
    }

    /// Counts one.
    pub fn increment(&self, values: [Value; N]) {
        self.add(values, 1);
    }

    /// Counts several.
    pub fn add(&self, values: [Value; N], amount: u64) {
        self.all.inc_by(amount);
        let labels = self.labels(values);
        if let Some(counter) = self.family.get(&labels) {
            counter.inc_by(amount);
            return;
        }
        let is_full = self.sets.fetch_add(1, Relaxed) >= MAX_LABEL_SETS;
        let labels = if is_full { self.labels(std::array::from_fn(|_| Value::Borrowed("other"))) } else { labels };
        self.family.get_or_create(&labels).inc_by(amount);
    }

    /// The count of these label values.
    pub fn get(&self, values: [Value; N]) -> u64 {
        self.family.get(&self.labels(values)).map_or(0, |counter| counter.get())
    }

    /// The count over all label values.
    pub fn total(&self) -> u64 {
        self.all.get()
    }

    /// The counter of these label values, resolved once.
    pub fn handle(&self, values: [Value; N]) -> Counter {
        self.family.get_or_create_owned(&self.labels(values))
    }

    fn labels(&self, values: [Value; N]) -> [(&'static str, Value); N] {
        let mut names = self.names.iter().copied();
        values.map(|value| (names.next().unwrap_or("label"), value))
    }
}

/// A gauge of a float: seconds since 1970.
pub type Seconds = Gauge<f64, AtomicU64>;

/// One gauge that is 1 for the state in use, by label values; others are removed.
#[derive(Debug, Clone)]
pub struct StateGauge<const N: usize> {
    names: &'static [&'static str],
    family: Family<[(&'static str, Value); N], Gauge>,
}

impl<const N: usize> StateGauge<N> {
    fn new(def: &MetricDef) -> Self {
        StateGauge { names: def.labels, family: Family::default() }
    }

    /// Makes these label values the only ones.
    pub fn set(&self, values: [Value; N]) {
        let mut names = self.names.iter().copied();
        let labels = values.map(|value| (names.next().unwrap_or("label"), value));
        if self.family.get(&labels).is_none() {
            self.family.clear();
        }
        self.family.get_or_create(&labels).set(1);
    }
}

/// Everything the gateway counts. Fields that other parts write are public handles; see [`table`] for what each means.
pub struct Metrics {
    registry: Registry,
    zones: Arc<ZoneTable>,
    pub refused: Counters<1>,
    pub violations: Counters<2>,
    pub check_failures: Counters<2>,
    pub upstream_errors: Counters<2>,
    pub upstream_ejections: Counters<1>,
    pub upstreams_ejected: Gauge,
    pub upstream_checks: Counters<2>,
    pub upstreams_failing: Gauge,
    pub upstream_in_flight: Family<[(&'static str, Value); 1], Gauge>,
    pub health_ignored: Counters<1>,
    pub retries_denied: Counters<1>,
    pub zones_in_maintenance: Gauge,
    pub panics: Counters<1>,
    pub connections_plain: Counter,
    pub connections_tls: Counter,
    pub connections_open: Gauge,
    pub connection_errors: Counters<1>,
    pub upgrades_open: Gauge,
    pub records_written: Counter,
    pub violations_written: Counter,
    pub observations_written: Counter,
    pub records_dropped_queue_full: Counter,
    pub records_dropped_io: Counter,
    pub records_dropped_panic: Counter,
    pub records_errors: Counters<1>,
    pub records_queue_depth: Gauge,
    pub records_samples_dropped: Counter,
    pub records_segments: Counter,
    pub records_retired_bytes: Counters<1>,
    pub records_stored_bytes: Gauge,
    pub bundle_loads_ok: Counter,
    pub bundle_loads_failed: Counter,
    pub bundle: StateGauge<2>,
    pub bundle_loaded: Seconds,
    pub mode: StateGauge<1>,
    pub known_hosts: Gauge,
    pub known_hosts_forgone: Counter,
    tokens: Counters<1>,
    tokens_valid: Counter,
    token_cache_hits: Counter,
    pub token_cache_entries: Gauge,
    pub token_cache_bytes: Gauge,
    pub token_secrets_missing: Gauge,
    pub alerts: Family<[(&'static str, Value); 1], Gauge>,
    pub ready: Gauge,
    pub resident_memory: Gauge,
    pub started: Seconds,
}

/// Registers metrics under their rows of the table.
struct Registrar(Registry);

impl Registrar {
    fn register<M: Metric + Clone>(&mut self, def: &MetricDef, metric: M) -> M {
        self.0.register(def.name, def.help, metric.clone());
        metric
    }

    fn counter(&mut self, def: &MetricDef) -> Counter {
        self.register(def, Counter::default())
    }

    fn gauge<G: Metric + Clone + Default>(&mut self, def: &MetricDef) -> G {
        self.register(def, G::default())
    }

    fn counters<const N: usize>(&mut self, def: &MetricDef) -> Counters<N> {
        let counters = Counters::new(def);
        self.0.register(def.name, def.help, counters.family.clone());
        counters
    }

    fn state<const N: usize>(&mut self, def: &MetricDef) -> StateGauge<N> {
        let gauge = StateGauge::new(def);
        self.0.register(def.name, def.help, gauge.family.clone());
        gauge
    }
}

impl Metrics {
    /// All metrics at zero, for a gateway of this name with this many serving threads and these counters of limits.
    pub fn new(threads: usize, instance: &str, limits: Arc<LimitCounters>) -> Metrics {
        let mut to = Registrar(Registry::with_prefix("hoplon"));
        let zones = Arc::new(ZoneTable::new(threads));
        to.0.register_collector(Box::new(zones.clone()));
        to.0.register_collector(Box::new(limits::LimitsCollector(limits)));
        let build = [("version", env!("CARGO_PKG_VERSION").to_owned()), ("instance", instance.to_owned())];
        to.0.register(table::BUILD.name, table::BUILD.help, Info::new(build));
        let connections: Counters<1> = to.counters(&table::CONNECTIONS);
        let written: Counters<1> = to.counters(&table::RECORDS_WRITTEN);
        let dropped: Counters<1> = to.counters(&table::RECORDS_DROPPED);
        let loads: Counters<1> = to.counters(&table::BUNDLE_LOADS);
        let tokens: Counters<1> = to.counters(&table::TOKENS);
        Metrics {
            zones,
            refused: to.counters(&table::REFUSED),
            violations: to.counters(&table::VIOLATIONS),
            check_failures: to.counters(&table::CHECK_FAILURES),
            upstream_errors: to.counters(&table::UPSTREAM_ERRORS),
            upstream_ejections: to.counters(&table::UPSTREAM_EJECTIONS),
            upstreams_ejected: to.gauge(&table::UPSTREAMS_EJECTED),
            upstream_checks: to.counters(&table::UPSTREAM_CHECKS),
            upstreams_failing: to.gauge(&table::UPSTREAMS_FAILING),
            upstream_in_flight: to.gauge(&table::UPSTREAM_IN_FLIGHT),
            health_ignored: to.counters(&table::HEALTH_IGNORED),
            retries_denied: to.counters(&table::RETRIES_DENIED),
            zones_in_maintenance: to.gauge(&table::ZONES_IN_MAINTENANCE),
            panics: to.counters(&table::PANICS),
            connections_plain: connections.handle(["plain".into()]),
            connections_tls: connections.handle(["tls".into()]),
            connections_open: to.gauge(&table::CONNECTIONS_OPEN),
            connection_errors: to.counters(&table::CONNECTION_ERRORS),
            upgrades_open: to.gauge(&table::UPGRADES_OPEN),
            records_written: written.handle(["records".into()]),
            violations_written: written.handle(["violations".into()]),
            observations_written: written.handle(["observations".into()]),
            records_dropped_queue_full: dropped.handle(["queue_full".into()]),
            records_dropped_io: dropped.handle(["io".into()]),
            records_dropped_panic: dropped.handle(["panic".into()]),
            records_errors: to.counters(&table::RECORDS_ERRORS),
            records_queue_depth: to.gauge(&table::RECORDS_QUEUE),
            records_samples_dropped: to.counter(&table::RECORDS_SAMPLES_DROPPED),
            records_segments: to.counter(&table::RECORDS_SEGMENTS),
            records_retired_bytes: to.counters(&table::RECORDS_RETIRED_BYTES),
            records_stored_bytes: to.gauge(&table::RECORDS_STORED_BYTES),
            bundle_loads_ok: loads.handle(["ok".into()]),
            bundle_loads_failed: loads.handle(["failed".into()]),
            bundle: to.state(&table::BUNDLE),
            bundle_loaded: to.gauge(&table::BUNDLE_LOADED),
            mode: to.state(&table::MODE),
            known_hosts: to.gauge(&table::KNOWN_HOSTS),
            known_hosts_forgone: to.counter(&table::KNOWN_HOSTS_FORGONE),
            tokens_valid: tokens.handle(["valid".into()]),
            tokens,
            token_cache_hits: to.counter(&table::TOKEN_CACHE_HITS),
            token_cache_entries: to.gauge(&table::TOKEN_CACHE_ENTRIES),
            token_cache_bytes: to.gauge(&table::TOKEN_CACHE_BYTES),
            token_secrets_missing: to.gauge(&table::TOKEN_SECRETS_MISSING),
            alerts: to.gauge(&table::ALERT),
            ready: to.gauge(&table::READY),
            resident_memory: to.gauge(&table::RESIDENT_MEMORY),
            started: to.gauge(&table::STARTED),
            registry: to.0,
        }
    }

    /// The per-zone counters.
    pub fn zones(&self) -> &ZoneTable {
        &self.zones
    }

    /// Counts an ended transaction.
    pub fn ended(&self, ended: &Ended) {
        let record = &ended.record;
        self.zones.count(&record.zone, &counted(record));
        for violation in &ended.violations {
            self.violations.increment([zone_label(record), violation.code.to_string().into()]);
            if violation.action == Action::Refuse {
                self.refused.increment([violation.code.to_string().into()]);
            }
        }
        if let Some(error) = record.error {
            self.upstream_errors.increment([zone_label(record), error.into()]);
        }
        ended.tokens.iter().for_each(|token| self.token(*token));
        for failure in &ended.failures {
            self.check_failures.increment([failure.rule.to_string().into(), failure.mode.as_str().into()]);
        }
    }

    /// Nearly all are valid: that counter is resolved once.
    fn token(&self, token: TokenUse) {
        if token.code == "valid" {
            self.tokens_valid.inc();
        } else {
            self.tokens.increment([token.code.into()]);
        }
        if token.is_cached {
            self.token_cache_hits.inc();
        }
    }

    /// Counts a panic of the engine in one transaction.
    pub fn engine_panicked(&self) {
        self.panics.increment(["engine".into()]);
    }

    /// Counts a request that was answered 503 because no bundle is loaded.
    pub fn refused_without_bundle(&self) {
        self.refused.increment(["no_bundle".into()]);
    }

    /// Counts a client whose TLS handshake failed.
    pub fn tls_handshake_failed(&self) {
        self.connection_errors.increment(["tls_handshake".into()]);
    }

    /// Makes these the alerts that are raised.
    pub fn show_alerts(&self, names: impl Iterator<Item = &'static str>) {
        self.alerts.clear();
        for name in names {
            self.alerts.get_or_create(&[("alert", name.into())]).set(1);
        }
    }

    /// Makes these the upstreams with requests under way.
    pub fn show_in_flight(&self, upstreams: impl Iterator<Item = (String, usize)>) {
        self.upstream_in_flight.clear();
        for (url, requests) in upstreams.take(MAX_LABEL_SETS) {
            self.upstream_in_flight.get_or_create(&[("upstream", url.into())]).set(requests as i64);
        }
    }

    /// Records dropped for any reason.
    pub fn records_dropped(&self) -> u64 {
        self.records_dropped_queue_full.get() + self.records_dropped_io.get() + self.records_dropped_panic.get()
    }

    /// The text of a scrape.
    ///
    /// # Errors
    /// Only what formatting into a `String` can give.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn zone_label(record: &TrafficRecord) -> Value {
    record.zone.to_string().into()
}

fn counted(record: &TrafficRecord) -> Counted {
    Counted {
        action: record.action as usize,
        status: record.status,
        duration_micros: record.duration_us,
        upstream_micros: record.upstream_us,
        engine_nanos: record.engine_ns,
        request_bytes: record.request_bytes,
        response_bytes: record.response_bytes,
        is_sampled: record.sample_probability.is_some(),
        is_retried: record.retried,
    }
}

/// Resident memory of this process in bytes, from `/proc/self/statm` (proc(5): second field, pages of 4 KiB on every platform
/// the wheel is built for); 0 where that file is missing.
pub fn resident_memory_bytes() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<i64>().ok()).unwrap_or(0) * 4096
}

#[cfg(test)]
mod tests;
