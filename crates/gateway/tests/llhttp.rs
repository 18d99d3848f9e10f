//! The strict cases of llhttp, Node's parser, against `h1_guard`, from a folder beside the project (`HOPLON_SHARED`, else
//! `../shared`): what it refuses is refused here, what it accepts is accepted here, and each exception has its reason.

use std::io::Read;
use std::path::PathBuf;

use engine::violation::Refusal;
use flate2::read::GzDecoder;
use gateway::h1_guard::{HeadLimits, Scanner};
use serde_json::Value;

const LIMITS: HeadLimits = HeadLimits { start_line_bytes: 4096, head_bytes: 16 << 10, fields: 100 };

/// Cases that llhttp accepts and we refuse, with our code and the reason.
#[rustfmt::skip]
const STRICTER: [(&str, &str, &str); 19] = [
    ("request: `Content-Length` with follow-up headers", "protocol.content_length.invalid", "leading zeros: some read them as octal"),
    ("request: Tabs in `Content-Length` (surrounding)", "protocol.content_length.invalid", "servers differ on whether a tab is trimmed"),
    ("response: Tabs in `Content-Length` (surrounding)", "protocol.content_length.invalid", "servers differ on whether a tab is trimmed"),
    ("request: CONNECT request", "protocol.method.connect", "this is no forward proxy"),
    ("request: CONNECT request with CAPS", "protocol.method.connect", "this is no forward proxy"),
    ("request: SOURCE request with ICE", "protocol.start_line.invalid", "ICE is not HTTP"),
    ("response: ICE response", "protocol.start_line.invalid", "ICE is not HTTP"),
    ("response: RTSP response", "protocol.start_line.invalid", "RTSP is not HTTP"),
    ("request: No HTTP version", "protocol.start_line.version", "HTTP/0.9 has no Host, no status and no end"),
    ("request: Fragment in URI", "protocol.target.fragment", "servers differ on whether it belongs to the path (RFC 9110 §7.1)"),
    ("request: POST with `chunked` as last transfer-encoding", "protocol.target.fragment", "its target has a fragment; other codings than `chunked` are refused too"),
    ("request: POST with `chunked` as last transfer-encoding (multiple headers)", "protocol.target.fragment", "its target has a fragment; repeated codings are refused too"),
    ("response: `chunked` before other transfer-encoding", "protocol.transfer_encoding.unsupported", "whether it ends with a chunk or with the connection depends on the reader"),
    ("response: `chunkedchunked` transfer-encoding does not enable chunked enconding", "protocol.transfer_encoding.unsupported", "a coding that nobody has"),
    ("response: HTTP/1.0 with keep-alive and 204 status", "protocol.start_line.invalid", "a second response to one request would be the next request's"),
    ("response: HTTP/1.1 with 204 status", "protocol.start_line.invalid", "a second response to one request would be the next request's"),
    ("response: HTTP 304 with Transfer-Encoding", "protocol.start_line.invalid", "a second response to one request would be the next request's"),
    ("response: Should parse multiple events", "protocol.start_line.invalid", "a second response to one request would be the next request's"),
    ("response: HTTP 100 first, then 400", "protocol.header.line_ending", "an empty line before a status line: only before requests RFC 9112 §2.2 has it"),
];

/// Cases that llhttp refuses and we accept, with the reason.
const LOOSER: [(&str, &str); 2] = [
    ("request: Invalid method", "methods are open-ended (RFC 9110 §16.1); which ones an API has is policy"),
    ("response: Invalid space after start line", "its folded line has not ended yet; it is refused when it does"),
];

struct Case {
    title: String,
    is_request: bool,
    bytes: Vec<u8>,
    /// llhttp stops at a request for an upgrade with what it calls an error.
    is_accepted: bool,
}

fn cases() -> Option<Vec<Case>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var_os("HOPLON_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let file = std::fs::File::open(shared.join("data/llhttp_http1/llhttp_cases.jsonl.gz")).ok()?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text.lines().filter_map(|line| case(&serde_json::from_str(line).unwrap())).collect())
}

/// A strict case; none where its mode is one that we do not have.
fn case(row: &Value) -> Option<Case> {
    let kind = row["meta"]["type"].as_str().filter(|kind| matches!(*kind, "request" | "response"))?;
    let has_mode = ["noScan", "pause", "skipBody"].iter().any(|mode| row["meta"].get(mode).is_some());
    let input = row["input"].as_str().filter(|input| !has_mode && !input.contains("```"))?;
    let is_request = kind == "request";
    let bytes = bytes_of(input);
    let bytes = if is_request { with_hosts(&bytes) } else { bytes };
    let error = row["error"].as_str().unwrap_or_default();
    let is_accepted = row["outcome"] == "ok" || error.starts_with("Pause on");
    let title = format!("{kind}: {}", row["title"].as_str()?);
    Some(Case { title, is_request, bytes: bytes.into_bytes(), is_accepted })
}

/// The notation of llhttp's tests: a line break is CR LF, a backslash before it joins lines, `\r` and `\n` are written out. The
/// last line break belongs to the file.
fn bytes_of(input: &str) -> String {
    let input = input.strip_suffix('\n').unwrap_or(input);
    let lines = input.replace("\\\n", "").replace('\n', "\r\n");
    lines.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
}

/// Puts a `Host` behind every request line whose head has none.
fn with_hosts(text: &str) -> String {
    let mut lines: Vec<String> = text.split_inclusive("\r\n").map(str::to_owned).collect();
    for index in (0..lines.len()).rev() {
        let has_host =
            lines[index + 1..].iter().take_while(|line| *line != "\r\n").any(|line| line.to_lowercase().starts_with("host:"));
        if lines[index].ends_with(" HTTP/1.1\r\n") && !has_host {
            lines[index].push_str("Host: a\r\n");
        }
    }
    lines.concat()
}

fn verdict(case: &Case) -> Option<Refusal> {
    let mut scanner = if case.is_request { Scanner::of_requests(LIMITS) } else { Scanner::of_responses(LIMITS) };
    let mut rest = &case.bytes[..];
    loop {
        // Each response of the case was asked for, once the one before it was over.
        scanner.expect_response(false);
        let scan = scanner.scan(rest);
        rest = &rest[scan.passed..];
        if scan.refusal.is_some() || scan.passed == 0 {
            return scan.refusal;
        }
    }
}

#[test]
fn what_llhttp_refuses_is_refused_and_what_it_accepts_is_accepted() {
    let Some(cases) = cases() else {
        eprintln!("skipped: no data/llhttp_http1; set HOPLON_SHARED to the folder that holds data/");
        return;
    };
    let mut wrong = Vec::new();
    for case in &cases {
        let refusal = verdict(case).map(Refusal::code);
        let stricter = STRICTER.iter().find(|(title, _, _)| *title == case.title && case.is_accepted);
        let is_looser = LOOSER.iter().any(|(title, _)| *title == case.title && !case.is_accepted);
        let is_right = match (stricter, is_looser) {
            (Some((_, code, _)), _) => refusal == Some(code),
            (None, true) => refusal.is_none(),
            (None, false) => refusal.is_none() == case.is_accepted,
        };
        if !is_right {
            wrong.push(format!("{} (accepted: {}): {refusal:?} for {}", case.title, case.is_accepted, case.bytes.escape_ascii()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let titles: Vec<_> = cases.iter().map(|case| case.title.as_str()).collect();
    let listed = STRICTER.iter().map(|(title, _, _)| title).chain(LOOSER.iter().map(|(title, _)| title));
    assert!(listed.clone().all(|title| titles.contains(title)), "an exception without its case");
}
