//! Bodies that a rule asks for: held back whole, or judged in pieces with the last one held back.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use support::client::send;
use support::upstream::{Peer, Upstream};
use support::{Setup, rule, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    let head = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks: Vec<_> =
        body.as_bytes().chunks(50_000).map(|c| format!("{:x}\r\n{}\r\n", c.len(), String::from_utf8_lossy(c))).collect();
    format!("{head}{}0\r\n\r\n", chunks.concat())
}

fn size_rule() -> Value {
    rule("request_body", "hoplon.request.body.truncated", "http.body_over_limit", "closed")
}

#[test]
fn a_body_judged_in_pieces_passes_but_for_its_last_piece() {
    let (sender, lines) = mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        peer.read_head();
        loop {
            let line = peer.read_line();
            let is_end = line.is_empty() || line == "0\r\n";
            let _ = sender.send(line);
            if is_end {
                break;
            }
        }
        peer.read_head();
        peer.write(OK);
    });
    let gateway = Setup::new(zone(&[upstream.address])).rules(&[size_rule()]).start();
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    assert!(lines.recv_timeout(Duration::from_millis(200)).is_err(), "the first piece may be the last");
    client.write("3\r\ntwo\r\n");
    assert_eq!(lines.recv().unwrap(), "3\r\n");
    assert_eq!(lines.recv().unwrap(), "one\r\n");
    assert!(lines.recv_timeout(Duration::from_millis(200)).is_err(), "the second piece may be the last");
    client.write("0\r\n\r\n");
    assert_eq!(lines.iter().take(3).collect::<Vec<_>>(), ["3\r\n", "two\r\n", "0\r\n"]);
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_body_that_is_blocked_in_a_piece_never_becomes_whole_upstream() {
    let (sender, bodies) = mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        peer.read_head();
        let _ = sender.send(peer.read_to_end());
    });
    let mut small = zone(&[upstream.address]);
    small["inspection_limit_bytes"] = json!(100_000);
    let gateway = Setup::new(small).rules(&[size_rule()]).start();
    let body = "x".repeat(300_000);
    let response = send(gateway.address(), &chunked(&body));
    assert_eq!((response.status, response.problem_code().as_str()), (403, "blocked"));
    let arrived = bodies.recv().unwrap();
    assert!(arrived.len() < 150_000 && !arrived.ends_with(b"0\r\n\r\n"), "{} bytes arrived", arrived.len());
    // A length that says it before needs no upstream at all.
    assert_eq!(send(gateway.address(), &post(&body)).status, 403);
    assert_eq!(upstream.connections(), 1);
}

fn json_rule(fail: &str) -> Value {
    rule("request_body", "hoplon.request.json.invalid", "json.invalid", fail)
}

#[test]
fn a_body_that_a_rule_wants_whole_is_held_back_until_it_is_judged() {
    let (upstream, bodies) = Upstream::collecting(OK);
    let gateway = Setup::new(zone(&[upstream.address])).rules(&[json_rule("closed")]).start();
    assert_eq!(send(gateway.address(), &post("{\"a\": 1}")).status, 200);
    assert_eq!(bodies.recv().unwrap(), b"{\"a\": 1}");
    assert_eq!(send(gateway.address(), &post("{\"a\": ")).problem_code(), "blocked");
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in ["[1", ", 2", ", 3]"] {
        client.write(&format!("{:x}\r\n{piece}\r\n", piece.len()));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(bodies.try_recv().is_err(), "nothing is sent before the verdict");
    client.write("0\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert_eq!(bodies.recv().unwrap(), b"[1, 2, 3]");
}

#[test]
fn a_body_beyond_the_limit_follows_the_rules_fail_mode() {
    for (fail, status) in [("closed", 413), ("open", 200)] {
        let (upstream, bodies) = Upstream::collecting(OK);
        let mut small = zone(&[upstream.address]);
        small["inspection_limit_bytes"] = json!(100_000);
        let gateway = Setup::new(small).rules(&[json_rule(fail)]).start();
        let body = format!("\"{}\"", "x".repeat(300_000));
        for request in [post(&body), chunked(&body)] {
            let response = send(gateway.address(), &request);
            assert_eq!(response.status, status, "{fail}");
            if status == 200 {
                assert_eq!(bodies.recv().unwrap(), body.as_bytes());
            } else {
                assert_eq!(response.problem_code(), "body_over_limit");
            }
        }
    }
}

#[test]
fn mode_log_lets_pass_what_enforce_blocks() {
    let upstream = Upstream::fixed(OK);
    let gateway = Setup::new(zone(&[upstream.address])).rules(&[json_rule("closed")]).start();
    assert_eq!(send(gateway.address(), &post("{")).status, 403);
    std::fs::write(gateway.state.path().join("bundles/mode"), "log").unwrap();
    let shared = gateway.shared();
    support::until("mode log", || shared.mode.load() == engine::Mode::Log);
    assert_eq!(send(gateway.address(), &post("{")).status, 200);
}

/// The upstream would get the body without its `Content-Encoding`: it is judged as the upstream reads it.
#[test]
fn a_field_that_connection_names_is_gone_before_the_request_is_judged() {
    let upstream = Upstream::fixed(OK);
    let gateway = Setup::new(zone(&[upstream.address])).rules(&[json_rule("open")]).start();
    let request = post("{").replace("Host: a\r\n", "Host: a\r\nContent-Encoding: gzip\r\nConnection: content-encoding\r\n");
    assert_eq!(send(gateway.address(), &request).status, 403);
    assert_eq!(upstream.connections(), 0);
}
