//! What the engine costs: matching among many operations, with a plain loop over the same templates beside it in the same run, and
//! one whole transaction on the serving path. `cargo bench -p hoplon-engine --bench engine` prints nanoseconds and ratios.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use engine::testing::BundleText;
use engine::{
    BodyLength, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Sampler, Scheme, Step, Surroundings,
    Timestamp, Transaction,
};
use http::HeaderMap;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    matching();
    transactions();
}

/// Nanoseconds per call in the best of these rounds: what the machine does when nothing else disturbs it.
fn nanos(rounds: usize, calls: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut round = || {
        let started = Instant::now();
        (0..calls).for_each(&mut call);
        started.elapsed().as_nanos() as f64 / calls as f64
    };
    (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// An API of `count` operations: resources with collections, items and nested items, as descriptions have them.
fn api(count: usize) -> Vec<[String; 3]> {
    const SHAPES: [(&str, &str); 8] = [
        ("GET", "/v1/{resource}"),
        ("POST", "/v1/{resource}"),
        ("GET", "/v1/{resource}/{id}"),
        ("PATCH", "/v1/{resource}/{id}"),
        ("DELETE", "/v1/{resource}/{id}"),
        ("GET", "/v1/{resource}/search"),
        ("GET", "/v1/{resource}/{id}/items/{item}"),
        ("PUT", "/v1/{resource}/{id}/items/{item}/state"),
    ];
    let operation = |index: usize| {
        let (method, shape) = SHAPES[index % SHAPES.len()];
        let path = shape.replace("{resource}", &format!("resource-{}", index / SHAPES.len()));
        [method.to_owned(), "api.example.com".to_owned(), path]
    };
    (0..count).map(operation).collect()
}

fn bundle(operations: &[[String; 3]]) -> BundleText {
    let operations: Vec<[&str; 3]> = operations.iter().map(|[m, h, p]| [m.as_str(), h.as_str(), p.as_str()]).collect();
    let rule = engine::testing::rule(
        "operations.fallthrough",
        "request_head",
        "cf.api_gateway.fallthrough_detected",
        "block",
        "operations.fallthrough",
        "open",
    );
    BundleText::of(&operations, &json!([rule]))
}

/// What a plain program would do: try each template in turn.
fn plain_loop(operations: &[[String; 3]], method: &str, host: &str, path: &str) -> Option<usize> {
    operations.iter().position(|[m, h, template]| {
        m == method && h == host && template.split('/').count() == path.split('/').count() && {
            let mut pairs = template.split('/').zip(path.split('/'));
            pairs.all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
        }
    })
}

fn matching() {
    for count in [1_000, 10_000] {
        let operations = api(count);
        let bundle = bundle(&operations).load().expect("a good bundle");
        let compiled = bundle.zones()[0].operations();
        // Paths in an order that no cache predicts.
        let path = |index: usize| {
            let [method, _, template] = &operations[index * 7919 % count];
            (method.clone(), template.replace("{id}", "8f14e45f").replace("{item}", "42"))
        };
        let requests: Vec<_> = (0..4096).map(path).collect();
        let request = |index: usize| &requests[index % requests.len()];
        let trie = nanos(41, 20_000, |index| {
            let (method, path) = request(index);
            black_box(compiled.find(method, "api.example.com", path).expect("a match"));
        });
        let plain = nanos(5, 400, |index| {
            let (method, path) = request(index);
            black_box(plain_loop(&operations, method, "api.example.com", path).expect("a match"));
        });
        let missing = nanos(41, 20_000, |index| {
            let (_, path) = request(index);
            black_box(compiled.find("GET", "api.example.com", &path[3..]).is_none());
        });
        println!(
            "matching among {count:>6} operations: {trie:>7.0} ns (no match {missing:.0} ns); plain loop {plain:>9.0} ns, {:.0} times as long",
            plain / trie
        );
    }
}

fn transactions() {
    let text = bundle(&api(1_000));
    let absent = ["x-a", "x-b", "x-c", "x-d", "x-e", "x-f", "x-g", "x-h", "x-i"].map(|name| ["header", name]);
    let ten: Vec<_> = absent.into_iter().chain([["cookie", "sid"]]).collect();
    let load = |text: BundleText| Arc::new(text.load().expect("a good bundle"));
    let [plain, one, ten] =
        [load(text.clone()), load(text.clone().identified_by(&[["cookie", "sid"]])), load(text.identified_by(&ten))];
    let keys = Keys::derive(&[7; 32]);
    let sampler = Sampler::default();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "api.example.com"),
        ("user-agent", "curl/8.5.0"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("cookie", "theme=dark; consent=yes; sid=8f14e45fceea167a5a36dedd4bea2543"),
        ("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.signature"),
    ] {
        headers.insert(name, value.parse().expect("a header value"));
    }
    let response = HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().expect("a header value"))]);
    let client: IpAddr = [192, 0, 2, 1].into();
    const TARGET: &str = "/v1/resource-99/8f14e45f/items/42?page=2&sort=name";
    for (name, bundle, sampled, target) in [
        ("nothing sampled", &plain, false, TARGET),
        ("path to normalise", &plain, false, "/v1/resource-99/8f14e45f/./items/%34%32?page=2&sort=name"),
        ("every one sampled", &plain, true, TARGET),
        ("session from a cookie", &one, false, TARGET),
        ("session from the last of ten identifiers", &ten, false, TARGET),
    ] {
        let around = Surroundings { sampler: sampled.then_some(&sampler), dice: 0, ..Surroundings::default() };
        let head = RequestHead {
            method: "GET",
            scheme: Scheme::Http,
            version: HttpVersion::Http11,
            authority: None,
            target,
            headers: &headers,
            client,
            body: BodyLength::None,
        };
        let now = Timestamp::from_micros(1_795_262_400_000_000);
        let outcome = Outcome { end: now, status: 200, upstream_status: Some(200), ..Outcome::default() };
        let whole = nanos(41, 10_000, |index| {
            let id = RequestId::new(now, index as u128);
            let mut transaction = Transaction::begin(bundle.clone(), &keys, id, now, Mode::Enforce);
            assert!(matches!(transaction.request_head(&head, &around), Step::Decided(action) if action.passes()));
            transaction.response_head(&ResponseHead { status: 200, headers: &response, body: BodyLength::Known(1024) });
            black_box(transaction.end(&outcome));
        });
        println!("one transaction among 1,000 operations, {name}: {whole:.0} ns");
    }
    println!("size of Transaction: {} bytes", size_of::<Transaction>());
}
