//! A whole transaction: whatever head and body come, in whatever pieces, the verdict is the same and nothing panics.

#![no_main]

use std::sync::{Arc, OnceLock};

use arbitrary::Arbitrary;
use engine::{
    Action, BodyLength, BodyNeed, Bundle, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Scheme, StateAnswer, Step,
    Surroundings, Timestamp, Transaction,
};
use fuzz::{Parts, load, zone_part};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    method: &'a str,
    target: &'a str,
    authority: Option<&'a str>,
    headers: Vec<(u8, &'a [u8])>,
    body: &'a [u8],
    /// Lengths of the body's pieces; what is left comes as one more.
    pieces: Vec<u8>,
    mode: u8,
    response_status: u16,
    response_body: &'a [u8],
}

const HEADERS: [HeaderName; 6] = [
    http::header::HOST,
    http::header::CONTENT_TYPE,
    http::header::AUTHORIZATION,
    http::header::COOKIE,
    http::header::CONTENT_ENCODING,
    http::header::ACCEPT,
];

fuzz_target!(|input: Input<'_>| {
    let whole = run(&input, &[]);
    let in_pieces = run(&input, &input.pieces);
    let byte_by_byte = run(&input, &[1; 64]);
    assert_eq!(whole, in_pieces, "pieces change nothing");
    assert_eq!(whole, byte_by_byte, "nor does their size");
});

/// What was decided, and every violation found.
fn run(input: &Input<'_>, pieces: &[u8]) -> (Action, Vec<String>, String) {
    let headers = headers(input);
    let mode = [Mode::Enforce, Mode::Log, Mode::Off][usize::from(input.mode % 3)];
    let id = RequestId::new(Timestamp::from_micros(1), 2);
    let mut transaction = Transaction::begin(bundle(), &Keys::derive(&[7; 32]), id, Timestamp::from_micros(1), mode);
    let head = RequestHead {
        method: input.method,
        scheme: Scheme::Http,
        version: HttpVersion::Http11,
        authority: input.authority,
        target: input.target,
        headers: &headers,
        client: std::net::IpAddr::from([127, 0, 0, 1]),
        body: BodyLength::Unknown,
    };
    let step = transaction.request_head(&head, &Surroundings::default());
    let action = give_body(&mut transaction, step, input.body, pieces);
    if matches!(action, Action::Allow | Action::Log) {
        assert!(transaction.upstream_target().starts_with(['/', '*']), "only a path goes upstream");
        let response = ResponseHead { status: input.response_status, headers: &headers, body: BodyLength::Unknown };
        transaction.response_head(&response);
        transaction.response_body(input.response_body, true);
    }
    let codes = transaction.verdict().violations.iter().map(|violation| format!("{violation:?}")).collect();
    let target = transaction.upstream_target().to_owned();
    let ended = transaction.end(&Outcome::default());
    assert!(ended.record.path.len() <= 1024, "a recorded path is bounded");
    (action, codes, target)
}

fn give_body(transaction: &mut Transaction, mut step: Step, body: &[u8], pieces: &[u8]) -> Action {
    let mut rest = body;
    let mut lengths = pieces.iter();
    loop {
        match step {
            Step::Decided(action) => return action,
            Step::NeedState(_) => step = transaction.resume(&StateAnswer::Failed, None),
            Step::NeedBody(BodyNeed::Whole { .. } | BodyNeed::Pieces) => {
                let length = lengths.next().map_or(rest.len(), |length| rest.len().min(usize::from(*length)));
                let (piece, left) = rest.split_at(length);
                rest = left;
                step = transaction.request_body(piece, left.is_empty());
            }
        }
    }
}

fn headers(input: &Input<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in input.headers.iter().take(16) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HEADERS[usize::from(*name) % HEADERS.len()].clone(), value);
        }
    }
    if input.mode & 4 == 0 {
        headers.insert(http::header::HOST, HeaderValue::from_static("api.example.com"));
    }
    headers
}

/// A zone that asks for everything there is to ask: an unknown operation, and whether the body is JSON.
fn bundle() -> Arc<Bundle> {
    static BUNDLE: OnceLock<Arc<Bundle>> = OnceLock::new();
    BUNDLE
        .get_or_init(|| {
            let rule = |id: &str, phase: &str, fact: &str, violation: &str| {
                json!({"id": id, "phase": phase, "fact": fact, "action": "block", "violation": violation, "fail": "closed"})
            };
            let rules = json!({"rules": [
                rule("known", "request_head", "cf.api_gateway.fallthrough_detected", "operations.fallthrough"),
                rule("json", "request_body", "hoplon.request.json.invalid", "json.invalid"),
                rule("keys", "request_body", "hoplon.request.json.duplicate_key", "json.duplicate_key"),
            ]});
            let operations = json!({"operations": [
                {"id": "00000000-0000-0000-0000-000000000001", "method": "POST", "host": "*", "path": "/users/{var1}"},
                {"id": "00000000-0000-0000-0000-000000000002", "method": "GET", "host": "*", "path": "/"},
            ]});
            let parts = Parts {
                zone: zone_part().to_string().into_bytes(),
                operations: operations.to_string().into_bytes(),
                rules: rules.to_string().into_bytes(),
            };
            Arc::new(load(&parts).unwrap_or_else(|errors| panic!("the target's own bundle does not load: {errors:?}")))
        })
        .clone()
}
