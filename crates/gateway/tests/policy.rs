//! What a bundle decides, and what happens while it changes.

mod support;

use std::sync::mpsc;

use serde_json::json;
use support::client::{get, send};
use support::upstream::{Peer, Upstream};
use support::{Setup, gateway, rule, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn without_a_bundle_nothing_passes() {
    let upstream = Upstream::fixed(OK);
    let mut setup = Setup::new(zone(&[upstream.address]));
    let state = tempfile::tempdir().unwrap();
    for folder in ["keys", "records/open"] {
        std::fs::create_dir_all(state.path().join(folder)).unwrap();
    }
    support::write_key(&state.path().join("keys/records.key"));
    let gateway = setup.start_in(state);
    let response = get(gateway.address(), "/");
    assert_eq!((response.status, response.problem_code().as_str()), (503, "no_bundle"));
    assert_eq!(upstream.connections(), 0);
    let id = response.head.field("hoplon-request-id").unwrap().to_owned();
    let state = gateway.stop();
    for (column, value) in [("id", &*id), ("error", "no_bundle"), ("action", "refuse"), ("method", "GET"), ("host", "api.test")] {
        assert_eq!(support::record_texts(&state, column), [value], "{column}");
    }
}

#[test]
fn a_host_of_no_zone_is_421() {
    let upstream = Upstream::fixed(OK);
    let mut named = zone(&[upstream.address]);
    named["hosts"] = json!(["api.example.com"]);
    let gateway = Setup::new(named).start();
    let response = send(gateway.address(), "GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n");
    assert_eq!((response.status, response.problem_code().as_str()), (421, "unknown_host"));
    assert_eq!(send(gateway.address(), "GET / HTTP/1.1\r\nHost: API.example.com:8080\r\n\r\n").status, 200);
}

#[test]
fn a_blocked_request_never_reaches_the_upstream_and_keeps_its_connection() {
    let upstream = Upstream::fixed(OK);
    let mut setup = Setup::new(zone(&[upstream.address]));
    setup.operations = json!([{"id": "7b0a9c0e-0000-5000-8000-000000000001", "method": "GET", "host": "*", "path": "/known"}]);
    setup.zone["block"]["status"] = json!(451);
    let fallthrough = rule("request_head", "cf.api_gateway.fallthrough_detected", "operations.fallthrough", "closed");
    let gateway = setup.rules(&[fallthrough]).start();
    let mut client = Peer::connect(gateway.address());
    client.write("GET /unknown HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 451);
    let problem = response.problem();
    assert_eq!(problem["type"], "urn:hoplon:blocked");
    assert_eq!(problem["violations"][0]["code"], "operations.fallthrough");
    assert_eq!(upstream.connections(), 0);
    client.write("GET /known HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    client.write("HEAD /unknown HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response_to("HEAD").status, 451);
    client.write("GET /known HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_rule_answers_in_its_own_words_with_the_requests_id_and_for_the_page_that_asked() {
    let upstream = Upstream::fixed(OK);
    let setup = Setup::new(zone(&[upstream.address]));
    let mut own = rule("request_head", "hoplon.method_override", "http.method_override", "open");
    own["response"] = json!({"status": 418, "content_type": "text/html; charset=utf-8", "content": "<p>ask plainly</p>"});
    let gateway = setup.rules(&[own]).start();
    let mut client = Peer::connect(gateway.address());
    let asked =
        |method| format!("{method} / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.test\r\nX-HTTP-Method-Override: PUT\r\n\r\n");
    client.write(&asked("GET"));
    let response = client.response();
    assert_eq!((response.status, &*response.body), (418, &b"<p>ask plainly</p>"[..]));
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "https://app.test"),
    ] {
        assert_eq!(response.head.field(name), Some(value), "{name}");
    }
    let id = response.head.field("hoplon-request-id").unwrap().to_owned();
    client.write(&asked("HEAD"));
    assert_eq!(client.response_to("HEAD").status, 418);
    assert_eq!(upstream.connections(), 0);
    let state = gateway.stop();
    assert_eq!(support::record_texts(&state, "id")[0], id);
    assert_eq!(support::record_texts(&state, "action"), ["block", "block"]);
}

#[test]
fn a_block_before_the_body_answers_expect_with_the_final_status() {
    let upstream = Upstream::fixed(OK);
    let mut setup = Setup::new(zone(&[upstream.address]));
    setup.operations = json!([{"id": "7b0a9c0e-0000-5000-8000-000000000001", "method": "GET", "host": "*", "path": "/known"}]);
    let fallthrough = rule("request_head", "cf.api_gateway.fallthrough_detected", "operations.fallthrough", "closed");
    let gateway = setup.rules(&[fallthrough]).start();
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.response().status, 403);
}

#[test]
fn a_transaction_ends_under_the_bundle_it_began_with() {
    let (upstream, bodies) = Upstream::collecting(OK);
    let zone = zone(&[upstream.address]);
    let gateway = Setup::new(zone.clone()).start();
    let mut client = Peer::connect(gateway.address());
    client.write("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n{\"a\"");
    support::until("the request", || upstream.connections() == 1);
    gateway.swap(
        &zone,
        &json!([]),
        &json!([rule("request_head", "cf.api_gateway.fallthrough_detected", "operations.fallthrough", "closed")]),
    );
    client.write(": 1");
    assert_eq!(client.response().status, 200);
    assert_eq!(bodies.recv().unwrap(), b"{\"a\": 1");
}

#[test]
fn bundles_change_under_load_without_a_failed_request() {
    let upstream = Upstream::fixed(OK);
    let zone = zone(&[upstream.address]);
    let gateway = gateway(&[upstream.address]);
    let address = gateway.address();
    let (stop, stopped) = mpsc::channel::<()>();
    let load = std::thread::spawn(move || {
        let mut client = Peer::connect(address);
        let mut answered = 0;
        while stopped.try_recv().is_err() {
            client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.response().status, 200);
            answered += 1;
        }
        answered
    });
    for i in 0..20 {
        let path = format!("/op{i}");
        let operations = json!([{"id": "7b0a9c0e-0000-5000-8000-000000000001", "method": "GET", "host": "*", "path": path}]);
        gateway.swap(&zone, &operations, &json!([]));
    }
    stop.send(()).unwrap();
    assert!(load.join().unwrap() > 20);
    assert_eq!(upstream.connections(), 1, "upstreams that stay keep their connections");
}
