//! What the gateway says about itself: whether it is ready and why not, and the document of the status file.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use crate::bundles::Problem;
use crate::calendar::rfc3339;
use crate::metrics::resident_memory_bytes;
use crate::shared::{Phase, Shared};

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
pub struct Readiness {
    /// Whether requests are accepted and judged.
    pub ready: bool,
    /// Why not, in sentences.
    pub reasons: Vec<String>,
    /// What needs attention although requests are served.
    pub alerts: BTreeMap<&'static str, String>,
}

impl Readiness {
    /// As of now.
    pub fn of(shared: &Shared) -> Readiness {
        let reasons: Vec<String> = phase_reason(shared).into_iter().chain(bundle_reason(shared)).collect();
        Readiness { ready: reasons.is_empty(), reasons, alerts: shared.alerts.all() }
    }
}

fn phase_reason(shared: &Shared) -> Option<String> {
    match shared.phase.load() {
        Phase::Serving => None,
        _ if shared.has_left() => None, // whoever connects now is served by the successor
        Phase::Starting => Some("the listeners are not open yet".into()),
        Phase::Draining => Some("the gateway is stopping and waits for running requests".into()),
        Phase::Stopped => Some("the gateway has stopped".into()),
    }
}

fn bundle_reason(shared: &Shared) -> Option<String> {
    if shared.bundle.load().is_some() {
        return None;
    }
    let problems = shared.bundles.get().problems;
    let first = problems.first().map(|p| format!(" ({}: {})", p.path, p.message)).unwrap_or_default();
    Some(format!("no bundle is loaded, every request is answered 503{first}"))
}

/// Upstreams that the status file names.
const MAX_UPSTREAMS_SHOWN: usize = 100;

/// The document in `run/gateway.status.json`.
#[derive(Debug, Serialize)]
pub struct Status {
    pid: u32,
    instance: String,
    version: &'static str,
    phase: &'static str,
    started_at: String,
    time: String,
    bundle: Option<String>,
    serving: &'static str,
    bundle_refused: Option<String>,
    bundle_errors: Vec<Problem>,
    mode: &'static str,
    listen: Vec<String>,
    status: String,
    requests: u64,
    records: RecordCounts,
    failing_upstreams: Vec<String>,
    alerts: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct RecordCounts {
    written: u64,
    dropped: u64,
    errors: u64,
    queued: usize,
}

impl Status {
    /// As of now.
    pub fn of(shared: &Shared) -> Status {
        let bundles = shared.bundles.get();
        let listening = shared.listening.get();
        Status {
            pid: std::process::id(),
            instance: shared.config.instance.clone(),
            version: env!("CARGO_PKG_VERSION"),
            phase: shared.phase.load().as_str(),
            started_at: rfc3339(shared.started),
            time: rfc3339(SystemTime::now()),
            bundle: bundles.hash,
            serving: bundles.serving.as_str(),
            bundle_refused: bundles.refused,
            bundle_errors: bundles.problems,
            mode: shared.mode.load().as_str(),
            listen: listening.map_or_else(Vec::new, |l| l.clients.iter().map(ToString::to_string).collect()),
            status: listening.map_or_else(|| shared.config.status.address, |l| l.status).to_string(),
            requests: shared.metrics.zones().requests(),
            records: RecordCounts {
                written: shared.metrics.records_written.get(),
                dropped: shared.metrics.records_dropped(),
                errors: shared.metrics.records_errors.total(),
                queued: shared.records.len(),
            },
            failing_upstreams: shared.health.failing().into_iter().take(MAX_UPSTREAMS_SHOWN).collect(),
            alerts: shared.alerts.all(),
        }
    }
}

fn zones_in_maintenance(shared: &Shared) -> usize {
    let bundle = shared.bundle.load();
    bundle.as_ref().map_or(0, |bundle| bundle.zones().iter().filter(|zone| zone.maintenance.enabled).count())
}

/// Sets the gauges that nobody keeps up to date between scrapes.
pub fn refresh(shared: &Shared) {
    let metrics = &shared.metrics;
    metrics.ready.set(Readiness::of(shared).ready.into());
    metrics.records_queue_depth.set(shared.records.len() as i64);
    metrics.known_hosts.set(shared.hosts.len() as i64);
    let (entries, bytes) = shared.token_cache.size();
    metrics.token_cache_entries.set(entries as i64);
    metrics.token_cache_bytes.set(bytes as i64);
    metrics.upstreams_ejected.set(shared.health.ejected() as i64);
    metrics.upstreams_failing.set(shared.health.failing().len() as i64);
    metrics.show_in_flight(shared.health.in_flight().into_iter());
    metrics.zones_in_maintenance.set(zones_in_maintenance(shared) as i64);
    metrics.resident_memory.set(resident_memory_bytes());
    metrics.mode.set([shared.mode.load().as_str().into()]);
    metrics.show_alerts(shared.alerts.all().into_keys());
}
