//! Connections that leave HTTP: bytes both ways, half-closed, counted.

mod support;

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::json;
use support::upstream::{Peer, Upstream};
use support::{Setup, gateway, zone};

const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
const ASK: &str =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";

/// Switches, greets in the same write, then echoes until the client's half is closed, and says goodbye.
fn echoing() -> Upstream {
    Upstream::start(|mut peer, _| {
        let head = peer.read_head().unwrap();
        assert_eq!(head.field("upgrade"), Some("websocket"));
        assert_eq!(head.field("connection"), Some("upgrade"));
        peer.write(&format!("{SWITCH}hello"));
        let mut reader = Peer::new(peer.stream.try_clone().unwrap());
        loop {
            let line = reader.read_line();
            if line.is_empty() {
                break;
            }
            peer.write(&line);
        }
        peer.write("bye");
    })
}

#[test]
fn bytes_pass_both_ways_until_both_halves_are_closed() {
    let upstream = echoing();
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write(&format!("{ASK}early\n"));
    let head = client.read_head().unwrap();
    assert_eq!(head.first(), "HTTP/1.1 101 Switching Protocols");
    assert_eq!(head.field("upgrade"), Some("websocket"));
    assert_eq!(head.field("sec-websocket-accept"), Some("x"));
    assert_eq!(client.read_exact(11), b"helloearly\n");
    for i in 0..50 {
        client.write(&format!("line {i}\n"));
        assert_eq!(client.read_line(), format!("line {i}\n"));
    }
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read_to_end(), b"bye");
}

#[test]
fn a_slow_reader_holds_the_sender_back_and_loses_nothing() {
    const LENGTH: usize = 16 << 20;
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write(SWITCH);
        peer.write_bytes(&vec![b'x'; LENGTH]).unwrap();
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write(ASK);
    client.read_head().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut client_stream = client.stream.try_clone().unwrap();
    let bytes = client.read_exact(LENGTH);
    assert!(bytes.iter().all(|byte| *byte == b'x'));
    let _ = client_stream.write_all(b"done");
}

#[test]
fn a_refused_upgrade_is_an_ordinary_response() {
    let upstream = Upstream::fixed("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    for _ in 0..2 {
        client.write(ASK);
        let response = client.response();
        assert_eq!((response.status, response.text().as_str()), (403, "no"));
    }
}

#[test]
fn a_silent_tunnel_is_closed_after_the_idle_time() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write(SWITCH);
        peer.read_to_end();
    });
    let mut zone = zone(&[upstream.address]);
    zone["timeouts"]["idle_seconds"] = json!(0.4);
    let gateway = Setup::new(zone).start();
    let mut client = Peer::connect(gateway.address());
    client.write(ASK);
    client.read_head().unwrap();
    let started = Instant::now();
    assert!(client.read_to_end().is_empty());
    assert!((Duration::from_millis(350)..Duration::from_secs(3)).contains(&started.elapsed()));
}

/// Requests inside a tunnel of HTTP/2 would pass unjudged: the request goes on as plain HTTP/1.1, whatever the upstream speaks.
#[test]
fn nobody_tunnels_requests_past_the_gateway() {
    let upstream = Upstream::start(|mut peer, _| {
        while let Some(head) = peer.read_head() {
            assert_eq!((head.field("upgrade"), head.field("connection"), head.field("http2-settings")), (None, None, None));
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let gateway = gateway(&[upstream.address]);
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    assert_eq!(support::client::send(gateway.address(), ask).status, 200);
    let old = "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(support::client::send(gateway.address(), old).status, 200);
}
