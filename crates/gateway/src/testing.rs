//! What tests of this crate share: a directory that goes away with its test, a gateway's shared parts in it, a record.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use engine::bundle::BundleHash;
use engine::hash::{Hash64, Keys, SessionSource};
use engine::record::{Inspection, TrafficRecord, Violation};
use engine::timestamp::Timestamp;
use engine::transaction::{Ended, Mode, RequestId};
use engine::verdict::Action;

use crate::config::Config;
use crate::shared::Shared;
pub use crate::upstream::{balance, health, retries};

/// A fresh directory, removed when dropped.
pub struct TempDir(PathBuf);

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Default for TempDir {
    fn default() -> Self {
        TempDir::new()
    }
}

impl TempDir {
    /// A new one below the system's directory for temporary files.
    pub fn new() -> TempDir {
        let name = format!("hoplon-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path inside it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The configuration of a gateway whose state is in `directory`, with these settings of records.
pub fn config(directory: &Path, records: &str) -> Config {
    let directory = directory.display();
    Config::parse(&format!(
        r#"{{"state_dir":"{directory}","instance":"gw-1","listen":[{{"address":"127.0.0.1:0"}}],"status":{{"address":"127.0.0.1:0"}},"records":{{{records}}}}}"#
    ))
    .unwrap()
}

/// Shared parts in `directory` with these settings of records.
pub fn shared(directory: &Path, records: &str) -> Arc<Shared> {
    Arc::new(Shared::new(config(directory, records), Keys::derive(&[7; 32])))
}

/// A zone part with every member; nothing listens at its upstream.
const ZONE: &str = r#"{"id":"ID","name":"NAME","hosts":[],
"upstreams":[{"url":"http://127.0.0.1:9","protocol":"http1","ca_file":null,"server_name":null}],
"timeouts":{"connect_seconds":5.0,"read_seconds":60.0,"idle_seconds":60.0},"inspection_limit_bytes":1048576,"merge_slashes":false,
"observe":{"probability":0.02,"full_per_minute":60,"per_session_per_minute":30,"max_leaves":200,"body_copy_bytes":65536,"literal_sessions":5},
"block":{"status":403,"show_violations":false}}"#;

/// 64 hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    BundleHash::of(bytes).to_string()
}

/// Writes a bundle of one zone with this name to `bundles/current`, its parts first; gives the manifest.
pub fn put_bundle(state: &Path, name: &str) -> Vec<u8> {
    let id = "0123456789abcdef0123456789abcdef";
    let zone = ZONE.replace("ID", id).replace("NAME", name);
    let parts = [("zone", zone.as_str()), ("operations", r#"{"operations":[]}"#), ("rules", r#"{"rules":[]}"#)];
    std::fs::create_dir_all(state.join("bundles/parts")).unwrap();
    let listed = parts.map(|(kind, bytes)| {
        let sha256 = sha256(bytes.as_bytes());
        std::fs::write(state.join("bundles/parts").join(&sha256), bytes).unwrap();
        format!(r#"{{"kind":"{kind}","zone":"{id}","format":1,"sha256":"{sha256}","bytes":{}}}"#, bytes.len())
    });
    let manifest = format!(
        r#"{{"format":1,"created_at":"2026-11-21T12:00:00Z","zones":[{{"id":"{id}","name":"{name}","policy_version":1}}],"parts":[{}]}}"#,
        listed.join(",")
    );
    crate::files::replace(&state.join("bundles/current"), manifest.as_bytes()).unwrap();
    manifest.into_bytes()
}

/// Waits until it is so.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "not within 20 seconds: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An ended transaction whose path carries its number; every seventh is blocked.
pub fn ended(number: u64) -> Ended {
    let is_blocked = number.is_multiple_of(7);
    let violation = Violation {
        code: "operations.fallthrough".into(),
        location: "path".into(),
        evidence: "no saved operation".into(),
        rule: Some("operations.fallthrough".into()),
        action: Action::Block,
    };
    Ended {
        violations: if is_blocked { vec![violation] } else { vec![] },
        sample: None,
        tokens: Default::default(),
        failures: vec![],
        record: TrafficRecord {
            violation_count: is_blocked.into(),
            rule: is_blocked.then(|| "operations.fallthrough".into()),
            action: if is_blocked { Action::Block } else { Action::Allow },
            status: if is_blocked { 403 } else { 200 },
            ..record(number)
        },
    }
}

fn record(number: u64) -> TrafficRecord {
    let time = Timestamp::from_micros(1_763_700_000_000_000 + number as i64);
    TrafficRecord {
        id: RequestId::new(time, u128::from(number) << 3),
        time,
        zone: "0123456789abcdef0123456789abcdef".into(),
        mode: Mode::Enforce,
        method: "GET".into(),
        scheme: "https",
        http_version: "1.1",
        host: "api.example.com".into(),
        host_known: true,
        path: format!("/users/{number}/orders").into(),
        path_anomalies: String::new(),
        operation_id: Some("5b1b2b0e-5f0e-5c55-a8f5-0d5d5f8f0d11".into()),
        operation_path: Some("/users/{var1}/orders".into()),
        session: Some(Hash64(number % 100)),
        session_source: SessionSource::Authorization,
        session_verified: false,
        client: Hash64(number % 50),
        status: 200,
        upstream_status: Some(200),
        upstream: Some(0),
        action: Action::Allow,
        rule: None,
        violation_count: 0,
        error: None,
        failures: String::new(),
        bundle: "0011223344556677".into(),
        request_bytes: 0,
        response_bytes: 1_024,
        request_content_type: None,
        response_content_type: Some("application/json".into()),
        duration_us: 900,
        upstream_us: Some(700),
        engine_ns: Some(1_500),
        inspection: Inspection::None,
        sample_probability: None,
        upgraded: false,
        retried: false,
        tls: false,
        request_complete: true,
        session_policy: Some("".into()),
        preflight: false,
        method_override: false,
        form_override: None,
        tokens: None,
    }
}
