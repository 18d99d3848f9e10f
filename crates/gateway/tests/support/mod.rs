//! A gateway on real sockets with a bundle of its own, upstreams written byte by byte, and a client that reads bytes.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod certificate;
pub mod client;
pub mod upstream;

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io::Write};

use arrow_array::StringArray;
use arrow_ipc::reader::StreamReader;
use gateway::server::Gateway;
use gateway::shared::Shared;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const ZONE: &str = "0123456789abcdef0123456789abcdef";

/// A zone part with defaults that suit tests; fields are changed by indexing.
pub fn zone(upstreams: &[SocketAddr]) -> Value {
    let upstreams: Vec<_> = upstreams.iter().map(|address| upstream_json(&format!("http://{address}"))).collect();
    json!({
        "id": ZONE, "name": "default", "hosts": [], "upstreams": upstreams,
        "timeouts": {"connect_seconds": 2.0, "read_seconds": 5.0, "idle_seconds": 5.0},
        "inspection_limit_bytes": 1_048_576, "merge_slashes": false,
        "observe": {"probability": 0.0, "full_per_minute": 0, "per_session_per_minute": 0, "max_leaves": 200,
                    "body_copy_bytes": 65536, "literal_sessions": 5},
        "block": {"status": 403, "show_violations": true}
    })
}

pub fn upstream_json(url: &str) -> Value {
    json!({"url": url, "protocol": "http1", "ca_file": null, "server_name": null})
}

/// A rule over a bool fact.
pub fn rule(phase: &str, fact: &str, violation: &str, fail: &str) -> Value {
    json!({"id": "test.rule", "phase": phase, "fact": fact, "action": "block", "violation": violation, "fail": fail})
}

/// What a gateway is started with.
pub struct Setup {
    pub zone: Value,
    pub operations: Value,
    pub rules: Value,
    pub limits: Value,
    pub config: Value,
}

impl Setup {
    pub fn new(zone: Value) -> Setup {
        let config = json!({
            "state_dir": "", "instance": "gw-test", "listen": [{"address": "127.0.0.1:0"}],
            "status": {"address": "127.0.0.1:0"}, "threads": 1, "drain_seconds": 5.0
        });
        Setup { zone, operations: json!([]), rules: json!([]), limits: json!([]), config }
    }

    pub fn rules(mut self, rules: &[Value]) -> Setup {
        self.rules = json!(rules);
        self
    }

    pub fn limits(mut self, limits: &[Value]) -> Setup {
        self.limits = json!(limits);
        self
    }

    pub fn start(mut self) -> TestGateway {
        let state = tempfile::tempdir().unwrap();
        for folder in ["keys", "bundles/parts", "run", "records/open", "records/sealed"] {
            fs::create_dir_all(state.path().join(folder)).unwrap();
        }
        write_key(&state.path().join("keys/records.key"));
        write_parts(state.path(), &self.zone, &self.operations, &self.rules, &self.limits);
        self.start_in(state)
    }

    pub fn start_in(&mut self, state: tempfile::TempDir) -> TestGateway {
        self.config["state_dir"] = json!(state.path());
        let config = gateway::Config::parse(&self.config.to_string()).unwrap();
        let gateway = Gateway::start(config).unwrap();
        TestGateway { gateway: Some(gateway), state }
    }
}

/// A gateway of one zone with these upstreams.
pub fn gateway(upstreams: &[SocketAddr]) -> TestGateway {
    Setup::new(zone(upstreams)).start()
}

/// A running gateway; stops with its test.
pub struct TestGateway {
    gateway: Option<Gateway>,
    pub state: tempfile::TempDir,
}

impl TestGateway {
    pub fn address(&self) -> SocketAddr {
        self.gateway.as_ref().unwrap().addresses()[0]
    }

    pub fn shared(&self) -> Arc<Shared> {
        self.gateway.as_ref().unwrap().shared().clone()
    }

    pub fn running(&self) -> &Gateway {
        self.gateway.as_ref().unwrap()
    }

    /// Loads another policy and waits until it is in use.
    pub fn swap(&self, zone: &Value, operations: &Value, rules: &Value) {
        let hash = write_bundle(self.state.path(), zone, operations, rules);
        let shared = self.shared();
        until("the new bundle", || shared.bundle.load().as_ref().is_some_and(|b| b.hash.to_string() == hash));
    }

    /// Stops it and gives every record that was written, from the Arrow streams, as text.
    pub fn stop(mut self) -> tempfile::TempDir {
        self.gateway.take().unwrap().stop();
        std::mem::replace(&mut self.state, tempfile::tempdir().unwrap())
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.cut();
            gateway.stop();
        }
    }
}

/// A text column of all records that a stopped gateway left behind.
pub fn record_texts(state: &tempfile::TempDir, column: &str) -> Vec<String> {
    let segments = fs::read_dir(state.path().join("records/open")).unwrap();
    let files = segments.map(|segment| segment.unwrap().path().join("records.arrows")).filter(|file| file.exists());
    let readers = files.map(|file| StreamReader::try_new(fs::File::open(file).unwrap(), None).unwrap());
    let batches = readers.flatten().map(Result::unwrap);
    let texts = batches.flat_map(|batch| {
        let texts = batch.column_by_name(column).unwrap().as_any().downcast_ref::<StringArray>().unwrap().clone();
        texts.iter().map(|text| text.unwrap_or("null").to_owned()).collect::<Vec<_>>()
    });
    texts.collect()
}

pub fn write_key(path: &Path) {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(&[7; 32]).unwrap();
}

/// Writes the parts and the manifest as the control plane does; gives the bundle's hash.
pub fn write_bundle(state: &Path, zone: &Value, operations: &Value, rules: &Value) -> String {
    write_parts(state, zone, operations, rules, &json!([]))
}

/// As [`write_bundle`], with limits.
pub fn write_parts(state: &Path, zone: &Value, operations: &Value, rules: &Value, limits: &Value) -> String {
    let parts = [
        ("zone", zone.clone()),
        ("operations", json!({"operations": operations})),
        ("rules", json!({"rules": rules})),
        ("limits", json!({"limits": limits})),
    ];
    let parts: Vec<_> = parts
        .iter()
        .map(|(kind, part)| {
            let bytes = part.to_string();
            let hash = hex(&bytes);
            fs::write(state.join("bundles/parts").join(&hash), &bytes).unwrap();
            json!({"kind": kind, "zone": ZONE, "format": 1, "sha256": hash, "bytes": bytes.len()})
        })
        .collect();
    let zones = json!([{"id": ZONE, "name": "default", "policy_version": 1}]);
    let manifest = json!({"format": 1, "created_at": "2026-01-01T00:00:00Z", "zones": zones, "parts": parts}).to_string();
    fs::write(state.join("bundles/.current"), &manifest).unwrap();
    fs::rename(state.join("bundles/.current"), state.join("bundles/current")).unwrap();
    hex(&manifest)
}

fn hex(bytes: &str) -> String {
    Sha256::digest(bytes.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until something holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
