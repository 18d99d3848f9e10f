//! For tests, benches and fuzzing, here and in other crates: bundles written as JSON values and loaded as any other. Nothing here
//! runs in production.

pub mod programs;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::bundle::{Bundle, BundleHash, LoadErrors, TokenInputs};
use crate::record::TrafficRecord;
use crate::replay::RecordRow;

/// The id of [`zone`].
pub const ZONE_ID: &str = "0123456789abcdef0123456789abcdef";

/// A bundle that is being written.
#[derive(Clone, Debug)]
pub struct BundleText {
    pub manifest: Value,
    /// By SHA-256.
    pub parts: HashMap<String, Vec<u8>>,
}

impl Default for BundleText {
    fn default() -> Self {
        let manifest = json!({"format": 1, "created_at": "2026-11-21T12:00:00Z", "zones": [], "parts": []});
        Self { manifest, parts: HashMap::new() }
    }
}

impl BundleText {
    /// One zone for any host with these operations (`["GET", "api.example.com", "/users/{id}"]`) and rules.
    #[must_use]
    pub fn of(operations: &[[&str; 3]], rules: &Value) -> Self {
        Self::default().with(&zone(ZONE_ID, &[]), &operations_part(operations), &json!({"rules": rules}))
    }

    /// Adds a zone: its three parts.
    #[must_use]
    pub fn with(mut self, zone: &Value, operations: &Value, rules: &Value) -> Self {
        let entry = json!({"id": zone["id"], "name": zone["name"], "policy_version": 1});
        push(&mut self.manifest["zones"], entry);
        for (kind, part) in [("zone", zone), ("operations", operations), ("rules", rules)] {
            self.add_part(kind, &zone["id"], part);
        }
        self
    }

    /// Gives the zone of [`zone`] session identifiers (`["header", "x-user"]`).
    #[must_use]
    pub fn identified_by(mut self, identifiers: &[[&str; 2]]) -> Self {
        let entries = identifiers.iter().map(|[kind, name]| json!({"type": kind, "name": name}));
        let part = json!({"identifiers": entries.collect::<Vec<_>>()});
        self.add_part("identity", &json!(ZONE_ID), &part);
        self
    }

    /// Gives the zone of [`zone`] named lists (`{"name", "kind", "items"}`).
    #[must_use]
    pub fn listing(mut self, lists: &Value) -> Self {
        self.add_part("lists", &json!(ZONE_ID), &json!({"lists": lists}));
        self
    }

    /// Gives the zone of [`zone`] another part.
    #[must_use]
    pub fn with_part(mut self, kind: &str, part: &Value) -> Self {
        self.add_part(kind, &json!(ZONE_ID), part);
        self
    }

    /// Gives the zone of [`zone`] limits.
    #[must_use]
    pub fn limited_by(mut self, limits: &[Value]) -> Self {
        self.add_part("limits", &json!(ZONE_ID), &json!({"limits": limits}));
        self
    }

    fn add_part(&mut self, kind: &str, zone: &Value, part: &Value) {
        let bytes = part.to_string().into_bytes();
        let sha256 = BundleHash::of(&bytes).to_string();
        let entry = json!({"kind": kind, "zone": zone, "format": 1, "sha256": sha256, "bytes": bytes.len()});
        push(&mut self.manifest["parts"], entry);
        self.parts.insert(sha256, bytes);
    }

    /// Loads it.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn load(&self) -> Result<Bundle, LoadErrors> {
        self.load_with(&TokenInputs::default())
    }

    /// Loads it.
    ///
    /// # Errors
    /// As [`Bundle::load_with`].
    pub fn load_with(&self, tokens: &TokenInputs) -> Result<Bundle, LoadErrors> {
        let mut fetch = |sha256: &str| self.parts.get(sha256).cloned().ok_or_else(|| "there is no such file".to_owned());
        Bundle::load_with(self.manifest.to_string().as_bytes(), &mut fetch, tokens)
    }
}

/// A zone part with these hosts and the defaults of a policy.
#[must_use]
pub fn zone(id: &str, hosts: &[&str]) -> Value {
    json!({
        "id": id, "name": "default", "hosts": hosts,
        "upstreams": [{"url": "http://127.0.0.1:9000", "protocol": "http1", "ca_file": null, "server_name": null}],
        "timeouts": {"connect_seconds": 5.0, "read_seconds": 60.0, "idle_seconds": 60.0},
        "inspection_limit_bytes": 1_048_576, "merge_slashes": false,
        "observe": {"probability": 0.02, "full_per_minute": 60, "per_session_per_minute": 30, "max_leaves": 200,
                    "body_copy_bytes": 65_536, "literal_sessions": 5},
        "block": {"status": 403, "show_violations": false},
    })
}

/// An operations part of method, host and path each.
#[must_use]
pub fn operations_part(operations: &[[&str; 3]]) -> Value {
    let entries = operations.iter().enumerate().map(
        |(index, [method, host, path])| json!({"id": format!("operation-{index}"), "method": method, "host": host, "path": path}),
    );
    json!({"operations": entries.collect::<Vec<_>>()})
}

/// A rule that asks this fact at the end of this phase.
#[must_use]
pub fn rule(id: &str, phase: &str, fact: &str, action: &str, violation: &str, fail: &str) -> Value {
    json!({"id": id, "phase": phase, "fact": fact, "action": action, "violation": violation, "fail": fail})
}

/// A rule of this stage that asks a program.
#[must_use]
pub fn program_rule(id: &str, stage: &str, nodes: &Value, action: &str) -> Value {
    json!({"id": id, "stage": stage, "when": {"nodes": nodes}, "action": action, "violation": "rules.custom", "fail": "open"})
}

/// A limit of so many requests in ten seconds by client, about every request, that blocks.
#[must_use]
pub fn limit(id: &str, requests: u32) -> Value {
    json!({
        "id": id, "when": {"nodes": [["bool", true]]}, "key": [{"nodes": [["fact", "ip.src"]]}], "count_when": null,
        "period_seconds": 10, "requests": requests, "score": null, "score_header": null, "in_flight": null,
        "mitigation_seconds": 0, "to_origin": false, "action": "block", "fail": "open", "violation": "limits.exceeded",
    })
}

fn push(list: &mut Value, entry: Value) {
    if let Value::Array(list) = list {
        list.push(entry);
    }
}

/// A record as it is read back from storage, under this id.
#[must_use]
pub fn row<'r>(record: &'r TrafficRecord, id: &'r str) -> RecordRow<'r> {
    RecordRow {
        id,
        time: record.time,
        zone: &record.zone,
        gateway: "one",
        method: &record.method,
        scheme: record.scheme,
        http_version: record.http_version,
        host: &record.host,
        host_known: record.host_known,
        path: &record.path,
        path_anomalies: &record.path_anomalies,
        session: record.session,
        session_source: Some(record.session_source),
        session_policy: record.session_policy.as_deref(),
        client: Some(record.client),
        upstream_status: record.upstream_status,
        upstream: record.upstream,
        upstream_us: record.upstream_us,
        duration_us: record.duration_us,
        action: Some(record.action),
        request_bytes: record.request_bytes,
        request_complete: Some(record.request_complete),
        request_content_type: record.request_content_type.as_deref(),
        response_content_type: record.response_content_type.as_deref(),
        preflight: Some(record.preflight),
        method_override: Some(record.method_override),
        form_override: record.form_override,
        tokens: record.tokens.as_deref(),
    }
}
