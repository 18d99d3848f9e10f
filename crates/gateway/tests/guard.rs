//! Requests and responses that can be read in two ways, and clients that take too much: what each side sees of the refusal.

mod support;

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::send;
use support::upstream::{Peer, Upstream};
use support::{Setup, TestGateway, gateway, record_texts, until, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A gateway of one upstream with these `limits`.
fn limited(upstream: &Upstream, limits: Value) -> TestGateway {
    let mut setup = Setup::new(zone(&[upstream.address]));
    setup.config["limits"] = limits;
    setup.start()
}

/// The status, and the code of the one violation, which the problem document shows.
fn refusal(peer: &mut Peer) -> (u16, String) {
    let response = peer.response();
    assert_eq!(response.problem_code(), "refused");
    assert_eq!(response.head.field("connection"), Some("close"));
    let shown = response.problem()["violations"][0]["code"].as_str().unwrap_or("none").to_owned();
    (response.status, shown)
}

fn refused_count(gateway: &TestGateway, code: &str) -> u64 {
    gateway.shared().metrics.refused.get([code.to_owned().into()])
}

#[test]
fn a_refused_head_is_answered_recorded_and_counted_and_the_connection_closes() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(20_000));
    let fields = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100));
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "b".repeat(70_000));
    let cases = [
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "protocol.target.fragment"),
        ("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400, "protocol.content_length.several"),
        ("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "protocol.framing.both"),
        ("GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "protocol.transfer_encoding.unsupported"),
        ("GET /a HTTP/1.1\nHost: a\n\n", 400, "protocol.header.line_ending"),
        ("GET /a HTTP/3.0\r\nHost: a\r\n\r\n", 505, "protocol.start_line.version"),
        ("\x16\x03\x01\x02", 400, "protocol.start_line.invalid"),
        (&long, 414, "protocol.target.too_long"),
        (&fields, 431, "protocol.header.too_many"),
        (&large, 431, "protocol.header.too_large"),
    ];
    let upstream = Upstream::fixed(OK);
    let gateway = Setup::new(zone(&[upstream.address])).start();
    for (request, status, code) in cases {
        for is_slow in [false, true] {
            let mut client = Peer::connect(gateway.address());
            match is_slow {
                false => client.write(request),
                true => request.as_bytes().chunks(request.len().div_ceil(9)).for_each(|piece| {
                    // The gateway may have answered and closed already.
                    let _ = client.write_bytes(piece);
                    std::thread::sleep(Duration::from_millis(2));
                }),
            }
            let response = client.response();
            assert_eq!((response.status, response.problem_code().as_str()), (status, "refused"), "{code}");
            assert_eq!(response.head.field("connection"), Some("close"), "{code}");
            assert_eq!(client.read_to_end(), b"", "{code}");
        }
        until(code, || refused_count(&gateway, code) == 2);
    }
    assert_eq!(upstream.connections(), 0);
    let state = gateway.stop();
    assert_eq!(record_texts(&state, "action"), vec!["refuse"; 20]);
    let paths = record_texts(&state, "path");
    // What arrived before the refusal tells host and path.
    assert!(paths.iter().filter(|path| *path == "/a").count() >= 6, "{paths:?}");
}

#[test]
fn a_refusal_names_its_zone_and_shows_its_code_where_the_zone_does() {
    let upstream = Upstream::fixed(OK);
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n");
    assert_eq!(refusal(&mut client), (400, "protocol.content_length.invalid".to_owned()));
    drop(client);
    let state = gateway.stop();
    assert_eq!((record_texts(&state, "zone"), record_texts(&state, "host")), (vec![support::ZONE.into()], vec!["a".into()]));
}

#[test]
fn requests_before_a_refused_one_are_answered_first() {
    let upstream = Upstream::start(|mut peer, _| {
        while let Some(head) = peer.read_head() {
            std::thread::sleep(Duration::from_millis(30));
            let path = head.first().split(' ').nth(1).unwrap();
            peer.write(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
        }
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!([client.response().text(), client.response().text()], ["/1", "/2"]);
    assert_eq!(client.response().status, 400);
    assert_eq!(client.read_to_end(), b"", "what comes behind a refused request is no request");
}

#[test]
fn requests_pass_however_their_bytes_arrive() {
    let (upstream, bodies) = Upstream::collecting(OK);
    let gateway = gateway(&[upstream.address]);
    let counted = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let chunked =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n";
    let pipeline = [counted, chunked, counted, chunked].concat();
    for piece in [1, 2, 7, 64, pipeline.len()] {
        let mut client = Peer::connect(gateway.address());
        for bytes in pipeline.as_bytes().chunks(piece) {
            client.write_bytes(bytes).unwrap();
        }
        for _ in 0..4 {
            assert_eq!(client.response().status, 200);
            assert_eq!(bodies.recv().unwrap(), b"hello");
        }
    }
}

#[test]
fn a_head_that_takes_too_long_is_408_and_an_idle_connection_just_closes() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, json!({"head_seconds": 0.5, "idle_seconds": 1.0}));
    let started = Instant::now();
    let mut slow = Peer::connect(gateway.address());
    let mut idle = Peer::connect(gateway.address());
    idle.write(GET);
    assert_eq!(idle.response().status, 200);
    // A byte now and then, for as long as it is taken, does not make it live longer.
    slow.write("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    let mut dripping = slow.stream.try_clone().unwrap();
    std::thread::spawn(move || {
        while dripping.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(40));
        }
    });
    let response = slow.response();
    assert_eq!((response.status, response.problem_code().as_str()), (408, "refused"));
    assert_eq!(refused_count(&gateway, "protocol.header.timeout"), 1);
    assert!(started.elapsed() > Duration::from_millis(450), "{:?}", started.elapsed());
    assert_eq!(idle.read_to_end(), b"");
    assert!(started.elapsed() > Duration::from_millis(900), "{:?}", started.elapsed());
}

#[test]
fn a_body_that_is_refused_never_becomes_whole_upstream() {
    let (sender, bodies) = mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        peer.read_head();
        let _ = sender.send(peer.read_to_end());
    });
    let gateway = limited(&upstream, json!({"body_bytes": 100}));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let long = format!("c8\r\n{}\r\n", "x".repeat(200));
    for (rest, status, code) in [
        ("3 \r\nabc\r\n0\r\n\r\n", 400, "protocol.chunk.size"),
        ("3\r\nabcd\r\n0\r\n\r\n", 400, "protocol.chunk.end"),
        ("0\r\nHost: b\r\n\r\n", 400, "protocol.trailer.forbidden"),
        (&long, 413, "protocol.body.too_large"),
    ] {
        let mut client = Peer::connect(gateway.address());
        client.write(head);
        std::thread::sleep(Duration::from_millis(30));
        client.write(rest);
        assert_eq!(refusal(&mut client), (status, code.to_owned()));
        assert!(!bodies.recv().unwrap().ends_with(b"0\r\n\r\n"), "{code}");
        until(code, || refused_count(&gateway, code) == 1);
    }
    let known = send(gateway.address(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
    assert_eq!((known.status, known.problem_code().as_str()), (413, "refused"));
    let state = gateway.stop();
    assert_eq!(record_texts(&state, "action"), vec!["refuse"; 5]);
}

#[test]
fn a_body_that_drips_is_given_up_and_one_that_merely_pauses_is_not() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, json!({"body_bytes_per_second": 1000, "body_grace_seconds": 0.4}));
    let started = Instant::now();
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    while client.write_bytes(b"x").is_ok() && started.elapsed() < Duration::from_millis(700) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let response = client.response();
    assert_eq!((response.status, response.problem_code().as_str()), (408, "client.timeout"));
    let mut client = Peer::connect(gateway.address());
    client.write(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3001\r\n\r\n{}", "x".repeat(3000)));
    std::thread::sleep(Duration::from_millis(800));
    client.write("x");
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_connection_has_so_many_requests() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, json!({"requests_per_connection": 2}));
    let mut client = Peer::connect(gateway.address());
    client.write(GET);
    assert_eq!(client.response().head.field("connection"), None);
    client.write(GET);
    assert_eq!(client.response().head.field("connection"), Some("close"));
    assert_eq!(client.read_to_end(), b"");
}

#[test]
fn a_client_has_so_many_connections() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, json!({"connections_per_client": 1}));
    let errors = |error: &'static str| gateway.shared().metrics.connection_errors.get([error.into()]);
    let mut first = Peer::connect(gateway.address());
    first.write(GET);
    assert_eq!(first.response().status, 200);
    assert_eq!(Peer::connect(gateway.address()).read_to_end(), b"");
    assert_eq!(errors("too_many_of_client"), 1);
    drop(first);
    until("a free place", || {
        let mut next = Peer::connect(gateway.address());
        let _ = next.write_bytes(GET.as_bytes());
        next.read_head().is_some()
    });
}

#[test]
fn too_many_connections_are_closed_and_counted() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, json!({"connections": 1}));
    let mut first = Peer::connect(gateway.address());
    first.write(GET);
    assert_eq!(first.response().status, 200);
    assert_eq!(Peer::connect(gateway.address()).read_to_end(), b"");
    assert_eq!(gateway.shared().metrics.connection_errors.get(["too_many".into()]), 1);
}

#[test]
fn too_many_requests_at_once_are_503_with_retry_after() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |mut peer, _| {
        peer.read_head();
        let _ = wait.lock().unwrap().recv();
        peer.write(OK);
    });
    let gateway = limited(&upstream, json!({"requests_in_flight": 1}));
    let mut first = Peer::connect(gateway.address());
    first.write(GET);
    until("the first request", || upstream.connections() == 1);
    let response = send(gateway.address(), GET);
    assert_eq!((response.status, response.problem_code().as_str()), (503, "overloaded"));
    assert_eq!(response.head.field("retry-after"), Some("1"));
    go.send(()).unwrap();
    assert_eq!(first.response().status, 200);
    go.send(()).unwrap();
    assert_eq!(send(gateway.address(), GET).status, 200);
}

#[test]
fn a_process_that_takes_too_much_memory_sheds_its_load() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, json!({"memory_bytes": 1}));
    let shared = gateway.shared();
    let mut early = Peer::connect(gateway.address());
    until("the look at the memory", || shared.is_short_of_memory.load(std::sync::atomic::Ordering::Relaxed));
    early.write(GET);
    let head = early.read_head();
    assert!(head.is_none_or(|head| head.first() == "HTTP/1.1 503 Service Unavailable"), "answered before the look, or 503");
    assert_eq!(Peer::connect(gateway.address()).read_to_end(), b"");
    assert!(shared.metrics.connection_errors.get(["memory".into()]) > 0);
}

#[test]
fn what_comes_behind_a_request_for_an_upgrade_waits_for_its_answer() {
    let upstream = Upstream::fixed(OK);
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    let ask = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write(&[ask, GET, "GET /# HTTP/1.1\r\n"].concat());
    assert_eq!([client.response().status, client.response().status], [200, 200]);
    assert_eq!(client.response().status, 400, "not upgraded: it is HTTP still");
}

#[test]
fn responses_that_can_be_read_in_two_ways_are_502() {
    for (response, code) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ambiguous_response"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ambiguous_response"),
        ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "ambiguous_response"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ambiguous_response"),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ambiguous_response"),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "invalid_response"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok", "invalid_response"),
        ("HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\nok", "invalid_response"),
        ("HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", "invalid_response"),
    ] {
        let upstream = Upstream::fixed(response);
        let gateway = gateway(&[upstream.address]);
        let mut client = Peer::connect(gateway.address());
        for _ in 0..2 {
            client.write(GET);
            let answer = client.response();
            assert_eq!((answer.status, answer.problem_code()), (502, format!("upstream.{code}")), "{response:?}");
        }
        assert_eq!(upstream.connections(), 2, "the connection was dropped");
        drop(client);
        let state = gateway.stop();
        assert_eq!(record_texts(&state, "error"), vec![format!("upstream.{code}"); 2]);
    }
}

#[test]
fn a_response_that_nobody_asked_for_goes_to_nobody() {
    let upstream =
        Upstream::fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    for _ in 0..5 {
        client.write(GET);
        assert_eq!(client.response().text(), "ok");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(upstream.connections(), 5);
}

#[test]
fn a_chunked_response_that_breaks_its_framing_breaks_off() {
    let upstream = Upstream::fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2 \r\nno\r\n0\r\n\r\n");
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write(GET);
    let rest = String::from_utf8_lossy(&client.read_to_end()).into_owned();
    assert!(!rest.ends_with("0\r\n\r\n") && !rest.contains("no"), "{rest:?}");
    let state = gateway.stop();
    assert_eq!(record_texts(&state, "error"), ["upstream.ambiguous_response"]);
}
