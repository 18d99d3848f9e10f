//! What several targets need: a bundle made of parts whose manifest is right, so that the loader reads on into the parts.

use engine::{Bundle, LoadErrors};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const ZONE: &str = "00000000000000000000000000000001";

/// The texts of one zone's parts.
pub struct Parts {
    pub zone: Vec<u8>,
    pub operations: Vec<u8>,
    pub rules: Vec<u8>,
}

/// Loads a bundle of one zone with these parts.
pub fn load(parts: &Parts) -> Result<Bundle, LoadErrors> {
    let entries: Vec<(String, &[u8], Value)> = [("zone", &parts.zone), ("operations", &parts.operations), ("rules", &parts.rules)]
        .into_iter()
        .map(|(kind, bytes)| {
            let hash = sha256(bytes);
            let entry = json!({"kind": kind, "zone": ZONE, "format": 1, "sha256": hash, "bytes": bytes.len()});
            (hash, bytes.as_slice(), entry)
        })
        .collect();
    let manifest = json!({
        "format": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "zones": [{"id": ZONE, "name": "default", "policy_version": 1}],
        "parts": entries.iter().map(|(_, _, entry)| entry).collect::<Vec<_>>(),
    });
    Bundle::load(manifest.to_string().as_bytes(), &mut |wanted| {
        let found = entries.iter().find(|(hash, _, _)| hash == wanted);
        found.map(|(_, bytes, _)| bytes.to_vec()).ok_or_else(|| "no such part".to_owned())
    })
}

/// A zone part that is right: any host, one upstream.
pub fn zone_part() -> Value {
    json!({
        "id": ZONE, "name": "default", "hosts": [],
        "upstreams": [{"url": "http://127.0.0.1:9000", "protocol": "http1", "ca_file": null, "server_name": null}],
        "timeouts": {"connect_seconds": 5.0, "read_seconds": 60.0, "idle_seconds": 60.0},
        "inspection_limit_bytes": 65536, "merge_slashes": false,
        "observe": {"probability": 1.0, "full_per_minute": 60, "per_session_per_minute": 1000, "max_leaves": 200,
                    "body_copy_bytes": 65536, "literal_sessions": 5},
        "block": {"status": 403, "show_violations": true},
    })
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
