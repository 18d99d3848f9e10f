//! An upstream on a Unix socket: requests, upgrades, health checks, and what is answered while nobody listens there.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use support::client::{get, send};
use support::upstream::Peer;
use support::{Setup, until, upstream_json, zone};

/// Answers with the path that it was asked for, an upgrade with an echo; sends the test every head.
fn serve(path: &Path) -> Receiver<String> {
    let listener = UnixListener::bind(path).unwrap();
    let (sender, heads) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while let Some(head) = read_head(&mut reader) {
                    answer(&head, &stream, &mut reader);
                    let _ = sender.send(head);
                }
            });
        }
    });
    heads
}

fn read_head(reader: &mut BufReader<UnixStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn answer(head: &str, mut stream: &UnixStream, reader: &mut BufReader<UnixStream>) {
    if head.contains("upgrade: echo") {
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").unwrap();
        let mut bytes = [0; 5];
        reader.read_exact(&mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
    } else {
        let path = head.split(' ').nth(1).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).unwrap();
    }
}

fn zone_at(socket: &Path) -> Value {
    let mut zone = zone(&[]);
    zone["upstreams"] = json!([upstream_json(&format!("unix:{}", socket.display()))]);
    zone
}

#[test]
fn requests_go_through_with_the_clients_host() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("api.sock");
    let heads = serve(&socket);
    let gateway = Setup::new(zone_at(&socket)).start();
    for path in ["/a", "/b"] {
        let response = get(gateway.address(), path);
        assert_eq!((response.status, response.text().as_str()), (200, path));
        assert!(heads.recv().unwrap().to_lowercase().contains("\r\nhost: api.test\r\n"));
    }
    let mut client = Peer::connect(gateway.address());
    client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello");
    assert_eq!(client.response().status, 101);
    assert_eq!(client.read_exact(5), b"hello");
}

#[test]
fn nobody_there_is_502_until_somebody_is() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("api.sock");
    let gateway = Setup::new(zone_at(&socket)).start();
    let response = send(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((response.status, response.problem_code().as_str()), (502, "upstream.connect_failed"));
    let _heads = serve(&socket);
    assert_eq!(get(gateway.address(), "/").status, 200);
}

#[test]
fn a_health_check_says_localhost_where_the_zone_has_no_host() {
    let directory = tempfile::tempdir().unwrap();
    let sockets = ["a.sock", "b.sock"].map(|name| directory.path().join(name));
    let heads = serve(&sockets[0]);
    let mut zone = zone_at(&sockets[0]);
    zone["upstreams"] = json!(sockets.each_ref().map(|socket| upstream_json(&format!("unix:{}", socket.display()))));
    zone["health"] = json!({"path": "/healthz", "interval_seconds": 0.1, "timeout_seconds": 1.0, "status": 200,
                            "failures": 2, "successes": 2});
    let gateway = Setup::new(zone).start();
    assert!(heads.recv().unwrap().contains("host: localhost\r\n"));
    until("the other one's failure", || gateway.shared().health.failing().len() == 1);
    assert!((0..6).all(|_| get(gateway.address(), "/").status == 200));
}
