//! What a client and an upstream see of each other through the gateway when nothing goes wrong.

mod support;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use support::client::{get, send};
use support::gateway;
use support::upstream::{Head, Peer, Upstream};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: raw\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nok";

/// An upstream that hands each request head to the test and answers OK.
fn recording() -> (Upstream, mpsc::Receiver<Head>) {
    let (sender, heads) = mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        while let Some(head) = peer.read_head() {
            peer.read_exact(head.content_length());
            let _ = sender.send(head);
            peer.write(OK);
        }
    });
    (upstream, heads)
}

#[test]
fn a_request_passes_with_its_id_and_forwarding_fields() {
    let (upstream, heads) = recording();
    let gateway = gateway(&[upstream.address]);
    let response = send(
        gateway.address(),
        "GET /a/b?x=%20y HTTP/1.1\r\nHost: api.test:81\r\nAccept: */*\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\
         Hoplon-Request-Id: mine\r\nKeep-Alive: 5\r\nConnection: x-mine, keep-alive\r\nX-Mine: 1\r\nTE: gzip\r\n\r\n",
    );
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    let head = heads.recv().unwrap();
    assert_eq!(head.first(), "GET /a/b?x=%20y HTTP/1.1");
    assert_eq!(head.field("host"), Some("api.test:81"));
    assert_eq!(head.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(head.field("x-forwarded-proto"), Some("http"));
    assert_eq!(head.field("x-forwarded-host"), Some("api.test:81"));
    for gone in ["forwarded", "keep-alive", "x-mine", "te", "connection", "transfer-encoding", "content-length"] {
        assert_eq!(head.field(gone), None, "{gone}");
    }
    let id = response.head.field("hoplon-request-id").unwrap();
    assert_eq!(head.field("hoplon-request-id"), Some(id));
    assert_eq!(id.len(), 36);
}

#[test]
fn a_trusted_proxys_fields_are_kept_and_appended_to() {
    let (upstream, heads) = recording();
    let mut setup = support::Setup::new(support::zone(&[upstream.address]));
    setup.config["trusted_proxies"] = serde_json::json!(["127.0.0.0/8"]);
    let gateway = setup.start();
    send(
        gateway.address(),
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.7\r\n\r\n",
    );
    let head = heads.recv().unwrap();
    assert_eq!(head.field("x-forwarded-for"), Some("192.0.2.7, 127.0.0.1"));
    assert_eq!(head.field("x-forwarded-proto"), Some("https"));
    assert_eq!(head.field("forwarded"), Some("for=192.0.2.7, for=127.0.0.1"));
}

#[test]
fn the_upstreams_date_and_server_pass_unchanged() {
    let upstream = Upstream::fixed(OK);
    let gateway = gateway(&[upstream.address]);
    let response = get(gateway.address(), "/");
    assert_eq!(response.head.field("server"), Some("raw"));
    assert_eq!(response.head.field("date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    assert_eq!(response.head.0.iter().filter(|line| line.to_lowercase().starts_with("date:")).count(), 1);
}

#[test]
fn connections_are_reused_on_both_sides() {
    let (upstream, _heads) = recording();
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    for _ in 0..20 {
        client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().text(), "ok");
    }
    get(gateway.address(), "/");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start(|mut peer, _| {
        while let Some(head) = peer.read_head() {
            let path = head.first().split(' ').nth(1).unwrap().to_owned();
            peer.write(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
        }
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    let requests: String = (0..10).map(|i| format!("GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.write(&requests);
    for i in 0..10 {
        assert_eq!(client.response().text(), format!("/{i}"));
    }
}

#[test]
fn responses_without_a_body_stay_so_and_keep_the_connection() {
    let upstream = Upstream::start(|mut peer, _| {
        while let Some(head) = peer.read_head() {
            let status = match head.first().split(' ').nth(1).unwrap() {
                "/204" => "204 No Content\r\n",
                "/304" => "304 Not Modified\r\nETag: \"x\"\r\n",
                _ => "200 OK\r\nContent-Length: 1234\r\n",
            };
            peer.write(&format!("HTTP/1.1 {status}\r\n"));
        }
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    for (method, path, status) in [("HEAD", "/", 200), ("GET", "/204", 204), ("GET", "/304", 304), ("HEAD", "/204", 204)] {
        client.write(&format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response_to(method);
        assert_eq!(response.status, status);
        if status == 200 {
            assert_eq!(response.head.field("content-length"), Some("1234"));
        }
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_empty_body_is_an_empty_body_whatever_the_method() {
    let (upstream, heads) = recording();
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert_eq!(heads.recv().unwrap().field("content-length"), Some("0"));
    client.write("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let head = heads.recv().unwrap();
    assert_eq!((head.field("content-length"), head.field("transfer-encoding")), (None, None));
}

#[test]
fn chunked_bodies_and_trailers_pass_both_ways() {
    let (sender, seen) = mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        while let Some(head) = peer.read_head() {
            let (body, trailers) = peer.read_chunked();
            let _ = sender.send((head, body, trailers));
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n");
        }
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    for method in ["POST", "GET", "PUT"] {
        client.write(&format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\nTrailer: x-in\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
        client.write("5\r\nhello\r\n");
        client.write("6\r\n world\r\n0\r\nX-In: 1\r\n\r\n");
        let response = client.response();
        assert_eq!(response.text(), "abcdefg");
        assert_eq!(response.trailers, ["x-sum: 7"]);
        let (head, body, trailers) = seen.recv().unwrap();
        assert_eq!(head.field("transfer-encoding"), Some("chunked"));
        assert_eq!(head.field("te"), Some("trailers"));
        assert_eq!(body, b"hello world");
        assert_eq!(trailers, ["x-in: 1"]);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_response_without_length_ends_with_its_connection() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end");
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!(response.head.field("transfer-encoding"), Some("chunked"));
    assert_eq!(response.text(), "until the end");
}

#[test]
fn an_http_1_0_client_gets_a_body_it_can_read() {
    let upstream = Upstream::fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let gateway = gateway(&[upstream.address]);
    let response = send(gateway.address(), "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(response.head.field("transfer-encoding"), None);
    assert_eq!(response.text(), "abc");
}

#[test]
fn informational_responses_do_not_confuse_the_final_one() {
    let upstream =
        Upstream::fixed("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    for _ in 0..2 {
        client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response();
        assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    }
}

#[test]
fn expect_continue_is_answered_here_once_the_body_is_wanted() {
    let (upstream, heads) = recording();
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.read_head().unwrap().first(), "HTTP/1.1 100 Continue");
    client.write("body");
    assert_eq!(client.response().status, 200);
    assert_eq!(heads.recv().unwrap().field("expect"), None);
}

#[test]
fn server_sent_events_arrive_one_by_one() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |mut peer, _| {
        peer.read_head();
        peer.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        while wait.lock().unwrap().recv().is_ok() {
            peer.write("9\r\ndata: 1\n\n\r\n");
        }
        peer.write("0\r\n\r\n");
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read_head().unwrap().first(), "HTTP/1.1 200 OK");
    for _ in 0..5 {
        let sent = Instant::now();
        go.send(()).unwrap();
        assert_eq!(client.read_line(), "9\r\n");
        assert_eq!(client.read_exact(11), b"data: 1\n\n\r\n");
        assert!(sent.elapsed() < Duration::from_secs(1));
    }
    drop(go);
    assert_eq!(client.read_line(), "0\r\n");
}

#[test]
fn what_hyper_cannot_read_is_refused() {
    let upstream = Upstream::fixed(OK);
    let gateway = gateway(&[upstream.address]);
    assert_eq!(send(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n").status, 400);
    assert_eq!(send(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").problem_code(), "refused");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn several_cookie_fields_reach_the_upstream_as_one() {
    let (upstream, heads) = recording();
    let gateway = gateway(&[upstream.address]);
    send(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n");
    assert_eq!(
        heads.recv().unwrap().0.iter().filter(|line| line.starts_with("cookie:")).collect::<Vec<_>>(),
        ["cookie: a=1; b=2"]
    );
}

#[test]
fn a_target_that_is_no_path_is_refused() {
    let (upstream, heads) = recording();
    let gateway = gateway(&[upstream.address]);
    for target in ["a", "a:80"] {
        let response = send(gateway.address(), &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((response.status, response.problem_code().as_str()), (400, "refused"), "{target}");
    }
    assert!(heads.try_recv().is_err());
}
