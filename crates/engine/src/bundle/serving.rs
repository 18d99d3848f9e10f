//! How a zone is served besides where its upstreams are: maintenance, balancing, retries, health checks. What the zone part may
//! say of it, with its defaults (a part without these members means them) and its ranges.

use std::time::Duration;

use serde::Deserialize;

use super::check::range;
use super::load::Errors;

/// Bytes of the sentence that maintenance shows.
const MAX_MESSAGE_BYTES: usize = 1_000;
/// Bytes of what a health check asks for.
const MAX_TARGET_BYTES: usize = 2_048;

/// Whether requests are answered 503 instead of being sent upstream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceSettings {
    pub enabled: bool,
    /// What `Retry-After` says.
    pub retry_after_seconds: u32,
    /// A sentence for clients; none when empty.
    pub message: String,
}

impl Default for MaintenanceSettings {
    fn default() -> Self {
        Self { enabled: false, retry_after_seconds: 60, message: String::new() }
    }
}

/// How an upstream is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BalancingMethod {
    /// The one with the fewest requests under way; of several, in turn.
    LeastRequests,
    /// In turn.
    RoundRobin,
}

/// How requests are spread over the upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalancingSettings {
    pub method: BalancingMethod,
    /// With fewer healthy upstreams than this share, health is ignored: the few would fall under the load of all.
    pub panic_percent: u8,
}

impl Default for BalancingSettings {
    fn default() -> Self {
        Self { method: BalancingMethod::LeastRequests, panic_percent: 50 }
    }
}

/// How many retries there may be, so that they do not multiply the load of an upstream in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrySettings {
    /// Of the requests.
    pub budget_percent: u8,
    /// So many each second whatever the number of requests.
    pub min_per_second: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { budget_percent: 20, min_per_second: 3 }
    }
}

/// How upstreams are asked whether they are well.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthEntry {
    pub path: String,
    pub interval_seconds: f64,
    pub timeout_seconds: f64,
    pub status: u16,
    pub failures: u32,
    pub successes: u32,
}

/// An active health check, of each upstream of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path and query of the GET.
    pub path: String,
    /// Between two checks.
    pub interval: Duration,
    /// For connection and answer together.
    pub timeout: Duration,
    /// The answer of a healthy one.
    pub status: u16,
    /// So many in a row make a healthy one unhealthy.
    pub failures: u32,
    /// So many in a row make an unhealthy one healthy.
    pub successes: u32,
}

pub(super) fn health(path: &str, entry: HealthEntry, errors: &mut Errors) -> HealthCheck {
    if !is_target(&entry.path) {
        errors.add(
            format_args!("{path}.path"),
            format_args!("is not a path with `/` first, at most {MAX_TARGET_BYTES} visible ASCII characters, without `#`"),
        );
    }
    range(format_args!("{path}.interval_seconds"), entry.interval_seconds, 0.1..=3_600.0, errors);
    range(format_args!("{path}.timeout_seconds"), entry.timeout_seconds, 0.001..=60.0, errors);
    range(format_args!("{path}.status"), entry.status, 200..=599, errors);
    range(format_args!("{path}.failures"), entry.failures, 1..=100, errors);
    range(format_args!("{path}.successes"), entry.successes, 1..=100, errors);
    HealthCheck {
        path: entry.path,
        interval: Duration::try_from_secs_f64(entry.interval_seconds).unwrap_or_default(),
        timeout: Duration::try_from_secs_f64(entry.timeout_seconds).unwrap_or_default(),
        status: entry.status,
        failures: entry.failures,
        successes: entry.successes,
    }
}

fn is_target(text: &str) -> bool {
    text.len() <= MAX_TARGET_BYTES && text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

pub(super) fn maintenance(path: &str, settings: &MaintenanceSettings, errors: &mut Errors) {
    range(format_args!("{path}.retry_after_seconds"), settings.retry_after_seconds, 0..=86_400, errors);
    if settings.message.len() > MAX_MESSAGE_BYTES || settings.message.chars().any(char::is_control) {
        errors.add(
            format_args!("{path}.message"),
            format_args!("is not at most {MAX_MESSAGE_BYTES} bytes without control characters"),
        );
    }
}

pub(super) fn balancing(path: &str, settings: BalancingSettings, errors: &mut Errors) {
    range(format_args!("{path}.panic_percent"), settings.panic_percent, 0..=100, errors);
}

pub(super) fn retries(path: &str, settings: RetrySettings, errors: &mut Errors) {
    range(format_args!("{path}.budget_percent"), settings.budget_percent, 0..=100, errors);
    range(format_args!("{path}.min_per_second"), settings.min_per_second, 0..=1_000, errors);
}
