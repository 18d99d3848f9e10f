//! How a zone is served besides where its upstreams are: maintenance, balancing, retries. What the zone part may say of it, with
//! its defaults (a part without these members means them) and its ranges.

use serde::Deserialize;

use super::check::range;
use super::load::Errors;

/// Bytes of the sentence that maintenance shows.
const MAX_MESSAGE_BYTES: usize = 1_000;

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
