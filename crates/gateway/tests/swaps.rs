//! Bundles swapped under load: no request fails, each is judged by one bundle or the other, and nothing is left behind.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use serde_json::{Value, json};
use support::upstream::{Peer, Upstream};
use support::{Setup, TestGateway, rule, until, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CLIENTS: usize = 4;
/// `make eval` raises it to the thousand of the published figure.
const SWAPS: usize = 60;

fn swaps() -> usize {
    std::env::var("HOPLON_SWAPS").ok().and_then(|n| n.parse().ok()).unwrap_or(SWAPS)
}

/// A gateway of two threads that saves `/known`, and blocks everything else.
fn blocking(upstream: SocketAddr) -> (TestGateway, Value, [Value; 1]) {
    let mut setup = Setup::new(zone(&[upstream]));
    setup.operations = json!([{"id": "7b0a9c0e-0000-5000-8000-000000000001", "method": "GET", "host": "*", "path": "/known"}]);
    setup.config["threads"] = json!(2);
    let rules = [rule("request_head", "cf.api_gateway.fallthrough_detected", "operations.fallthrough", "closed")];
    let operations = setup.operations.clone();
    (setup.rules(&rules).start(), operations, rules)
}

/// Sends requests over one connection until told to stop. Gives how many; every one is answered as any of the bundles says.
fn client(address: SocketAddr, is_done: Arc<AtomicBool>) -> usize {
    let mut peer = Peer::connect(address);
    let mut answered = 0;
    while !is_done.load(Relaxed) {
        for (path, status) in [("/known", 200), ("/unknown", 403)] {
            peer.write(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!(peer.response().status, status, "{path} after {answered}");
            answered += 1;
        }
    }
    answered
}

#[test]
fn no_request_fails_while_bundles_are_swapped() {
    let upstream = Upstream::fixed(OK);
    let (gateway, operations, rules) = blocking(upstream.address);
    let is_done = Arc::new(AtomicBool::new(false));
    let address = gateway.address();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let is_done = is_done.clone();
            thread::spawn(move || client(address, is_done))
        })
        .collect();
    let mut changed = zone(&[upstream.address]);
    for n in 0..swaps() {
        changed["inspection_limit_bytes"] = json!(1_000_000 + n);
        gateway.swap(&changed, &operations, &json!(rules));
    }
    is_done.store(true, Relaxed);
    let answered: usize = clients.into_iter().map(|client| client.join().expect("no request failed")).sum();
    let shared = gateway.shared();
    until("every transaction is counted", || shared.metrics.zones().requests() == answered as u64);
    assert_eq!(shared.metrics.bundle_loads_ok.get(), swaps() as u64 + 1);
    assert!(answered >= swaps(), "{answered} requests");
    println!("{answered} requests through {} swaps", swaps());
}

#[test]
fn broken_bundles_in_between_change_no_answer() {
    let upstream = Upstream::fixed(OK);
    let (gateway, ..) = blocking(upstream.address);
    let is_done = Arc::new(AtomicBool::new(false));
    let (address, done) = (gateway.address(), is_done.clone());
    let client = thread::spawn(move || client(address, done));
    let shared = gateway.shared();
    for n in 1..=20 {
        std::fs::write(gateway.state.path().join("bundles/current"), format!("broken {n}")).unwrap();
        until("it is refused", || shared.metrics.bundle_loads_failed.get() >= n);
    }
    is_done.store(true, Relaxed);
    assert!(client.join().expect("no request failed") > 0);
}
