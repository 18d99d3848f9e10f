//! Limits over real sockets: what a client is answered and told, what is counted when, what is given back and when.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use engine::testing::limit;
use serde_json::{Value, json};
use support::client::{Response, get, send};
use support::upstream::{Peer, Upstream};
use support::{Setup, TestGateway, until, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ASK: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn with(mut limit: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        limit[name] = value.clone();
    }
    limit
}

fn in_flight(most: u32) -> Value {
    with(limit("busy", 0), &json!({"requests": null, "in_flight": most, "period_seconds": 0, "violation": "limits.in_flight"}))
}

fn limited(upstream: &Upstream, limits: &[Value]) -> TestGateway {
    Setup::new(zone(&[upstream.address])).limits(limits).start()
}

fn fields<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.head.field(name)
}

/// `"one";r=0;t=7` → ("\"one\";r=0", 7).
fn split_time(field: &str) -> (&str, u64) {
    let (rest, time) = field.rsplit_once(";t=").unwrap();
    (rest, time.parse().unwrap())
}

#[test]
fn the_second_request_of_one_is_answered_429_and_never_goes_upstream() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, &[limit("one", 1)]);
    let first = get(gateway.address(), "/");
    assert_eq!((first.status, fields(&first, "ratelimit-policy")), (200, Some(r#""one";q=1;w=10"#)));
    let (left, seconds) = split_time(fields(&first, "ratelimit").unwrap());
    assert!(left == r#""one";r=0"# && (1..=10).contains(&seconds), "{left} {seconds}");
    let second = send(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n\r\n");
    assert_eq!((second.status, second.problem_code().as_str()), (429, "limited"));
    assert_eq!(second.problem()["violations"][0]["code"], "limits.exceeded");
    let wait: u64 = fields(&second, "retry-after").unwrap().parse().unwrap();
    assert!((1..=11).contains(&wait), "the rest of the window, and a bit of it slid out: {wait}");
    assert_eq!(split_time(fields(&second, "ratelimit").unwrap()), (r#""one";r=0"#, wait));
    let exposed = fields(&second, "access-control-expose-headers").unwrap();
    assert!(exposed.contains("retry-after") && exposed.contains("ratelimit-policy"), "{exposed}");
    assert_eq!(upstream.connections(), 1);
    let state = gateway.stop();
    assert_eq!(support::record_texts(&state, "action"), ["allow", "block"]);
    assert_eq!(support::record_texts(&state, "rule"), ["null", "one"]);
}

#[test]
fn a_limit_of_zero_stops_the_first_and_a_body_behind_it_is_not_waited_for() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, &[limit("none", 0)]);
    let mut client = Peer::connect(gateway.address());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{");
    assert_eq!(client.response().status, 429);
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_limit_answers_in_its_own_words_and_still_says_when_to_come_again() {
    let upstream = Upstream::fixed(OK);
    let response = json!({"status": 418, "content_type": "text/plain", "content": "slow down"});
    let limit = with(limit("own", 0), &json!({"response": response, "mitigation_seconds": 600}));
    let gateway = limited(&upstream, &[limit]);
    let answer = get(gateway.address(), "/");
    assert_eq!((answer.status, answer.text().as_str()), (418, "slow down"));
    assert_eq!(fields(&answer, "content-type"), Some("text/plain"));
    assert_eq!(fields(&answer, "retry-after"), Some("600"));
}

#[test]
fn failed_logins_are_counted_by_their_responses_and_successful_ones_are_not() {
    let upstream = Upstream::start(|mut peer, _| {
        while let Some(head) = peer.read_head() {
            let status = if head.first().contains("wrong") { "401 Unauthorized" } else { "200 OK" };
            peer.write(&format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let failed = json!({"nodes": [["fact", "http.response.code"], ["int", 401], ["eq", 0, 1]]});
    let gateway = limited(&upstream, &[with(limit("logins", 2), &json!({"count_when": failed, "mitigation_seconds": 60}))]);
    let paths = ["/right", "/wrong", "/right", "/wrong", "/right", "/wrong", "/right"];
    let statuses = paths.map(|path| get(gateway.address(), path).status);
    assert_eq!(statuses, [200, 401, 200, 401, 200, 401, 429]);
    assert_eq!(fields(&get(gateway.address(), "/right"), "retry-after"), Some("60"));
}

#[test]
fn the_upstream_says_what_a_request_costs() {
    let upstream = Upstream::start(|mut peer, _| {
        while let Some(head) = peer.read_head() {
            let score = head.first().split(' ').nth(1).unwrap()[1..].to_owned();
            peer.write(&format!("HTTP/1.1 200 OK\r\nx-cost: {score}\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let scored = json!({"requests": null, "score": 100, "score_header": "x-cost"});
    let gateway = limited(&upstream, &[with(limit("cost", 0), &scored)]);
    let statuses = ["/60", "/1000001", "/none", "/40", "/1", "/1"].map(|path| get(gateway.address(), path).status);
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429], "100 is not more than 100");
}

#[test]
fn what_an_upstream_never_saw_is_not_counted_towards_the_origin() {
    let upstream = Upstream::fixed(OK);
    let mut setup = Setup::new(zone(&[upstream.address])).limits(&[with(limit("origin", 1), &json!({"to_origin": true}))]);
    setup.rules = json!([{"id": "deny", "action": "block", "violation": "rules.custom", "fail": "open",
        "when": {"nodes": [["fact", "http.request.uri.path"], ["str", "/denied"], ["eq", 0, 1]]}}]);
    let gateway = setup.start();
    let statuses = ["/denied", "/denied", "/", "/"].map(|path| get(gateway.address(), path).status);
    assert_eq!(statuses, [403, 403, 200, 429], "a rule behind the limits stopped the first two");
}

#[test]
fn requests_in_flight_are_given_back_at_the_end_of_the_response_and_when_the_client_leaves() {
    let (let_go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |mut peer, _| {
        while peer.read_head().is_some() {
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
            let _ = wait.lock().unwrap().recv();
            peer.write("k");
        }
    });
    let gateway = limited(&upstream, &[in_flight(1)]);
    let mut slow = Peer::connect(gateway.address());
    slow.write(ASK);
    let head = slow.read_head().unwrap();
    assert_eq!(head.field("ratelimit-policy"), Some(r#""busy";q=1;qu="concurrent-requests""#));
    assert_eq!(head.field("ratelimit"), Some(r#""busy";r=0"#));
    let refused = get(gateway.address(), "/");
    assert_eq!((refused.status, fields(&refused, "retry-after")), (429, Some("1")));
    let_go.send(()).unwrap();
    assert_eq!(slow.read_exact(2), b"ok");
    // The next one leaves in the middle of its response.
    let ask_and_leave = || {
        let mut client = Peer::connect(gateway.address());
        client.write(ASK);
        client.read_head().is_some_and(|head| head.first().contains("200"))
    };
    until("the place is free again", ask_and_leave);
    until("the place of the one that left", || {
        let mut client = Peer::connect(gateway.address());
        client.write(ASK);
        let passed = client.read_head().is_some_and(|head| head.first().contains("200"));
        let _ = let_go.send(());
        passed
    });
}

#[test]
fn an_upgraded_connection_is_in_flight_until_it_ends() {
    let upstream = Upstream::start(|mut peer, _| {
        if let Some(head) = peer.read_head() {
            match head.field("upgrade") {
                Some(_) => {
                    peer.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
                    peer.read_to_end();
                }
                None => peer.write(OK),
            }
        }
    });
    let gateway = limited(&upstream, &[in_flight(1)]);
    let mut tunnel = Peer::connect(gateway.address());
    tunnel.write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(tunnel.read_head().unwrap().first().contains("101"));
    assert_eq!(get(gateway.address(), "/").status, 429);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(get(gateway.address(), "/").status, 429, "still");
    drop(tunnel);
    until("the tunnel's place", || get(gateway.address(), "/").status == 200);
}

#[test]
fn an_upstream_that_fails_gives_its_places_back() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let gateway = Setup::new(zone(&[address])).limits(&[in_flight(1)]).start();
    assert!((0..5).all(|_| get(gateway.address(), "/").status == 502));
}

#[test]
fn modes_that_do_not_enforce_let_everything_pass_and_tell_clients_nothing() {
    let upstream = Upstream::fixed(OK);
    let gateway = Setup::new(zone(&[upstream.address])).limits(&[with(limit("logged", 1), &json!({"action": "log"}))]).start();
    let responses: Vec<_> = (0..3).map(|_| get(gateway.address(), "/")).collect();
    assert!(responses.iter().all(|response| response.status == 200 && fields(response, "ratelimit").is_none()));
    let state = gateway.stop();
    assert_eq!(support::record_texts(&state, "action"), ["allow", "log", "log"]);
}

#[test]
fn a_scrape_says_how_full_the_counters_are_and_what_they_did() {
    let upstream = Upstream::fixed(OK);
    let gateway = limited(&upstream, &[limit("one", 1)]);
    for _ in 0..3 {
        get(gateway.address(), "/");
    }
    let scrape = gateway.shared().metrics.render().unwrap();
    for line in [
        "hoplon_limits_checks_total 3",
        "hoplon_limits_exceeded_total 2",
        "hoplon_limits_keys 1",
        "hoplon_limits_evicted_total 0",
    ] {
        assert!(scrape.contains(line), "{line}");
    }
}
