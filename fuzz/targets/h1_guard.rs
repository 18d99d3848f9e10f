//! The scanner of HTTP/1: the same verdict however the bytes arrive, and what passes is read by hyper's parser in one way, with
//! the framing that the scanner saw. The first byte says which side and how the bytes are cut.

#![no_main]

use h1_guard::{HeadLimits, Scan, Scanner};
use libfuzzer_sys::fuzz_target;

// The module by itself: the rest of the gateway need not be built with coverage counters.
#[path = "../../crates/gateway/src/h1_guard/mod.rs"]
#[allow(dead_code)]
mod h1_guard;

const LIMITS: HeadLimits = HeadLimits { start_line_bytes: 512, head_bytes: 2048, fields: 32 };

fuzz_target!(|input: &[u8]| {
    let Some((how, bytes)) = input.split_first() else { return };
    let is_response = how & 1 == 1;
    let whole = fed(is_response, bytes, bytes.len().max(1));
    for piece in [1, usize::from(*how).max(1)] {
        assert_eq!(whole, fed(is_response, bytes, piece), "in pieces of {piece}");
    }
    if !is_response {
        read_heads(bytes);
    }
});

fn scanner(is_response: bool) -> Scanner {
    let mut scanner = if is_response { Scanner::of_responses(LIMITS) } else { Scanner::of_requests(LIMITS) };
    scanner.expect_response(false);
    scanner
}

/// What passes of pieces of this length, and what is refused.
fn fed(is_response: bool, bytes: &[u8], piece: usize) -> Scan {
    let mut scanner = scanner(is_response);
    let (mut passed, mut arrived) = (0, 0);
    loop {
        arrived = (arrived + piece).min(bytes.len());
        let scan = scanner.scan(&bytes[passed..arrived]);
        passed += scan.passed;
        assert!(passed <= arrived);
        if scan.refusal.is_some() || arrived == bytes.len() {
            return Scan { passed, refusal: scan.refusal };
        }
    }
}

/// Every head that passes is one that hyper reads, and holds at most one length.
fn read_heads(bytes: &[u8]) {
    let mut scanner = scanner(false);
    let (mut passed, mut heads) = (0, 0);
    for arrived in 1..=bytes.len() {
        let unit = &bytes[passed..arrived];
        let scan = scanner.scan(unit);
        passed += scan.passed;
        if scanner.heads() > heads {
            heads = scanner.heads();
            read_head(unit.strip_prefix(b"\r\n").unwrap_or(unit));
        }
        if scan.refusal.is_some() || scanner.is_paused() {
            return;
        }
    }
}

fn read_head(head: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut request = httparse::Request::new(&mut fields);
    assert_eq!(request.parse(head), Ok(httparse::Status::Complete(head.len())));
    assert!(http::Uri::try_from(request.path.unwrap_or_default()).is_ok(), "hyper has it");
    assert!(http::Method::try_from(request.method.unwrap_or_default()).is_ok(), "hyper has it");
    let count = |name: &str| request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count();
    assert!(count("content-length") + count("transfer-encoding") <= 1);
}
