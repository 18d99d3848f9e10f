//! The status listener and the status file, over a real socket and a real directory.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::file;
use crate::services::Services;
use crate::shared::{Listening, Phase, Shared};
use crate::testing::{TempDir, ended, eventually, put_bundle, sha256, shared};

/// The status line and the body of an answer.
fn get(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn services(shared: &Arc<Shared>) -> (Services, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let status = listener.local_addr().unwrap();
    let services = Services::start(shared, listener, vec![]).unwrap();
    shared.listening.set(Listening { clients: vec!["127.0.0.1:8080".parse().unwrap()], status }).unwrap();
    (services, status)
}

fn status(dir: &TempDir) -> Value {
    serde_json::from_slice(&fs::read(dir.join("run/gateway.status.json")).unwrap()).unwrap()
}

#[test]
fn ready_only_while_serving_with_a_bundle_and_with_reasons_otherwise() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    let (services, address) = services(&shared);
    let (line, body) = get(address, "GET /readyz");
    let reasons: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(reasons["ready"], false);
    assert_eq!(reasons["reasons"].as_array().unwrap().len(), 2, "{body}");
    put_bundle(dir.path(), "one");
    shared.enter(Phase::Serving);
    eventually("it is ready", || get(address, "GET /readyz").0 == "HTTP/1.1 200 OK");
    shared.enter(Phase::Draining);
    let (line, body) = get(address, "GET /readyz");
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("stopping"), "{body}");
    assert_eq!(get(address, "GET /healthz"), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    services.stop();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_scrape_is_served_and_other_requests_are_answered_too() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    let (services, address) = services(&shared);
    let (line, body) = get(address, "GET /metrics");
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert!(body.contains("# TYPE hoplon_requests counter") && body.ends_with("# EOF\n"));
    assert_eq!(get(address, "HEAD /metrics"), ("HTTP/1.1 200 OK".into(), String::new()));
    assert_eq!(get(address, "GET /").0, "HTTP/1.1 404 Not Found");
    assert_eq!(get(address, "POST /metrics").0, "HTTP/1.1 405 Method Not Allowed");
    services.stop();
}

#[test]
fn the_status_file_follows_changes_and_ends_with_the_last_word() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    let manifest = put_bundle(dir.path(), "one");
    let (services, address) = services(&shared);
    shared.enter(Phase::Serving);
    let changed = Instant::now();
    eventually("the phase is shown", || status(&dir)["phase"] == "serving");
    assert!(changed.elapsed() < Duration::from_millis(900), "not only each second");
    let shown = status(&dir);
    assert_eq!(shown["pid"], std::process::id());
    assert_eq!(shown["instance"], "gw-1");
    assert_eq!(shown["bundle"], sha256(&manifest));
    assert_eq!(shown["serving"], "current");
    assert_eq!(shown["bundle_refused"], Value::Null);
    assert_eq!(shown["mode"], "enforce");
    assert_eq!(shown["listen"], serde_json::json!(["127.0.0.1:8080"]));
    assert_eq!(shown["status"], address.to_string());
    fs::write(dir.join("bundles/mode"), "log").unwrap();
    fs::write(dir.join("bundles/current"), "broken").unwrap();
    eventually("mode and refusal are shown", || status(&dir)["mode"] == "log" && status(&dir)["bundle_refused"].is_string());
    assert!(status(&dir)["bundle_errors"][0]["path"].is_string());
    (0..10).for_each(|n| shared.ended(Box::new(ended(n))));
    services.stop();
    let last = status(&dir);
    assert_eq!(last["phase"], "stopped");
    assert_eq!(last["requests"], 10);
    assert_eq!(last["records"]["written"], 10);
}

#[test]
fn a_status_file_that_cannot_be_written_is_an_alert_and_no_more() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    fs::create_dir_all(dir.join("run/gateway.status.json/in-the-way")).unwrap();
    file::write(&shared);
    assert!(shared.alerts.all()[file::ALERT].contains("gateway.status.json"));
    fs::remove_dir_all(dir.join("run")).unwrap();
    file::write(&shared);
    assert!(shared.alerts.all().is_empty());
}
