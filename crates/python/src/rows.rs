//! Rows of the three record tables as Python dictionaries, keyed by the columns of `engine::record`.

use engine::record::{Observation, TrafficRecord, Violation};
use engine::verdict::Quota;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A record, without the columns that only a gateway knows (`gateway`).
pub fn record<'py>(py: Python<'py>, record: &TrafficRecord) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    identity(&row, record)?;
    judgement(&row, record)?;
    measures(&row, record)?;
    Ok(row)
}

fn identity(row: &Bound<'_, PyDict>, record: &TrafficRecord) -> PyResult<()> {
    row.set_item("id", record.id.to_string())?;
    row.set_item("time", record.time.micros())?;
    row.set_item("zone", &*record.zone)?;
    row.set_item("mode", record.mode.as_str())?;
    row.set_item("method", &*record.method)?;
    row.set_item("scheme", record.scheme)?;
    row.set_item("http_version", record.http_version)?;
    row.set_item("host", &*record.host)?;
    row.set_item("host_known", record.host_known)?;
    row.set_item("path", &*record.path)?;
    row.set_item("path_anomalies", &*record.path_anomalies)?;
    row.set_item("operation_id", record.operation_id.as_deref())?;
    row.set_item("operation_path", record.operation_path.as_deref())?;
    row.set_item("session", record.session.map(|hash| hash.to_string()))?;
    row.set_item("session_source", record.session_source.as_str())?;
    row.set_item("session_verified", record.session_verified)?;
    row.set_item("client", record.client.to_string())?;
    row.set_item("session_policy", record.session_policy.as_deref())?;
    row.set_item("preflight", record.preflight)?;
    row.set_item("method_override", record.method_override)?;
    row.set_item("form_override", record.form_override)
}

fn judgement(row: &Bound<'_, PyDict>, record: &TrafficRecord) -> PyResult<()> {
    row.set_item("action", record.action.as_str())?;
    row.set_item("rule", record.rule.as_deref())?;
    row.set_item("violation_count", record.violation_count)?;
    row.set_item("error", record.error)?;
    row.set_item("failures", &*record.failures)?;
    row.set_item("bundle", &*record.bundle)?;
    row.set_item("inspection", record.inspection.as_str())?;
    row.set_item("sample_probability", record.sample_probability)
}

fn measures(row: &Bound<'_, PyDict>, record: &TrafficRecord) -> PyResult<()> {
    row.set_item("status", record.status)?;
    row.set_item("upstream_status", record.upstream_status)?;
    row.set_item("upstream", record.upstream)?;
    row.set_item("request_bytes", record.request_bytes)?;
    row.set_item("response_bytes", record.response_bytes)?;
    row.set_item("request_content_type", record.request_content_type.as_deref())?;
    row.set_item("response_content_type", record.response_content_type.as_deref())?;
    row.set_item("duration_us", record.duration_us)?;
    row.set_item("upstream_us", record.upstream_us)?;
    row.set_item("engine_ns", record.engine_ns)?;
    row.set_item("upgraded", record.upgraded)?;
    row.set_item("retried", record.retried)?;
    row.set_item("tls", record.tls)?;
    row.set_item("request_complete", record.request_complete)?;
    row.set_item("tokens", record.tokens.as_deref())
}

/// One violation: code, location, evidence, rule, action.
pub fn violation<'py>(py: Python<'py>, violation: &Violation) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("code", &*violation.code)?;
    row.set_item("location", &*violation.location)?;
    row.set_item("evidence", &*violation.evidence)?;
    row.set_item("rule", violation.rule.as_deref())?;
    row.set_item("action", violation.action.as_str())?;
    Ok(row)
}

/// What one value looked like, without the columns of its record.
pub fn observation<'py>(py: Python<'py>, observation: &Observation) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("direction", observation.direction.as_str())?;
    row.set_item("location", observation.location.as_str())?;
    row.set_item("pointer", &*observation.pointer)?;
    row.set_item("type", observation.value_type.as_str())?;
    row.set_item("length", observation.length)?;
    row.set_item("charset", observation.charset.to_string())?;
    row.set_item("number", observation.number)?;
    row.set_item("formats", observation.formats.names().collect::<Vec<_>>())?;
    row.set_item("detectors", observation.detectors.names().collect::<Vec<_>>())?;
    row.set_item("hash", observation.hash.map(|hash| hash.to_string()))?;
    row.set_item("literal", observation.literal.as_deref())?;
    Ok(row)
}

/// What a limit leaves to the client.
pub fn quota<'py>(py: Python<'py>, quota: &Quota) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("limit", &*quota.limit)?;
    row.set_item("unit", quota.unit.as_str())?;
    row.set_item("most", quota.most)?;
    row.set_item("period_seconds", quota.period_seconds)?;
    row.set_item("remaining", quota.remaining)?;
    row.set_item("reset_seconds", quota.reset_seconds)?;
    row.set_item("retry_after_seconds", quota.retry_after_seconds)?;
    Ok(row)
}
