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
