//! Floods of HTTP/2 frames that cost the sender nothing and carry nothing: PING, SETTINGS, PRIORITY, RST_STREAM and frames of
//! unknown types (CVE-2019-9512, -9515 and their kin). Reads frame headers as they pass, in constant memory; knows no sockets.
//!
//! What h2 bounds by itself is left to it: CONTINUATION frames, empty DATA frames, streams reset before they were accepted.

use std::time::{Duration, Instant};

const PREFACE_BYTES: usize = 24;
const HEADER_BYTES: usize = 9;
/// Frames at once, and per second in the long run. Clients that measure a link's delay send some hundred PINGs per second.
const BURST: u32 = 10_000;
const PER_SECOND: u32 = 1_000;

/// The frames of one connection.
#[derive(Debug)]
pub struct FrameWatch {
    /// Bytes of the preface or of a payload that are still to come.
    skip: usize,
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    frames: u32,
    since: Instant,
}

impl FrameWatch {
    /// Before the preface.
    pub fn new(now: Instant) -> FrameWatch {
        FrameWatch { skip: PREFACE_BYTES, header: [0; HEADER_BYTES], header_bytes: 0, frames: 0, since: now }
    }

    /// Bytes arrived. Gives whether the connection is flooded.
    pub fn is_flooded(&mut self, mut bytes: &[u8], now: impl FnOnce() -> Instant) -> bool {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let wanted = (HEADER_BYTES - self.header_bytes).min(bytes.len());
            self.header[self.header_bytes..self.header_bytes + wanted].copy_from_slice(&bytes[..wanted]);
            self.header_bytes += wanted;
            bytes = &bytes[wanted..];
            if self.header_bytes == HEADER_BYTES {
                self.begin_frame();
            }
        }
        self.frames > BURST && self.is_too_fast(now())
    }

    fn begin_frame(&mut self) {
        let [a, b, c, kind, ..] = self.header;
        self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
        self.header_bytes = 0;
        // RFC 9113 §6: DATA 0, HEADERS 1, PUSH_PROMISE 5, WINDOW_UPDATE 8, CONTINUATION 9 belong to a request or its answer.
        if !matches!(kind, 0 | 1 | 5 | 8 | 9) {
            self.frames = self.frames.saturating_add(1);
        }
    }

    /// Forgets what time allows since the last look.
    fn is_too_fast(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.since).min(Duration::from_secs(3600)).as_secs() as u32;
        self.frames = self.frames.saturating_sub(seconds * PER_SECOND);
        if seconds > 0 {
            self.since = now;
        }
        self.frames > BURST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let length = (payload as u32).to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, 0, 0, 0, 0, 0];
        bytes.resize(HEADER_BYTES + payload, 6);
        bytes
    }

    fn flooded(kind: u8, payload: usize, count: usize, piece: usize, seconds: u64) -> bool {
        let start = Instant::now();
        let mut watch = FrameWatch::new(start);
        let bytes = [vec![b'P'; PREFACE_BYTES], frame(kind, payload).repeat(count)].concat();
        let mut pieces = bytes.chunks(piece);
        pieces.any(|bytes| watch.is_flooded(bytes, || start + Duration::from_secs(seconds)))
    }

    #[test]
    fn frames_that_carry_nothing_are_counted_however_they_arrive() {
        for kind in [2, 3, 4, 6, 7, 99] {
            for piece in [1, 7, 17, 4096] {
                assert!(!flooded(kind, 8, 10_000, piece, 0), "type {kind} in pieces of {piece}");
                assert!(flooded(kind, 8, 10_001, piece, 0), "type {kind} in pieces of {piece}");
            }
        }
        for kind in [0, 1, 8, 9] {
            assert!(!flooded(kind, 100, 20_000, 4096, 0), "type {kind}");
        }
    }

    #[test]
    fn time_allows_more() {
        assert!(!flooded(6, 8, 10_500, 4096, 1));
        assert!(flooded(6, 8, 30_000, 4096, 1));
    }
}
