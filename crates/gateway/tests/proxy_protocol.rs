//! Clients behind a proxy that speaks the PROXY protocol: who they are, and who may say so.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use support::certificate::Certificate;
use support::upstream::{Peer, Upstream};
use support::{Setup, TestGateway, until, zone};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::pki_types::ServerName;

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLIENT: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n";

/// Answers with the `X-Forwarded-For` that it got.
fn upstream() -> Upstream {
    Upstream::start(|mut peer, _| {
        while let Some(head) = peer.read_head() {
            let client = head.field("x-forwarded-for").unwrap_or("nobody");
            peer.write(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{client}", client.len()));
        }
    })
}

fn setup(upstream: SocketAddr, trusted: &str) -> Setup {
    let mut setup = Setup::new(zone(&[upstream]));
    setup.config["listen"] = json!([{"address": "127.0.0.1:0", "proxy_protocol": true}]);
    setup.config["trusted_proxies"] = json!([trusted]);
    setup
}

fn counted(gateway: &TestGateway, error: &'static str) -> u64 {
    gateway.shared().metrics.connection_errors.get([error.into()])
}

/// What these first bytes make of the client; nothing when the connection is closed without a byte.
fn forwarded_for(gateway: &TestGateway, pieces: &[&[u8]]) -> Option<String> {
    let mut client = Peer::connect(gateway.address());
    for piece in pieces {
        let _ = client.write_bytes(piece);
        std::thread::sleep(Duration::from_millis(2));
    }
    let head = client.read_head()?;
    Some(String::from_utf8(client.read_exact(head.content_length())).unwrap())
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &(rest.len() as u16).to_be_bytes(), rest].concat()
}

#[test]
fn the_client_is_who_the_header_says() {
    let upstream = upstream();
    let gateway = setup(upstream.address, "127.0.0.0/8").start();
    let (line, request) = (CLIENT.as_bytes(), REQUEST.as_bytes());
    let binary = v2(0x21, 0x11, &[&[192, 0, 2, 8, 198, 51, 100, 1, 0, 9, 0, 80][..], &[0x04; 600]].concat());
    let byte_by_byte: Vec<_> = line.chunks(1).chain(request.chunks(1)).collect();
    for (pieces, client) in [
        (vec![line, request], "192.0.2.7"),
        (vec![&[line, request].concat()[..]], "192.0.2.7"),
        (byte_by_byte, "192.0.2.7"),
        (vec![&binary[..], request], "192.0.2.8"),
        (vec![&binary[..20], &binary[20..400], &[&binary[400..], request].concat()], "192.0.2.8"),
        (vec![b"PROXY UNKNOWN\r\n", request], "127.0.0.1"),
        (vec![&v2(0x20, 0, &[]), request], "127.0.0.1"),
    ] {
        assert_eq!(forwarded_for(&gateway, &pieces).as_deref(), Some(client));
    }
    let claimed = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n".as_bytes();
    let client = forwarded_for(&gateway, &[line, claimed]).unwrap();
    assert!(client.ends_with("192.0.2.7"), "the client itself is no trusted proxy: {client}");
}

#[test]
fn only_trusted_proxies_may_say_who_a_client_is() {
    let upstream = upstream();
    let gateway = setup(upstream.address, "192.0.2.0/24").start();
    assert_eq!(forwarded_for(&gateway, &[CLIENT.as_bytes(), REQUEST.as_bytes()]), None);
    assert_eq!(forwarded_for(&gateway, &[REQUEST.as_bytes()]), None);
    assert_eq!((counted(&gateway, "proxy_untrusted"), upstream.connections()), (2, 0));
}

#[test]
fn without_a_header_there_is_no_service_and_nobody_waits_long() {
    let upstream = upstream();
    let mut setup = setup(upstream.address, "127.0.0.1");
    setup.config["limits"] = json!({"head_seconds": 0.3});
    let gateway = setup.start();
    let too_long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
    for first in [REQUEST.as_bytes(), &too_long, &v2(0x21, 0x12, &[0; 12]), b"PROXY TCP4 1.2.3.4\r\n"] {
        assert_eq!(forwarded_for(&gateway, &[first]), None);
    }
    assert_eq!(counted(&gateway, "proxy_header"), 4);
    assert_eq!(forwarded_for(&gateway, &[b"PROXY TCP4 "]), None);
    assert_eq!(counted(&gateway, "proxy_timeout"), 1);
    drop(Peer::connect(gateway.address()));
    until("no connection", || gateway.shared().metrics.connections_open.get() == 0);
    assert_eq!(gateway.shared().metrics.connection_errors.total(), 5, "who only looks whether the port is open is no error");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn connections_are_counted_by_the_client_behind_the_proxy() {
    let upstream = upstream();
    let mut setup = setup(upstream.address, "127.0.0.1");
    setup.config["limits"] = json!({"connections_per_client": 1});
    let gateway = setup.start();
    let mut first = Peer::connect(gateway.address());
    first.write(&format!("{CLIENT}{REQUEST}"));
    assert_eq!(first.response().text(), "192.0.2.7");
    assert_eq!(forwarded_for(&gateway, &[CLIENT.as_bytes(), REQUEST.as_bytes()]), None);
    assert_eq!(counted(&gateway, "too_many_of_client"), 1);
    let other = CLIENT.replace("192.0.2.7", "192.0.2.8");
    assert_eq!(forwarded_for(&gateway, &[other.as_bytes(), REQUEST.as_bytes()]).as_deref(), Some("192.0.2.8"));
    drop(first);
    until("the place", || forwarded_for(&gateway, &[CLIENT.as_bytes(), REQUEST.as_bytes()]).is_some());
}

#[test]
fn the_header_comes_before_tls() {
    let (upstream, certificate) = (upstream(), Certificate::new());
    let mut setup = setup(upstream.address, "127.0.0.1");
    setup.config["listen"][0]["tls"] = json!({"certificate": certificate.certificate(), "key": certificate.key()});
    let gateway = setup.start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let mut tcp = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
        tcp.write_all(CLIENT.as_bytes()).await.unwrap();
        let name = ServerName::try_from("api.test").unwrap();
        let mut stream = certificate.client(&[]).connect(name, tcp).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n192.0.2.7"), "{answer}");
}
