//! What the strict scanner costs a request, beside the parse of the same head by hyper's parser in the same run.
//!
//! `cargo bench -p hoplon-gateway --bench h1_guard` prints one JSON document, in nanoseconds per request.

use std::hint::black_box;
use std::time::Instant;

use gateway::h1_guard::{HeadLimits, Scanner};
use serde::Serialize;

const LIMITS: HeadLimits = HeadLimits { start_line_bytes: 16 << 10, head_bytes: 64 << 10, fields: 100 };

/// As `curl` asks.
const SHORT: &str = "GET /v1/users/42 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";

/// As a browser's page calls its API.
const BROWSER: &str = "GET /v1/users/42/orders?page=3&per_page=50&sort=-created_at HTTP/1.1\r\n\
    Host: api.example.com\r\n\
    Connection: keep-alive\r\n\
    sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n\
    Accept: application/json, text/plain, */*\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    Authorization: Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0MiIsImV4cCI6MTc2MzcwMDAwMH0.MEUCIQDYmn4ZQ0c2rZ0mV0o8Yw\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    Origin: https://app.example.com\r\n\
    Sec-Fetch-Site: same-site\r\n\
    Sec-Fetch-Mode: cors\r\n\
    Sec-Fetch-Dest: empty\r\n\
    Referer: https://app.example.com/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\r\n";

/// A chunked upload of this many chunks of 1 KiB.
const CHUNKS: usize = 16;

#[derive(Serialize)]
struct Row {
    what: &'static str,
    bytes: usize,
    guard_nanos: f64,
    httparse_nanos: f64,
}

fn main() {
    let upload = "POST /v1/files HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let body = format!("400\r\n{}\r\n", "x".repeat(1024)).repeat(CHUNKS) + "0\r\n\r\n";
    let upload = upload + &body;
    let rows = [row("short head", SHORT), row("browser's head", BROWSER), row("chunked upload of 16 KiB", &upload)];
    println!("{}", serde_json::to_string_pretty(&rows).unwrap());
}

fn row(what: &'static str, request: &str) -> Row {
    let mut scanner = Scanner::of_requests(LIMITS);
    let guard_nanos = nanos(|| {
        let scan = scanner.scan(black_box(request.as_bytes()));
        assert_eq!((scan.passed, scan.refusal), (request.len(), None));
    });
    // The array as hyper has it.
    let httparse_nanos = nanos(|| {
        let mut fields = [const { std::mem::MaybeUninit::uninit() }; 100];
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed.parse_with_uninit_headers(black_box(request.as_bytes()), &mut fields);
        assert!(status.unwrap().is_complete());
        black_box(&parsed);
    });
    Row { what, bytes: request.len(), guard_nanos, httparse_nanos }
}

/// Nanoseconds per call in the best of many rounds, each so short that some of them meet nothing else on this core.
fn nanos(mut call: impl FnMut()) -> f64 {
    const ROUNDS: u32 = 5_000;
    const CALLS: u32 = 200;
    let mut round = || {
        let started = Instant::now();
        (0..CALLS).for_each(|_| call());
        started.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
