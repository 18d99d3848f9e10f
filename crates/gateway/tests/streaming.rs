//! Bodies larger than memory should hold. A process of its own: it is the process whose memory is measured.

mod support;

use std::time::Duration;

use support::gateway;
use support::upstream::{Peer, Upstream};

/// 512 MB each way while the process may grow by 48 MB: neither side is ever held as a whole.
#[test]
fn large_bodies_stream_with_bounded_memory() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 512;
    let upstream = Upstream::start(|mut peer, _| {
        let head = peer.read_head().unwrap();
        let mut left = head.content_length();
        while left > 0 {
            left -= peer.read_exact(left.min(PIECE)).len();
        }
        peer.write(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", PIECE * PIECES));
        let piece = vec![b'x'; PIECE];
        (0..PIECES).for_each(|_| peer.write_bytes(&piece).unwrap());
    });
    let gateway = gateway(&[upstream.address]);
    let mut client = Peer::connect(gateway.address());
    client.write(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", PIECE * PIECES));
    let before = resident_kilobytes();
    let piece = vec![b'y'; PIECE];
    (0..PIECES).for_each(|_| client.write_bytes(&piece).unwrap());
    assert_eq!(client.read_head().unwrap().content_length(), PIECE * PIECES);
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..PIECES {
        assert!(client.read_exact(PIECE).iter().all(|byte| *byte == b'x'));
    }
    let grown = resident_kilobytes().saturating_sub(before);
    assert!(grown < 48 << 10, "grew by {grown} kB");
}

fn resident_kilobytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
