//! How a zone's upstreams share its requests, and when none of them gets one: maintenance, balancing, draining, the retry budget.

mod support;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use serde_json::{Value, json};
use support::client::{get, send};
use support::upstream::{Peer, Upstream};
use support::{Setup, TestGateway, record_texts, until, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Answers every request with `ok` and counts them; a request for `/wait` is answered when `open` says so.
struct Counting {
    upstream: Upstream,
    requests: Arc<AtomicUsize>,
    open: Arc<AtomicBool>,
}

impl Counting {
    fn start() -> Counting {
        let (requests, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, may_go) = (requests.clone(), open.clone());
        let upstream = Upstream::start(move |mut peer, _| {
            while let Some(head) = peer.read_head() {
                counted.fetch_add(1, SeqCst);
                if head.first().starts_with("GET /wait") {
                    until("the test to go on", || may_go.load(SeqCst));
                }
                peer.write(OK);
            }
        });
        Counting { upstream, requests, open }
    }

    fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}

fn counting<const N: usize>() -> [Counting; N] {
    std::array::from_fn(|_| Counting::start())
}

fn zone_of(upstreams: &[Counting]) -> Value {
    zone(&upstreams.iter().map(|counting| counting.upstream.address).collect::<Vec<_>>())
}

fn scrape(gateway: &TestGateway) -> String {
    get(gateway.shared().listening.get().unwrap().status, "/metrics").text()
}

fn swap_zone(gateway: &TestGateway, zone: &Value) {
    gateway.swap(zone, &json!([]), &json!([]));
}

#[test]
fn under_maintenance_nothing_goes_upstream_and_the_answer_says_when_to_come_back() {
    let upstreams = counting::<1>();
    let open = zone_of(&upstreams);
    let mut closed = open.clone();
    closed["maintenance"] = json!({"enabled": true, "retry_after_seconds": 120, "message": "Back at noon."});
    let gateway = Setup::new(open.clone()).start();
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    swap_zone(&gateway, &closed);
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    let answer = client.response();
    assert_eq!((answer.status, answer.head.field("retry-after")), (503, Some("120")));
    assert_eq!((answer.problem_code().as_str(), &answer.problem()["detail"]), ("maintenance", &json!("Back at noon.")));
    assert!(scrape(&gateway).contains("hoplon_zones_in_maintenance 1\n"));
    let refused = send(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_eq!(refused.status, 400, "what can be read in two ways is refused first");
    swap_zone(&gateway, &open);
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200, "the connection was kept");
    assert_eq!(upstreams[0].requests(), 2);
    let zones = "hoplon_upstream_errors_total{zone=\"0123456789abcdef0123456789abcdef\",error=\"maintenance\"} 1";
    assert!(scrape(&gateway).contains(zones), "{}", scrape(&gateway));
    drop(client);
    let errors = record_texts(&gateway.stop(), "error");
    assert_eq!(errors.iter().filter(|error| *error == "maintenance").count(), 1, "{errors:?}");
}

#[test]
fn the_upstream_with_the_fewest_requests_gets_the_next_also_across_threads() {
    let upstreams = counting::<2>();
    let mut setup = Setup::new(zone_of(&upstreams));
    setup.config["threads"] = json!(2);
    let gateway = setup.start();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let mut client = Peer::connect(gateway.address());
            client.write("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
            let busy = || upstreams.iter().map(Counting::requests).sum::<usize>();
            until("the request", || busy() > 0);
            client
        })
        .collect();
    until("both", || upstreams.iter().all(|upstream| upstream.requests() == 1));
    upstreams[0].open.store(true, SeqCst);
    until("its end", || scrape(&gateway).contains(&format!("{{upstream=\"http://{}\"}} 0\n", upstreams[0].upstream.address)));
    for _ in 0..10 {
        assert_eq!(get(gateway.address(), "/").status, 200);
    }
    assert_eq!((upstreams[0].requests(), upstreams[1].requests()), (11, 1), "the other one is still busy");
    upstreams[1].open.store(true, SeqCst);
    for mut client in waiting {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn round_robin_looks_at_turns_only() {
    let upstreams = counting::<2>();
    let mut zone = zone_of(&upstreams);
    zone["balancing"] = json!({"method": "round_robin", "panic_percent": 50});
    let gateway = Setup::new(zone).start();
    let mut client = Peer::connect(gateway.address());
    client.write("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the request", || upstreams[0].requests() == 1);
    for _ in 0..10 {
        assert_eq!(get(gateway.address(), "/").status, 200);
    }
    assert_eq!((upstreams[0].requests(), upstreams[1].requests()), (6, 5));
    upstreams[0].open.store(true, SeqCst);
    assert_eq!(client.response().status, 200);
}

#[test]
fn an_upstream_that_drains_ends_what_it_has_and_gets_nothing_new() {
    let upstreams = counting::<2>();
    let zone = zone_of(&upstreams);
    let gateway = Setup::new(zone.clone()).start();
    let mut client = Peer::connect(gateway.address());
    client.write("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the request", || upstreams[0].requests() == 1);
    let mut draining = zone.clone();
    draining["upstreams"][0]["drain"] = json!(true);
    swap_zone(&gateway, &draining);
    for _ in 0..6 {
        assert_eq!(get(gateway.address(), "/").status, 200);
    }
    assert_eq!((upstreams[0].requests(), upstreams[1].requests()), (1, 6));
    upstreams[0].open.store(true, SeqCst);
    assert_eq!(client.response().text(), "ok");
    swap_zone(&gateway, &zone);
    for _ in 0..4 {
        assert_eq!(get(gateway.address(), "/").status, 200);
    }
    assert_eq!(upstreams[0].requests(), 3, "back in turn");
}

#[test]
fn an_upgraded_connection_outlives_the_draining_of_its_upstream_and_counts_as_under_way() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        while let line = peer.read_line()
            && !line.is_empty()
        {
            peer.write(&line);
        }
    });
    let other = Upstream::fixed(OK);
    let zone = zone(&[upstream.address, other.address]);
    let gateway = Setup::new(zone.clone()).start();
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.response().status, 101);
    let mut draining = zone;
    draining["upstreams"][0]["drain"] = json!(true);
    swap_zone(&gateway, &draining);
    assert_eq!(get(gateway.address(), "/").status, 200);
    client.write("still here\n");
    assert_eq!(client.read_line(), "still here\n");
    let in_flight = |count: usize| format!("hoplon_upstream_in_flight{{upstream=\"http://{}\"}} {count}\n", upstream.address);
    assert!(scrape(&gateway).contains(&in_flight(1)), "{}", scrape(&gateway));
    drop(client);
    until("its end", || scrape(&gateway).contains(&in_flight(0)) || !scrape(&gateway).contains(&upstream.address.to_string()));
}

#[test]
fn when_too_few_are_healthy_all_are_asked_and_counted() {
    let broken = Arc::new(AtomicBool::new(true));
    let shaky: [Upstream; 2] = std::array::from_fn(|_| {
        let is_broken = broken.clone();
        Upstream::start(move |mut peer, _| {
            while peer.read_head().is_some() && !is_broken.load(SeqCst) {
                peer.write(OK);
            }
        })
    });
    let steady = Upstream::fixed(OK);
    let mut zone = zone(&[shaky[0].address, shaky[1].address, steady.address]);
    zone["balancing"] = json!({"method": "round_robin", "panic_percent": 50});
    let gateway = Setup::new(zone.clone()).start();
    until("two ejections", || {
        get(gateway.address(), "/");
        gateway.shared().health.ejected() == 2
    });
    let failed = (0..9).filter(|_| get(gateway.address(), "/").status != 200).count();
    assert_eq!(failed, 6, "one in three is below the threshold: all are asked in turn");
    assert!(gateway.shared().metrics.health_ignored.total() >= 9);
    zone["balancing"]["panic_percent"] = json!(0);
    swap_zone(&gateway, &zone);
    assert!((0..9).all(|_| get(gateway.address(), "/").status == 200), "without a threshold the healthy one has all");
}

#[test]
fn a_retry_that_the_budget_does_not_hold_is_not_made() {
    let alive = Upstream::fixed(OK);
    let mut zone = zone(&[nobody(), alive.address]);
    zone["retries"] = json!({"budget_percent": 0, "min_per_second": 0});
    let gateway = Setup::new(zone).start();
    let statuses: Vec<_> = (0..12).map(|_| get(gateway.address(), "/").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 3, "until it is left out: {statuses:?}");
    assert_eq!(gateway.shared().metrics.retries_denied.total(), 3);
}

#[test]
fn a_request_that_no_upstream_has_seen_needs_no_budget() {
    // Each connection answers once and is closed soon after: by then it is in the pool.
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write(OK);
        std::thread::sleep(Duration::from_millis(50));
    });
    let mut zone = zone(&[upstream.address]);
    zone["retries"] = json!({"budget_percent": 0, "min_per_second": 0});
    let gateway = Setup::new(zone).start();
    for _ in 0..3 {
        assert_eq!(get(gateway.address(), "/").status, 200);
        std::thread::sleep(Duration::from_millis(150));
    }
}

#[test]
fn no_request_fails_while_upstreams_drain_in_turn() {
    let upstreams = counting::<2>();
    let zone = zone_of(&upstreams);
    let gateway = Setup::new(zone.clone()).start();
    let address = gateway.address();
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let is_over = is_over.clone();
            std::thread::spawn(move || {
                let (mut client, mut answered) = (Peer::connect(address), 0);
                while !is_over.load(SeqCst) {
                    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
                    assert_eq!(client.response().status, 200);
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for turn in 0..20 {
        let mut draining = zone.clone();
        draining["upstreams"][turn % 2]["drain"] = json!(true);
        swap_zone(&gateway, &draining);
        let other = &upstreams[1 - turn % 2];
        let before = other.requests();
        until("requests to the other one", || other.requests() > before + 5);
    }
    is_over.store(true, SeqCst);
    let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(answered > 200, "{answered}");
    assert_eq!(gateway.shared().metrics.upstream_errors.total(), 0);
}
