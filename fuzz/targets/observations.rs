//! Observations: whatever a transaction carries, in whatever pieces, its rows are bounded and the same, and a secret that stands
//! anywhere in it stands in none of them.

#![no_main]

use std::sync::{Arc, OnceLock};

use arbitrary::Arbitrary;
use engine::observe::{LiteralTable, observe};
use engine::{
    BodyLength, Bundle, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Sampler, Scheme, Surroundings, Timestamp,
    Transaction,
};
use fuzz::{Parts, load, zone_part};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// A token as many services give them; a detector knows its form, and its entropy gives it away too.
const SECRET: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
const MARK: char = '\u{1}';

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// In all four, a byte 1 that does not stand next to a letter or digit stands for the secret: what it is glued to
    /// could as well be a part of some other, harmless word.
    path: &'a str,
    query: &'a str,
    request: &'a str,
    response: &'a str,
    content_type: u8,
    piece_bytes: u8,
}

const CONTENT_TYPES: [&str; 5] =
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/x-ndjson"];

fuzz_target!(|input: Input<'_>| {
    let whole = run(&input, usize::MAX);
    let in_pieces = run(&input, usize::from(input.piece_bytes).max(1));
    assert_eq!(whole, in_pieces, "pieces change nothing");
    assert!(!whole.contains(SECRET), "a secret was written down: {whole}");
});

/// Everything that is written down about the transaction, as text.
fn run(input: &Input<'_>, piece_bytes: usize) -> String {
    let target = format!("/{}?{}", with_secret(input.path), with_secret(input.query));
    let content_type = CONTENT_TYPES[usize::from(input.content_type) % CONTENT_TYPES.len()];
    let headers = headers(content_type);
    let keys = Keys::derive(&[7; 32]);
    let id = RequestId::new(Timestamp::from_micros(1), 2);
    let mut transaction = Transaction::begin(bundle(), &keys, id, Timestamp::from_micros(1), Mode::Enforce);
    let head = RequestHead {
        method: "POST",
        scheme: Scheme::Http,
        version: HttpVersion::Http11,
        authority: None,
        target: &target,
        headers: &headers,
        client: std::net::IpAddr::from([127, 0, 0, 1]),
        body: BodyLength::Unknown,
    };
    let sampler = Sampler::new();
    transaction.request_head(&head, &Surroundings { sampler: Some(&sampler), dice: 0, hosts: &() });
    for piece in with_secret(input.request).as_bytes().chunks(piece_bytes) {
        transaction.observe_request_piece(piece);
    }
    transaction.response_head(&ResponseHead { status: 200, headers: &headers, body: BodyLength::Unknown });
    for piece in with_secret(input.response).as_bytes().chunks(piece_bytes) {
        transaction.observe_response_piece(piece);
    }
    let ended = transaction.end(&Outcome { status: 200, ..Outcome::default() });
    let rows = ended.sample.as_ref().map(|sample| observe(sample, &ended.record, &mut LiteralTable::new(), &keys)).unwrap_or_default();
    assert!(rows.len() <= 200, "{} rows", rows.len());
    assert!(rows.iter().all(|row| row.literal.is_none()), "one session never shows a literal");
    format!("{:?} {:?} {rows:?}", ended.record, ended.violations)
}

fn with_secret(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_alone = !out.ends_with(is_word) && characters.peek().is_none_or(|after| !is_word(*after) && *after != MARK);
        match character {
            MARK if is_alone => out.push_str(SECRET),
            MARK => {}
            other => out.push(other),
        }
    }
    out
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn headers(content_type: &'static str) -> HeaderMap {
    let secret = HeaderValue::from_static("Bearer sk_live_4eC39HqLyjWDarjtT1zdp7dc");
    let cookie = HeaderValue::from_static("session=sk_live_4eC39HqLyjWDarjtT1zdp7dc; theme=dark");
    [
        (http::header::HOST, HeaderValue::from_static("api.example.com")),
        (http::header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (http::header::AUTHORIZATION, secret.clone()),
        (http::header::COOKIE, cookie.clone()),
        (http::header::SET_COOKIE, cookie),
        (HeaderName::from_static("x-api-key"), secret),
    ]
    .into_iter()
    .collect()
}

/// A zone that observes every transaction.
fn bundle() -> Arc<Bundle> {
    static BUNDLE: OnceLock<Arc<Bundle>> = OnceLock::new();
    BUNDLE
        .get_or_init(|| {
            let parts = Parts {
                zone: zone_part().to_string().into_bytes(),
                operations: br#"{"operations":[]}"#.to_vec(),
                rules: br#"{"rules":[]}"#.to_vec(),
            };
            Arc::new(load(&parts).unwrap_or_else(|errors| panic!("the target's own bundle does not load: {errors:?}")))
        })
        .clone()
}
