//! Active health checks: what they ask, what they change, and what they leave alone.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::client::get;
use support::upstream::{Head, Upstream};
use support::{Setup, TestGateway, record_texts, until, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const DOWN: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// An upstream whose health is what the test says, with what it was asked.
struct Patient {
    upstream: Upstream,
    is_well: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    checks: Arc<Mutex<Vec<Head>>>,
}

impl Patient {
    fn start(is_well: bool) -> Patient {
        let is_well = Arc::new(AtomicBool::new(is_well));
        let (requests, checks) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (well, counted, asked) = (is_well.clone(), requests.clone(), checks.clone());
        let upstream = Upstream::start(move |mut peer, _| {
            while let Some(head) = peer.read_head() {
                if head.first().starts_with("GET /healthz") {
                    asked.lock().unwrap().push(head);
                    peer.write(if well.load(SeqCst) { OK } else { DOWN });
                } else {
                    counted.fetch_add(1, SeqCst);
                    peer.write(OK);
                }
            }
        });
        Patient { upstream, is_well, requests, checks }
    }

    fn checks(&self) -> usize {
        self.checks.lock().unwrap().len()
    }
}

fn checked(upstreams: &[&Patient]) -> Value {
    let mut zone = zone(&upstreams.iter().map(|patient| patient.upstream.address).collect::<Vec<_>>());
    zone["health"] = json!({"path": "/healthz?deep=1", "interval_seconds": 0.1, "timeout_seconds": 1.0, "status": 200,
                            "failures": 2, "successes": 2});
    zone
}

fn failing(gateway: &TestGateway) -> usize {
    gateway.shared().health.failing().len()
}

fn scrape(gateway: &TestGateway) -> String {
    get(gateway.shared().listening.get().unwrap().status, "/metrics").text()
}

#[test]
fn an_upstream_that_fails_its_checks_gets_no_requests_until_it_passes_them_again() {
    let patients = [Patient::start(false), Patient::start(true)];
    let gateway = Setup::new(checked(&[&patients[0], &patients[1]])).start();
    until("the first check, which decides alone", || failing(&gateway) == 1);
    let before = patients[0].requests.load(SeqCst);
    for _ in 0..10 {
        assert_eq!(get(gateway.address(), "/").status, 200);
    }
    assert_eq!(patients[0].requests.load(SeqCst), before, "no request was the probe");
    let scraped = scrape(&gateway);
    assert!(scraped.contains("hoplon_upstreams_failing 1\n"), "{scraped}");
    let counted =
        format!("hoplon_upstream_checks_total{{upstream=\"http://{}\",result=\"failed\"}}", patients[0].upstream.address);
    assert!(scraped.contains(&counted), "{scraped}");
    let file = gateway.state.path().join("run/gateway.status.json");
    let said = format!("http://{}", patients[0].upstream.address);
    until("the status file", || {
        let status: Value = serde_json::from_slice(&std::fs::read(&file).unwrap_or_default()).unwrap_or_default();
        status["failing_upstreams"] == json!([said])
    });
    patients[0].is_well.store(true, SeqCst);
    until("its return", || failing(&gateway) == 0);
    for _ in 0..4 {
        assert_eq!(get(gateway.address(), "/").status, 200);
    }
    assert!(patients[0].requests.load(SeqCst) >= before + 2);
}

#[test]
fn a_check_is_a_get_for_the_zones_host_and_leaves_no_record() {
    let patient = Patient::start(true);
    let mut named = checked(&[&patient]);
    named["hosts"] = json!(["{tenant}.api.test", "api.test"]);
    let gateway = Setup::new(named).start();
    until("checks", || patient.checks() >= 3);
    assert_eq!(get(gateway.address(), "/mine").status, 200);
    let head = patient.checks.lock().unwrap()[0].clone();
    assert_eq!(head.first(), "GET /healthz?deep=1 HTTP/1.1");
    assert_eq!((head.field("host"), head.field("user-agent")), (Some("api.test"), Some("hoplon-health-check")));
    assert_eq!(record_texts(&gateway.stop(), "path"), ["/mine"]);
}

#[test]
fn without_a_host_of_the_zone_a_check_names_the_upstream() {
    let patient = Patient::start(true);
    let _gateway = Setup::new(checked(&[&patient])).start();
    until("a check", || patient.checks() >= 1);
    let address = patient.upstream.address.to_string();
    assert_eq!(patient.checks.lock().unwrap()[0].field("host"), Some(address.as_str()));
}

#[test]
fn silence_and_a_closed_port_are_failures_too() {
    let silent = Upstream::start(|mut peer, _| drop(peer.read_to_end()));
    let well = Patient::start(true);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut zone = checked(&[&well]);
    zone["health"]["timeout_seconds"] = json!(0.2);
    let urls =
        [silent.address, well.upstream.address, closed].map(|address| support::upstream_json(&format!("http://{address}")));
    zone["upstreams"] = json!(urls);
    let gateway = Setup::new(zone).start();
    until("both", || failing(&gateway) == 2);
}

#[test]
fn a_policy_without_checks_ends_them_and_what_they_held_against_an_upstream() {
    let patients = [Patient::start(false), Patient::start(true)];
    let with = checked(&[&patients[0], &patients[1]]);
    let gateway = Setup::new(with.clone()).start();
    until("the first check", || failing(&gateway) == 1);
    let mut without = with.clone();
    without["health"] = json!(null);
    gateway.swap(&without, &json!([]), &json!([]));
    until("the end", || failing(&gateway) == 0);
    let checks = patients[0].checks();
    std::thread::sleep(Duration::from_millis(400));
    assert!(patients[0].checks() <= checks + 1);
    let mut draining = with;
    draining["upstreams"][0]["drain"] = json!(true);
    gateway.swap(&draining, &json!([]), &json!([]));
    until("new checks", || patients[1].checks() > 8);
    assert!(patients[0].checks() <= checks + 1, "what drains is not asked");
}

#[test]
fn the_only_upstream_is_asked_by_requests_whatever_the_checks_say() {
    let patient = Patient::start(false);
    let gateway = Setup::new(checked(&[&patient])).start();
    until("the first check", || failing(&gateway) == 1);
    assert_eq!(get(gateway.address(), "/").status, 200);
}
