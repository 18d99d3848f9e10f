//! The end of a transaction: what is written down of it. Nothing here may hold a secret: paths go through `observe` first.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

use super::Transaction;
use super::inspected::Inspected;
use super::message::{BodyLength, Outcome};
use crate::hash::SessionSource;
use crate::observe::{OTHER_METHOD, Sample, redact_host, redact_method, redact_path};
use crate::record::{TrafficRecord, Violation};
use crate::tokens::{self, Configuration, Judged};
use crate::verdict::CheckFailure;

/// What is left of a transaction.
#[derive(Debug)]
pub struct Ended {
    pub record: TrafficRecord,
    pub violations: Vec<Violation>,
    /// Checks that failed themselves.
    pub failures: Vec<CheckFailure>,
    /// Of each token that was asked about.
    pub tokens: SmallVec<[TokenUse; 1]>,
    /// Raw bounded copies for Observations, when it was sampled. In memory only.
    pub sample: Option<Box<Sample>>,
}

/// What became of one token, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// `absent`, `valid` or the code of the error.
    pub code: &'static str,
    /// The signature was not verified again.
    pub is_cached: bool,
}

impl Transaction {
    /// The driver tells what happened outside. Effects are in the verdict, to be taken before.
    #[must_use]
    pub fn end(mut self, outcome: &Outcome) -> Ended {
        let record = self.record(outcome);
        let tokens = self.inspected.judged_tokens();
        let tokens = tokens.map(|(_, judged)| TokenUse { code: judged.outcome.code(), is_cached: judged.is_cached }).collect();
        Ended { record, violations: self.verdict.violations, failures: self.verdict.failures, tokens, sample: self.sample }
    }

    fn record(&mut self, outcome: &Outcome) -> TrafficRecord {
        let seen = &mut self.inspected;
        let session = self.session;
        let dropped = self.verdict.violations_dropped;
        TrafficRecord {
            id: self.id,
            time: seen.began,
            zone: seen.zone().map(|zone| zone.id.clone()).unwrap_or_default(),
            mode: self.mode,
            method: recorded_method(std::mem::take(&mut seen.method)),
            scheme: seen.scheme.as_str(),
            http_version: seen.version.as_str(),
            host: recorded_host(&seen.host),
            host_known: seen.host_known,
            path: redact_path(seen.path(), seen.operation().map(|operation| &operation.plan), &self.keys),
            path_anomalies: seen.anomalies.names().collect::<Vec<_>>().join(","),
            operation_id: seen.operation().map(|operation| operation.id.clone()),
            operation_path: seen.operation().map(|operation| operation.path.clone()),
            session: session.map(|session| session.hash),
            session_source: session.map_or(SessionSource::ClientAddress, |session| session.source),
            session_verified: session.is_some_and(|session| session.is_verified),
            client: self.keys.client(seen.client),
            status: outcome.status,
            upstream_status: outcome.upstream_status,
            upstream: outcome.upstream,
            action: self.verdict.action,
            rule: self.verdict.rule.clone(),
            violation_count: u16::try_from(self.verdict.violations.len() as u32 + dropped).unwrap_or(u16::MAX),
            error: outcome.error,
            failures: self.verdict.failures.iter().map(failure_text).collect::<Vec<_>>().join(","),
            bundle: seen.bundle.short_hash.clone(),
            request_bytes: outcome.request_body_bytes,
            response_bytes: outcome.response_body_bytes,
            request_content_type: seen.request_content_type.take(),
            response_content_type: self.response_content_type.take(),
            duration_us: u32::try_from(outcome.end.since(seen.began).as_micros()).unwrap_or(u32::MAX),
            upstream_us: outcome.upstream_micros,
            engine_ns: None,
            inspection: seen.body.inspection(),
            sample_probability: self.sample_probability,
            upgraded: outcome.upgraded,
            retried: outcome.retried,
            tls: outcome.tls,
            request_complete: outcome.request_complete || seen.body_length == BodyLength::None,
            session_policy: seen.zone().map(|zone| zone.identity_hash.clone()),
            preflight: seen.is_preflight,
            method_override: seen.has_method_override,
            form_override: seen.form_override.get().copied(),
            tokens: tokens_text(seen),
        }
    }
}

/// As [`redact_method`], without a copy where it stays.
fn recorded_method(method: Cow<'static, str>) -> Cow<'static, str> {
    if redact_method(&method) == method { method } else { OTHER_METHOD.into() }
}

/// As [`redact_host`], without a copy where it stays.
fn recorded_host(host: &Arc<str>) -> Arc<str> {
    let redacted = redact_host(host);
    if *redacted == **host { host.clone() } else { redacted.as_ref().into() }
}

fn failure_text(failure: &CheckFailure) -> String {
    format!("{}:{}:{}", failure.rule, failure.error.as_str(), failure.mode.as_str())
}

/// What became of the tokens that something asked about: `<configuration>@<its hash>=<code>`, joined by `;`.
fn tokens_text(seen: &Inspected) -> Option<Arc<str>> {
    let mut judged = seen.judged_tokens();
    let (configuration, first) = judged.next()?;
    let mut rest = judged.peekable();
    if rest.peek().is_none() && matches!(first.outcome, tokens::Outcome::Valid(_)) {
        return Some(configuration.recorded_valid.clone());
    }
    let text =
        |(configuration, judged): (&Configuration, &Judged)| format!("{}={}", configuration.recorded_as, judged.outcome.code());
    let texts: Vec<_> = std::iter::once((configuration, first)).chain(rest).map(text).collect();
    Some(texts.join(";").into())
}

/// What the sampler's budgets are kept by: the saved operation, else method, host and the path's first segment.
pub(super) fn operation_key(seen: &Inspected) -> u64 {
    let mut hasher = DefaultHasher::new();
    match (seen.zone, seen.operation) {
        (Some(zone), Some(operation)) => (zone.index(), operation).hash(&mut hasher),
        _ => (&*seen.method, &*seen.host, seen.path().split('/').nth(1)).hash(&mut hasher),
    }
    hasher.finish()
}
