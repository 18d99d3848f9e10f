//! Requests that are answered before their body was read: the answer arrives, and the next request finds a connection.

mod support;

use std::time::Duration;

use serde_json::json;
use support::client::Response;
use support::upstream::{Peer, Upstream};
use support::{Setup, TestGateway, rule, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Lets `GET /known` pass and blocks everything else at its head.
fn blocking(upstream: &Upstream) -> TestGateway {
    let mut setup = Setup::new(zone(&[upstream.address]));
    setup.operations = json!([{"id": "7b0a9c0e-0000-5000-8000-000000000001", "method": "GET", "host": "*", "path": "/known"}]);
    let fallthrough = rule("request_head", "cf.api_gateway.fallthrough_detected", "operations.fallthrough", "closed");
    setup.rules(&[fallthrough]).start()
}

/// As HTTP clients do it: the whole request, then its answer; the connection stays unless the answer says that it closes.
struct Client {
    gateway: std::net::SocketAddr,
    peer: Option<Peer>,
    connections: u32,
}

impl Client {
    fn request(&mut self, head: &str, body: &[u8]) -> Response {
        let peer = self.peer.get_or_insert_with(|| {
            self.connections += 1;
            Peer::connect(self.gateway)
        });
        peer.write(head);
        if !body.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
            peer.write_bytes(body).expect("the gateway takes what it does not want");
        }
        let response = peer.response();
        if response.head.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            assert_eq!(peer.read_to_end(), b"", "nothing comes behind the last answer");
            self.peer = None;
        }
        response
    }
}

#[test]
fn a_keep_alive_client_never_meets_a_closed_connection() {
    let upstream = Upstream::fixed(OK);
    let gateway = blocking(&upstream);
    let mut client = Client { gateway: gateway.address(), peer: None, connections: 0 };
    let large = vec![b'x'; 200_000];
    for _ in 0..50 {
        let post = client.request("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", &large);
        assert_eq!(post.problem_code(), "blocked");
        let put = client.request("PUT /no HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", b"{\"a\": 1}\n");
        assert_eq!((put.status, put.head.field("connection")), (403, None));
        let get = client.request("GET /known HTTP/1.1\r\nHost: a\r\n\r\n", b"");
        assert_eq!((get.status, get.head.field("connection")), (200, None));
    }
    assert_eq!(client.connections, 51, "only a body that is too long to be thrown away costs a connection");
}

#[test]
fn a_short_chunked_body_costs_no_connection_either() {
    let upstream = Upstream::fixed(OK);
    let gateway = blocking(&upstream);
    let mut client = Client { gateway: gateway.address(), peer: None, connections: 0 };
    for _ in 0..10 {
        let post = "POST /no HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(client.request(post, b"3\r\none\r\n0\r\n\r\n").status, 403);
        assert_eq!(client.request("GET /known HTTP/1.1\r\nHost: a\r\n\r\n", b"").status, 200);
    }
    assert_eq!(client.connections, 1);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let upstream = Upstream::fixed(OK);
    let gateway = blocking(&upstream);
    for fields in ["Content-Length: 5", "Content-Length: 5\r\nExpect: 100-continue", "Transfer-Encoding: chunked"] {
        let mut client = Client { gateway: gateway.address(), peer: None, connections: 0 };
        let response = client.request(&format!("POST /no HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"), b"");
        assert_eq!((response.status, response.head.field("connection")), (403, Some("close")), "{fields}");
    }
}

#[test]
fn an_upstream_that_answers_before_the_body_was_sent_closes_the_clients_connection_in_order() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        peer.read_to_end();
    });
    let gateway = Setup::new(zone(&[upstream.address])).start();
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\nbegun");
    let response = client.response();
    assert_eq!((response.status, response.head.field("connection")), (413, Some("close")));
}

#[test]
fn an_upstream_that_is_away_leaves_no_half_read_connection() {
    let upstream = Upstream::fixed(OK);
    let mut away = zone(&[upstream.address]);
    away["upstreams"] = json!([support::upstream_json("http://127.0.0.1:1")]);
    let gateway = Setup::new(away).start();
    let mut client = Client { gateway: gateway.address(), peer: None, connections: 0 };
    for _ in 0..5 {
        let post = client.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", &vec![b'x'; 200_000]);
        assert_eq!(post.problem_code(), "upstream.connect_failed");
        assert_eq!(client.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"").status, 502);
    }
}
