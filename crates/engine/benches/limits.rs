//! What a limit costs: a decision among many keys, alone and three together, and ten million keys offered to the default bound.
//! `cargo bench -p hoplon-engine --bench limits` prints nanoseconds a decision, and the memory that is resident.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use engine::limits::{Check, Counter, Counters, DEFAULT_BYTES, KeySecret, StateStep, Test, ValueTag, counters_name};
use engine::testing::{BundleText, limit};
use engine::{
    BodyLength, Bundle, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Scheme, Surroundings, Timestamp,
    Transaction,
};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;
const CALLS: usize = 200_000;

fn main() {
    bound();
    decisions();
    threads();
    transactions();
}

/// Nanoseconds per call in the best of these rounds: what the machine does when nothing else disturbs it.
fn nanos(mut call: impl FnMut(usize)) -> f64 {
    let mut round = || {
        let started = Instant::now();
        (0..CALLS).for_each(&mut call);
        started.elapsed().as_nanos() as f64 / CALLS as f64
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_763_700_000_000_000)
}

/// A limit of 100 in a minute, keyed by a 40-byte header of this session.
fn check(secret: &KeySecret, limit: &str, session: usize) -> Check {
    let mut hasher = secret.of_limit(counters_name("0123456789abcdef0123456789abcdef", limit, 60));
    check_of(&mut hasher, session)
}

fn check_of(hasher: &mut engine::limits::KeyHasher, session: usize) -> Check {
    let overflow = hasher.clone().overflow([192, 0, (session >> 8) as u8, session as u8].into());
    let mut token = *b"Bearer 0123456789abcdef0123456789abcdef0";
    token[7..15].copy_from_slice(&session.to_le_bytes());
    hasher.bytes(ValueTag::Bytes, &token);
    let counter = Counter { key: hasher.finish(), overflow, period_seconds: 60 };
    Check { counter, limit: 100, test: Test::Counting, mitigation_seconds: 0, stops: true, to_origin: false }
}

fn decisions() {
    let secret = KeySecret::new(&[7; 32]);
    let names = ["one", "two", "three"].map(|limit| counters_name("zone", limit, 60));
    for sessions in [1_000, 1_000_000] {
        let counters = Counters::default();
        let spread = |call: usize| call.wrapping_mul(0x9E37_79B1) % sessions;
        let one = nanos(|call| {
            let checks = [check_of(&mut secret.of_limit(names[0]), spread(call))];
            black_box(counters.decide(&StateStep { checks: checks[..].into() }, now()));
        });
        let counters = Counters::default();
        let three = nanos(|call| {
            let checks = names.map(|name| check_of(&mut secret.of_limit(name), spread(call)));
            black_box(counters.decide(&StateStep { checks: checks[..].into() }, now()));
        });
        println!("a decision, key hashed, {sessions:>9} sessions: {one:6.0} ns; three limits together: {three:6.0} ns");
    }
    let hashed = nanos(|call| {
        black_box(check_of(&mut secret.of_limit(names[0]), call));
    });
    println!("of it hashing the key and its overflow bucket: {hashed:6.0} ns");
}

/// Every thread on the same key: the worst that a shard can meet.
fn threads() {
    let counters = Counters::default();
    let check = check(&KeySecret::new(&[7; 32]), "one", 1);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..CALLS {
                    black_box(counters.decide(&StateStep { checks: [check][..].into() }, now()));
                }
            });
        }
    });
    let each = started.elapsed().as_nanos() as f64 / (2 * CALLS) as f64;
    println!("two threads on one key: {each:6.0} ns a decision, of both together");
}

/// A whole transaction without limits, and with three that none of its requests exceeds.
fn transactions() {
    let limits =
        [("session", vec!["hoplon.session"]), ("address", vec!["ip.src"]), ("both", vec!["ip.src", "http.request.uri.path"])]
            .map(|(id, facts)| {
                let mut limit = limit(id, 1_000_000_000);
                limit["key"] = facts.iter().map(|fact| json!({"nodes": [["fact", fact]]})).collect();
                limit
            });
    let [bare, limited] = [&limits[..0], &limits[..]].map(|limits| {
        let bundle = BundleText::of(&[["GET", "a", "/orders/{id}"]], &json!([])).limited_by(limits).load().map(Arc::new);
        let (bundle, counters, keys) = (bundle.unwrap(), Counters::default(), Keys::derive(&[7; 32]));
        nanos(|_| transaction(&bundle, &counters, &keys))
    });
    println!("a transaction: {bare:6.0} ns; with three limits: {limited:6.0} ns");
}

fn transaction(bundle: &Arc<Bundle>, counters: &Counters, keys: &Keys) {
    let mut transaction = Transaction::begin(bundle.clone(), keys, RequestId::new(now(), 0), now(), Mode::Enforce);
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer 0123456789abcdef"))]);
    let head = RequestHead {
        method: "GET",
        scheme: Scheme::Http,
        version: HttpVersion::Http11,
        authority: Some("a"),
        target: "/orders/7",
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        body: BodyLength::None,
    };
    let step = transaction.request_head(&head, &Surroundings::default());
    counters.answer(step, &mut transaction, Some(&headers), now());
    transaction.response_head(&ResponseHead { status: 200, headers: &HeaderMap::new(), body: BodyLength::None });
    counters.count_response(&mut transaction, now());
    counters.end(&mut transaction, true);
    black_box(transaction.end(&Outcome::default()));
}

fn bound() {
    const OFFERED: usize = 10_000_000;
    let secret = KeySecret::new(&[7; 32]);
    let name = counters_name("zone", "one", 60);
    let before = resident_bytes();
    let counters = Counters::new(DEFAULT_BYTES);
    let started = Instant::now();
    for session in 0..OFFERED {
        let checks = [check_of(&mut secret.of_limit(name), session)];
        black_box(counters.decide(&StateStep { checks: checks[..].into() }, now()));
    }
    let each = started.elapsed().as_nanos() as f64 / OFFERED as f64;
    let (usage, grown) = (counters.usage(), resident_bytes().saturating_sub(before));
    let mebi = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!(
        "{OFFERED} keys offered to {:.0} MiB: {each:.0} ns each, {} keys held exactly or as buckets, {} decisions in overflow buckets, {} buckets forgotten, {:.1} MiB of slots, {:.1} MiB resident more",
        mebi(DEFAULT_BYTES),
        usage.keys,
        usage.tally.overflowed,
        usage.tally.forgotten,
        mebi(usage.bytes),
        mebi(grown),
    );
    assert!(usage.bytes <= DEFAULT_BYTES && grown <= DEFAULT_BYTES, "the bound is kept");
}

/// From `/proc/self/statm` (proc(5): the second field, in pages of 4 KiB).
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}
