//! What observing costs, off the serving threads: a transaction with a JSON body of 1 KB and 30 leaves, and the JSON parser beside
//! serde_json's `Value` in the same run. `cargo bench -p hoplon-engine --bench observe` prints medians and ratios.

use std::hint::black_box;
use std::time::Instant;

use engine::json::{Limits, parse};
use engine::observe::{LiteralTable, Sampler, observe, redact_path};
use engine::testing::BundleText;
use engine::{
    BodyLength, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Scheme, Surroundings, Timestamp,
    Transaction,
};
use http::HeaderMap;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    parsing();
    observing();
    redacting();
    sampling();
}

/// The median over rounds of nanoseconds per call.
fn nanos(rounds: usize, calls: usize, mut call: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..rounds)
        .map(|_| {
            let started = Instant::now();
            (0..calls).for_each(|_| call());
            started.elapsed().as_nanos() as f64 / calls as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// An order of about 1 KB with 30 leaves.
fn order() -> Value {
    let item = |id: u32| json!({"sku": format!("A-{id}"), "title": "A mug, blue, for coffee or tea", "quantity": id % 5, "price": 12.5, "gift": false});
    json!({
        "id": "0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f", "status": "shipped", "currency": "EUR", "total": 62.5, "created": "2026-11-21T12:00:00Z",
        "customer": {"id": 4711, "name": "Grace Hopper", "email": "grace@navy.mil", "tier": "gold", "newsletter": true},
        "address": {"street": "12 Example Road", "city": "Arlington", "postal_code": "22201", "country": "US"},
        "items": [item(1041), item(1042), item(1043)], "note": null,
        "tracking": "https://tracking.example.com/parcels/JD0146000055",
    })
}

fn parsing() {
    let long: Vec<Value> = (0..1000).map(|_| order()).collect();
    for (name, text) in [("1 KB order", order().to_string()), ("1 MB of orders", json!(long).to_string())] {
        let calls = 20_000_000 / text.len();
        let ours = nanos(15, calls, || {
            black_box(parse(black_box(text.as_bytes()), &Limits::default()).expect("valid JSON"));
        });
        let theirs = nanos(15, calls, || {
            black_box(serde_json::from_slice::<Value>(black_box(text.as_bytes())).expect("valid JSON"));
        });
        let rate = text.len() as f64 / ours * 1000.0;
        println!(
            "parse {name} ({} bytes): {ours:.0} ns, {rate:.0} MB/s; serde_json::Value {theirs:.0} ns, {:.2} times as long",
            text.len(),
            theirs / ours
        );
    }
}

fn observing() {
    let zone = engine::testing::zone(engine::testing::ZONE_ID, &[]);
    let operations = engine::testing::operations_part(&[["POST", "*", "/v1/orders/{order}"]]);
    let bundle = BundleText::default().with(&zone, &operations, &json!({"rules": []})).load().expect("a good bundle");
    let keys = Keys::derive(&[7; 32]);
    let sampler = Sampler::default();
    let headers: HeaderMap = [
        ("host", "api.example.com"),
        ("content-type", "application/json"),
        ("authorization", "Bearer abc"),
        ("user-agent", "curl/8.5.0"),
    ]
    .into_iter()
    .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
    .collect::<HeaderMap>();
    let now = Timestamp::from_micros(1_763_700_000_000_000);
    let mut transaction = Transaction::begin(bundle.into(), &keys, RequestId::new(now, 1), now, Mode::Enforce);
    let head = RequestHead {
        method: "POST",
        scheme: Scheme::Http,
        version: HttpVersion::Http11,
        authority: None,
        target: "/v1/orders/42?page=2&sort=-created",
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        body: BodyLength::Unknown,
    };
    let around = Surroundings { sampler: Some(&sampler), ..Surroundings::default() };
    transaction.request_head(&head, &around);
    transaction.response_head(&ResponseHead { status: 200, headers: &headers, body: BodyLength::Unknown });
    transaction.observe_response_piece(order().to_string().as_bytes());
    let ended = transaction.end(&Outcome { end: now, status: 200, ..Outcome::default() });
    let sample = ended.sample.expect("the first of a minute is sampled");
    let mut literals = LiteralTable::default();
    let rows = observe(&sample, &ended.record, &mut literals, &keys).len();
    let cost = nanos(15, 2_000, || {
        black_box(observe(black_box(&sample), &ended.record, &mut literals, &keys));
    });
    println!("observe a 1 KB JSON response: {cost:.0} ns for {rows} rows, {:.0} ns each", cost / rows as f64);
    println!("  at 50,000 requests/s of which 2 % are sampled: {:.1} % of one core", cost * 1000.0 / 1e9 * 100.0);
}

fn redacting() {
    let keys = Keys::derive(&[7; 32]);
    for path in [
        "/v1/orders/42/items",
        "/v1/orders/0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f/confirmation-email",
        "/users/grace%40navy.mil/reset/abc123",
    ] {
        let cost = nanos(15, 20_000, || {
            black_box(redact_path(black_box(path), None, &keys));
        });
        println!("redact {path}: {cost:.0} ns");
    }
}

fn sampling() {
    let sampler = Sampler::default();
    let zone = engine::testing::zone(engine::testing::ZONE_ID, &[]);
    let settings = serde_json::from_value(zone["observe"].clone()).expect("settings");
    let now = Timestamp::from_micros(1_763_700_000_000_000);
    let mut dice = 1_u64;
    let cost = nanos(15, 100_000, || {
        dice = dice.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        black_box(sampler.decide(dice >> 60, engine::hash::Hash64(dice >> 48), &settings, now, dice));
    });
    println!("decide whether to sample: {cost:.0} ns");
}
