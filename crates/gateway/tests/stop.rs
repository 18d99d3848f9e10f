//! A stop: no new connections, running transactions end, then the process may go.

mod support;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;
use support::client::get;
use support::upstream::{Peer, Upstream};
use support::{Setup, zone};

#[test]
fn running_transactions_end_and_idle_connections_are_closed() {
    let (sender, arrived) = mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        while peer.read_head().is_some() {
            let _ = sender.send(());
            std::thread::sleep(Duration::from_millis(400));
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        }
    });
    let gateway = support::gateway(&[upstream.address]);
    let address = gateway.address();
    let mut idle = Peer::connect(address);
    idle.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle.response().text(), "done");
    arrived.recv().unwrap();
    let mut silent = Peer::connect(address);
    let running = std::thread::spawn(move || get(address, "/").text());
    arrived.recv().unwrap();
    let started = Instant::now();
    gateway.stop();
    assert_eq!(running.join().unwrap(), "done");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(idle.read_to_end().is_empty());
    assert!(silent.read_to_end().is_empty());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn what_does_not_end_in_time_is_cut_off() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.read_head();
        std::thread::sleep(Duration::from_secs(30));
    });
    let mut setup = Setup::new(zone(&[upstream.address]));
    setup.config["drain_seconds"] = json!(0.3);
    setup.zone["timeouts"]["read_seconds"] = json!(30.0);
    let gateway = setup.start();
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    support::until("the request", || upstream.connections() == 1);
    let started = Instant::now();
    gateway.stop();
    assert!((Duration::from_millis(250)..Duration::from_secs(3)).contains(&started.elapsed()));
    assert!(client.read_head().is_none());
}

#[test]
fn connections_are_spread_over_the_serving_threads() {
    let upstream = Upstream::fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut setup = Setup::new(zone(&[upstream.address]));
    setup.config["threads"] = json!(3);
    let gateway = setup.start();
    let mut clients: Vec<_> = (0..6).map(|_| Peer::connect(gateway.address())).collect();
    for client in &mut clients {
        client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(upstream.connections(), 3, "one pooled connection per serving thread");
}

/// What `hoplon gateway` ends with for this configuration.
fn exit_code(state: &std::path::Path, listen: std::net::SocketAddr) -> i32 {
    let config =
        json!({"state_dir": state, "instance": "gw-2", "listen": [{"address": listen}], "status": {"address": "127.0.0.1:0"}});
    gateway::run(gateway::Config::parse(&config.to_string()).unwrap())
}

#[test]
fn an_address_or_a_state_directory_in_use_ends_the_process_with_exit_code_4() {
    let upstream = Upstream::fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gateway = Setup::new(zone(&[upstream.address])).start();
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(exit_code(elsewhere.path(), gateway.address()), 4, "the address");
    assert_eq!(exit_code(gateway.state.path(), "127.0.0.1:0".parse().unwrap()), 4, "the state directory");
    assert_eq!(get(gateway.address(), "/").status, 200);
}

#[test]
fn a_broken_key_ends_the_process_with_exit_code_1() {
    let state = tempfile::tempdir().unwrap();
    std::fs::create_dir(state.path().join("keys")).unwrap();
    std::fs::write(state.path().join("keys/records.key"), "short").unwrap();
    assert_eq!(exit_code(state.path(), "127.0.0.1:0".parse().unwrap()), 1);
}
