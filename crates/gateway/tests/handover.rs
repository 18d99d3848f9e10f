//! One gateway takes the place of another on the same sockets: nothing that was accepted goes unanswered.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway::server::Gateway;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use support::upstream::{Peer, Upstream};
use support::{until, write_bundle, write_key, zone};
use tokio::net::TcpStream;

const ASK: &str = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a supervisor has: the sockets, and the state directory of one gateway after the other.
struct Supervisor {
    traffic: TcpListener,
    status: TcpListener,
    state: tempfile::TempDir,
    drain_seconds: f64,
    handover_seconds: f64,
}

impl Supervisor {
    fn new(upstream: SocketAddr) -> Supervisor {
        let state = tempfile::tempdir().unwrap();
        for folder in ["keys", "bundles/parts", "run", "records/open", "records/sealed"] {
            std::fs::create_dir_all(state.path().join(folder)).unwrap();
        }
        write_key(&state.path().join("keys/records.key"));
        write_bundle(state.path(), &zone(&[upstream]), &json!([]), &json!([]));
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        Supervisor { traffic: bind(), status: bind(), state, drain_seconds: 5.0, handover_seconds: 0.5 }
    }

    fn address(&self) -> SocketAddr {
        self.traffic.local_addr().unwrap()
    }

    fn config(&self, predecessor: Option<u32>) -> Value {
        let socket = |listener: &TcpListener| json!({"address": listener.local_addr().unwrap(), "fd": listener.try_clone().unwrap().into_raw_fd()});
        json!({
            "state_dir": self.state.path(), "instance": "gw-test", "listen": [socket(&self.traffic)],
            "status": socket(&self.status), "threads": 2, "predecessor": predecessor,
            "drain_seconds": self.drain_seconds, "handover_seconds": self.handover_seconds
        })
    }

    fn first(&self) -> Gateway {
        self.start(None)
    }

    fn start(&self, predecessor: Option<u32>) -> Gateway {
        let config = gateway::Config::parse(&self.config(predecessor).to_string()).unwrap();
        Gateway::start(config).unwrap()
    }

    /// Announces, starts the successor, then stops the predecessor beside it; gives the thread that waits for its end.
    fn replace(&self, old: Gateway) -> (Gateway, std::thread::JoinHandle<()>) {
        old.announce_successor();
        let new = self.start(Some(std::process::id()));
        (new, std::thread::spawn(move || old.stop()))
    }
}

/// Asks on kept connections until told to stop; follows `Connection: close`. Gives (answered, failed).
fn caller(address: SocketAddr, stop: &AtomicBool) -> (usize, usize) {
    let (mut answered, mut failed) = (0, 0);
    let mut peer = None;
    while !stop.load(SeqCst) {
        let mut connected = peer.take().unwrap_or_else(|| Peer::connect(address));
        connected.write(ASK);
        match connected.read_head() {
            Some(head) if head.first().ends_with("200 OK") => {
                connected.read_exact(head.content_length());
                answered += 1;
                peer = head.field("connection").is_none().then_some(connected);
            }
            _ => failed += 1,
        }
    }
    (answered, failed)
}

#[test]
fn no_request_fails_while_gateways_follow_each_other() {
    let upstream = Upstream::fixed(OK);
    let supervisor = Supervisor::new(upstream.address);
    let mut running = supervisor.first();
    let stop = AtomicBool::new(false);
    let results: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| caller(supervisor.address(), &stop))).collect();
        for _ in 0..5 {
            let (new, ending) = supervisor.replace(running);
            ending.join().unwrap();
            running = new;
        }
        stop.store(true, SeqCst);
        let results = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        running.stop();
        results
    });
    let answered: usize = results.iter().map(|(answered, _)| answered).sum();
    assert_eq!(results.iter().map(|(_, failed)| failed).sum::<usize>(), 0, "{results:?}");
    assert!(answered > 100, "{answered}");
}

#[test]
fn an_idle_connection_gets_one_more_answer_that_says_close() {
    let upstream = Upstream::fixed(OK);
    let mut supervisor = Supervisor::new(upstream.address);
    supervisor.handover_seconds = 2.0;
    let old = supervisor.first();
    let mut used = Peer::connect(supervisor.address());
    used.write(ASK);
    assert_eq!(used.response().head.field("connection"), None);
    let mut silent = Peer::connect(supervisor.address());
    let mut never = Peer::connect(supervisor.address());
    until("all are served", || old.shared().metrics.connections_open.get() == 3);
    let (new, ending) = supervisor.replace(old);
    std::thread::sleep(Duration::from_millis(100));
    for peer in [&mut used, &mut silent] {
        peer.write(ASK);
        let response = peer.response();
        assert_eq!((response.status, response.head.field("connection")), (200, Some("close")));
        assert!(peer.read_to_end().is_empty());
    }
    let asked = Instant::now();
    assert!(never.read_to_end().is_empty(), "who asks nothing is hung up on in the end");
    assert!(asked.elapsed() > Duration::from_secs(1));
    ending.join().unwrap();
    new.stop();
}

#[test]
fn http2_is_told_to_go_away_and_its_running_streams_are_answered() {
    let upstream = Upstream::start(|mut peer, _| {
        while peer.read_head().is_some() {
            std::thread::sleep(Duration::from_millis(400));
            peer.write(OK);
        }
    });
    let supervisor = Supervisor::new(upstream.address);
    let old = supervisor.first();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = TcpStream::connect(supervisor.address()).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        let ended = tokio::spawn(connection);
        let request = Request::get("http://api.test/").body(Full::<Bytes>::default()).unwrap();
        let running = tokio::spawn(sender.send_request(request));
        while upstream.connections() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (new, ending) = supervisor.replace(old);
        let response = running.await.unwrap().unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
        ended.await.unwrap().unwrap();
        assert!(!sender.is_ready());
        ending.join().unwrap();
        new.stop();
    });
}

#[test]
fn an_upgraded_connection_has_the_whole_drain_time() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        peer.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        loop {
            let line = peer.read_line();
            if line.is_empty() {
                break;
            }
            peer.write(&line);
        }
    });
    let mut supervisor = Supervisor::new(upstream.address);
    supervisor.drain_seconds = 2.0;
    let old = supervisor.first();
    let mut client = Peer::connect(supervisor.address());
    client.write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(client.read_head().unwrap().first().contains("101"));
    let (new, ending) = supervisor.replace(old);
    let replaced = Instant::now();
    while replaced.elapsed() < Duration::from_millis(1500) {
        client.write("ping\n");
        assert_eq!(client.read_line(), "ping\n");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(client.read_to_end().is_empty());
    assert!(replaced.elapsed() < Duration::from_secs(4));
    ending.join().unwrap();
    new.stop();
}

#[test]
fn the_successor_knows_hosts_and_upstreams_and_speaks_for_the_gateway() {
    let upstream = Upstream::fixed(OK);
    let supervisor = Supervisor::new(upstream.address);
    let old = supervisor.first();
    let mut peer = Peer::connect(supervisor.address());
    peer.write(ASK);
    assert_eq!(peer.response().status, 200);
    until("the host is known", || old.shared().hosts.contains(support::ZONE, "api.test"));
    let (new, ending) = supervisor.replace(old);
    assert!(new.shared().hosts.contains(support::ZONE, "api.test"));
    until("only the successor answers", || status(&supervisor).contains("\"ready\":true"));
    for _ in 0..20 {
        assert!(status(&supervisor).contains("\"ready\":true"), "the predecessor does not answer for the successor");
    }
    ending.join().unwrap();
    let file = supervisor.state.path().join("run/gateway.status.json");
    let said: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(said["phase"], "serving");
    new.stop();
}

fn status(supervisor: &Supervisor) -> String {
    support::client::get(supervisor.status.local_addr().unwrap(), "/readyz").text()
}

#[test]
fn a_second_gateway_that_is_no_successor_is_still_refused() {
    let upstream = Upstream::fixed(OK);
    let supervisor = Supervisor::new(upstream.address);
    let running = supervisor.first();
    for predecessor in [None, Some(1)] {
        let config = gateway::Config::parse(&supervisor.config(predecessor).to_string()).unwrap();
        let error = Gateway::start(config).err().unwrap().to_string();
        assert!(error.contains("already uses"), "{error}");
    }
    assert_eq!(support::client::get(supervisor.address(), "/").status, 200);
    running.stop();
}
