//! How long the verdict on one GET takes, alone: from the request's head to the decision, each call timed on its own. The bundle is
//! one that the control plane's format describes; `python -m bench --rows verdict` writes it and calls this.
//!
//! `HOPLON_BENCH_BUNDLES` is a folder with `current` and `parts/`, `HOPLON_BENCH_AUTHORIZATION` the field that the client sends. Prints JSON.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use engine::bundle::TokenInputs;
use engine::limits::Counters;
use engine::tokens::TokenCache;
use engine::{
    Action, BodyLength, Bundle, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Sampler, Scheme, Step,
    Surroundings, Timestamp, Transaction,
};
use http::{HeaderMap, HeaderValue};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLS: usize = 300_000;
const WARM_UP: usize = 20_000;

fn main() {
    // `cargo bench` runs every bench of the crate: without a bundle there is nothing to measure.
    let Some(folder) = std::env::var_os("HOPLON_BENCH_BUNDLES").map(PathBuf::from) else { return };
    let authorization = std::env::var("HOPLON_BENCH_AUTHORIZATION").unwrap_or_default();
    let manifest = std::fs::read(folder.join("current")).expect("a manifest");
    let mut fetch = |hash: &str| std::fs::read(folder.join("parts").join(hash)).map_err(|error| error.to_string());
    let inputs = TokenInputs { cache: TokenCache::new([7; 32], 16 << 20).into(), ..TokenInputs::default() };
    let bundle = Arc::new(Bundle::load_with(&manifest, &mut fetch, &inputs).expect("a good bundle"));
    let headers = headers(&authorization);
    let mut nanos: Vec<u64> = (0..WARM_UP + CALLS).map(driver(&bundle, &headers)).skip(WARM_UP).collect();
    nanos.sort_unstable();
    let at = |share: f64| nanos[((nanos.len() - 1) as f64 * share) as usize];
    let (p50, p95, p99) = (at(0.5), at(0.95), at(0.99));
    println!(
        r#"{{"calls": {CALLS}, "p50_nanos": {p50}, "p95_nanos": {p95}, "p99_nanos": {p99}, "clock_nanos": {}}}"#,
        clock_nanos()
    );
}

/// What a client of an API sends.
fn headers(authorization: &str) -> HeaderMap {
    let fields = [
        ("host", "api.example.com"),
        ("user-agent", "python-requests/2.32.3"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate"),
        ("cookie", "theme=dark; consent=yes"),
        ("authorization", authorization),
    ];
    fields.into_iter().map(|(name, value)| (http::HeaderName::from_static(name), value_of(value))).collect()
}

fn value_of(text: &str) -> HeaderValue {
    text.parse().expect("a header value")
}

/// Judges the same request again and again; gives the nanoseconds of each verdict.
fn driver<'b>(bundle: &'b Arc<Bundle>, headers: &'b HeaderMap) -> impl FnMut(usize) -> u64 + 'b {
    let (keys, counters, sampler) = (Keys::derive(&[7; 32]), Counters::default(), Sampler::default());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let now = Timestamp::from_micros(i64::try_from(since.as_micros()).expect("a clock before the year 290000"));
    let response = HeaderMap::from_iter([(http::header::CONTENT_TYPE, value_of("application/json"))]);
    move |index| {
        let outcome = Outcome { end: now, status: 200, upstream_status: Some(200), ..Outcome::default() };
        let head = RequestHead {
            method: "GET",
            scheme: Scheme::Http,
            version: HttpVersion::Http11,
            authority: None,
            target: "/api/v1/items/42?x=1",
            headers,
            client: [203, 0, 113, 7].into(),
            body: BodyLength::None,
        };
        let around = Surroundings { sampler: Some(&sampler), dice: index as u64, ..Surroundings::default() };
        let id = RequestId::new(now, index as u128);
        let started = Instant::now();
        let mut transaction = Box::new(Transaction::begin(bundle.clone(), &keys, id, now, Mode::Enforce));
        let step = transaction.request_head(&head, &around);
        let step = counters.answer(step, &mut transaction, Some(headers), now);
        let nanos = started.elapsed().as_nanos();
        assert_eq!(step, Step::Decided(Action::Allow), "{:?}", transaction.verdict().violations);
        transaction.response_head(&ResponseHead { status: 200, headers: &response, body: BodyLength::Known(1024) });
        counters.count_response(&mut transaction, now);
        counters.end(&mut transaction, true);
        std::hint::black_box(transaction.end(&outcome));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// What looking at the clock twice takes: it is part of every figure.
fn clock_nanos() -> u128 {
    let started = Instant::now();
    (0..1000).for_each(|_| {
        std::hint::black_box(Instant::now().elapsed());
    });
    started.elapsed().as_nanos() / 1000
}
