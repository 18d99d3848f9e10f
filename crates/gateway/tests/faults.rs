//! Upstreams that are missing, slow, closing, lying or early; clients that leave. Each with its answer.

mod support;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde_json::json;
use support::client::{get, send};
use support::upstream::{Peer, Upstream};
use support::{Setup, gateway, until, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_missing_upstream_is_502() {
    let gateway = gateway(&[nobody()]);
    let response = send(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.test\r\n\r\n");
    assert_eq!((response.status, response.problem_code().as_str()), (502, "upstream.connect_failed"));
    assert_eq!(response.head.field("access-control-allow-origin"), Some("https://app.test"));
}

#[test]
fn a_slow_upstream_is_504() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        std::thread::sleep(Duration::from_secs(20));
    });
    let mut slow = zone(&[upstream.address]);
    slow["timeouts"]["read_seconds"] = json!(0.3);
    let gateway = Setup::new(slow).start();
    let sent = Instant::now();
    let response = get(gateway.address(), "/");
    assert_eq!((response.status, response.problem_code().as_str()), (504, "upstream.read_timeout"));
    assert!((Duration::from_millis(250)..Duration::from_secs(3)).contains(&sent.elapsed()));
}

#[test]
fn a_pooled_connection_does_not_shorten_or_lengthen_the_next_ones_time() {
    let upstream = Upstream::start(|mut peer, _| {
        while let Some(head) = peer.read_head() {
            let wait = head.first().split(' ').nth(1).unwrap()[1..].parse().unwrap();
            std::thread::sleep(Duration::from_millis(wait));
            peer.write(OK);
        }
    });
    let mut zone = zone(&[upstream.address]);
    zone["timeouts"]["read_seconds"] = json!(0.6);
    let gateway = Setup::new(zone).start();
    for wait in [0, 400, 400, 0, 400] {
        assert_eq!(get(gateway.address(), &format!("/{wait}")).status, 200);
    }
    assert_eq!(get(gateway.address(), "/1500").status, 504);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_close_before_the_answer_is_502() {
    let upstream = Upstream::start(|mut peer, _| drop(peer.read_head()));
    let gateway = gateway(&[upstream.address]);
    let response = get(gateway.address(), "/");
    assert_eq!((response.status, response.problem_code().as_str()), (502, "upstream.closed_early"));
}

#[test]
fn garbage_is_502() {
    for garbage in
        ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 999999 What\r\n\r\n", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "\0\0\0\0\r\n\r\n"]
    {
        let upstream = Upstream::start(move |mut peer, _| {
            peer.read_head();
            peer.write(garbage);
            std::thread::sleep(Duration::from_secs(1));
        });
        let gateway = gateway(&[upstream.address]);
        let response = get(gateway.address(), "/");
        assert_eq!((response.status, response.problem_code().as_str()), (502, "upstream.invalid_response"), "{garbage:?}");
    }
}

#[test]
fn an_unasked_switch_of_protocols_is_502() {
    let upstream = Upstream::fixed("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    let gateway = gateway(&[upstream.address]);
    assert_eq!(get(gateway.address(), "/").problem_code(), "upstream.invalid_response");
}

#[test]
fn a_body_that_breaks_off_breaks_off_for_the_client_too() {
    let upstream = Upstream::start(|mut peer, number| {
        peer.read_head();
        if number == 0 {
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        } else {
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        }
    });
    let gateway = gateway(&[upstream.address]);
    for _ in 0..2 {
        let mut client = Peer::connect(gateway.address());
        client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.read_head().unwrap().first(), "HTTP/1.1 200 OK");
        let rest = String::from_utf8(client.read_to_end()).unwrap();
        assert!(rest.contains("half") && !rest.ends_with("0\r\n\r\n"), "{rest:?}");
    }
}

#[test]
fn a_body_that_pauses_too_long_is_broken_off() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        std::thread::sleep(Duration::from_secs(20));
    });
    let mut zone = zone(&[upstream.address]);
    zone["timeouts"]["idle_seconds"] = json!(0.3);
    let gateway = Setup::new(zone).start();
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_head().unwrap();
    let started = Instant::now();
    assert_eq!(client.read_to_end(), b"half");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_client_that_stops_sending_is_408() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        std::thread::sleep(Duration::from_secs(20));
    });
    let mut zone = zone(&[upstream.address]);
    zone["timeouts"]["idle_seconds"] = json!(0.3);
    let gateway = Setup::new(zone).start();
    let response = send(gateway.address(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!((response.status, response.problem_code().as_str()), (408, "client.timeout"));
}

#[test]
fn an_answer_before_the_request_ends_reaches_the_client() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
        std::thread::sleep(Duration::from_secs(1));
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    let piece = vec![b'x'; 64 << 10];
    for _ in 0..8 {
        let _ = client.write_bytes(&piece);
    }
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (413, "big"));
}

#[test]
fn an_answer_before_the_request_ends_reaches_the_client_even_when_the_upstream_hangs_up() {
    // It closes with the body unread: the kernel resets the connection, and writing to it fails before the answer is read.
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    });
    let gateway = gateway(&[upstream.address]);
    let piece = vec![b'x'; 64 << 10];
    for _ in 0..100 {
        let mut client = Peer::connect(gateway.address());
        client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        for _ in 0..8 {
            let _ = client.write_bytes(&piece);
        }
        let response = client.response();
        assert_eq!((response.status, response.text().as_str()), (413, "big"));
    }
}

#[test]
fn an_upload_goes_on_while_its_answer_streams() {
    const LENGTH: usize = 8 << 20;
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write(&format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"));
        let mut left = LENGTH;
        let mut reader = Peer::new(peer.stream.try_clone().unwrap());
        let writing = std::thread::spawn(move || peer.write_bytes(&vec![b'a'; LENGTH]));
        while left > 0 {
            left -= reader.read_exact(left.min(1 << 16)).len();
        }
        writing.join().unwrap().unwrap();
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n"));
    // The whole upload first, not a byte of the answer is read before.
    client.write_bytes(&vec![b'b'; LENGTH]).unwrap();
    assert_eq!(client.response().body.len(), LENGTH);
}

#[test]
fn a_stale_pooled_connection_is_not_the_clients_problem() {
    // Each connection answers once and is closed half a second later: by then it is in the pool.
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write(OK);
        std::thread::sleep(Duration::from_millis(50));
    });
    let gateway = gateway(&[upstream.address]);
    for _ in 0..3 {
        assert_eq!(get(gateway.address(), "/").status, 200);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(upstream.connections(), 3);
}

/// The first connection answers one request, then takes the next and closes without a byte.
fn closing_on_second() -> (Upstream, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    let upstream = Upstream::start(move |mut peer, number| {
        while let Some(head) = peer.read_head() {
            peer.read_exact(head.content_length());
            if number == 0 && counted.fetch_add(1, SeqCst) == 1 {
                return;
            }
            peer.write(OK);
        }
    });
    (upstream, requests)
}

#[test]
fn an_idempotent_request_on_a_closing_connection_is_sent_again() {
    let (upstream, _) = closing_on_second();
    let gateway = gateway(&[upstream.address]);
    assert_eq!(get(gateway.address(), "/").status, 200);
    assert_eq!(get(gateway.address(), "/").status, 200);
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_request_that_may_have_acted_is_not_sent_again() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let put_with_body = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    for request in [post, put_with_body] {
        let (upstream, requests) = closing_on_second();
        let gateway = gateway(&[upstream.address]);
        assert_eq!(get(gateway.address(), "/").status, 200);
        assert_eq!(send(gateway.address(), request).problem_code(), "upstream.closed_early");
        assert_eq!((upstream.connections(), requests.load(SeqCst)), (1, 2));
    }
}

#[test]
fn a_connection_that_began_to_answer_is_not_tried_again() {
    let upstream = Upstream::start(|mut peer, number| {
        peer.read_head();
        peer.write(OK);
        if number == 0 {
            peer.read_head();
            peer.write("HTTP/1.1 20");
        }
    });
    let gateway = gateway(&[upstream.address]);
    assert_eq!(get(gateway.address(), "/").status, 200);
    assert_eq!(get(gateway.address(), "/").status, 502);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn several_upstreams_take_turns_and_a_dead_one_is_left_out() {
    let alive = [Upstream::fixed(OK), Upstream::fixed(OK)];
    let gateway = gateway(&[alive[0].address, nobody(), alive[1].address]);
    for _ in 0..30 {
        assert_eq!(get(gateway.address(), "/").status, 200);
    }
    assert!(alive.iter().all(|upstream| upstream.connections() == 1));
    assert_eq!(gateway.shared().health.ejected(), 1);
}

#[test]
fn an_upstream_that_answers_nothing_is_left_out_and_comes_back() {
    let broken = Arc::new(AtomicBool::new(true));
    let served = Arc::new(AtomicUsize::new(0));
    let (is_broken, counted) = (broken.clone(), served.clone());
    let shaky = Upstream::start(move |mut peer, _| {
        while peer.read_head().is_some() && !is_broken.load(SeqCst) {
            counted.fetch_add(1, SeqCst);
            peer.write(OK);
        }
    });
    let steady = Upstream::fixed(OK);
    let gateway = gateway(&[shaky.address, steady.address]);
    let failed = (0..20).filter(|_| get(gateway.address(), "/").status != 200).count();
    assert_eq!(failed, 3, "after three failures in a row it is left out");
    assert_eq!(gateway.shared().health.ejected(), 1);
    broken.store(false, SeqCst);
    until("its return", || {
        assert_eq!(get(gateway.address(), "/").status, 200);
        served.load(SeqCst) > 0
    });
    assert_eq!(gateway.shared().health.ejected(), 0);
}

#[test]
fn a_single_upstream_is_asked_again_each_time() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let gateway = gateway(&[address]);
    for _ in 0..5 {
        assert_eq!(get(gateway.address(), "/").status, 502);
    }
    let _upstream = Upstream::on(TcpListener::bind(address).unwrap(), |mut peer, _| {
        peer.read_head();
        peer.write(OK);
    });
    assert_eq!(get(gateway.address(), "/").status, 200);
}

#[test]
fn a_client_that_leaves_takes_its_upstream_request_along() {
    let gone = Arc::new(AtomicBool::new(false));
    let seen = gone.clone();
    let upstream = Upstream::start(move |mut peer, _| {
        peer.read_head();
        assert!(peer.read_to_end().is_empty());
        seen.store(true, SeqCst);
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the upstream's request", || upstream.connections() == 1);
    std::thread::sleep(Duration::from_millis(50));
    drop(client);
    until("the end of the upstream's request", || gone.load(SeqCst));
}

#[test]
fn interim_responses_without_end_are_502_at_once() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(1000);
        while peer.write_bytes(interim.as_bytes()).is_ok() {}
    });
    let gateway = gateway(&[upstream.address]);
    let sent = Instant::now();
    let response = get(gateway.address(), "/");
    assert_eq!((response.status, response.problem_code().as_str()), (502, "upstream.invalid_response"));
    assert!(sent.elapsed() < Duration::from_secs(3));
}
