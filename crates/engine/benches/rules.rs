//! What rules cost a request: a hundred realistic ones none of which matches, and as many that are heavy on regular expressions, each as one
//! phase of a transaction with and without them. `cargo bench -p hoplon-engine --bench rules` prints nanoseconds.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use engine::testing::{BundleText, program_rule};
use engine::{
    Action, BodyLength, Bundle, HttpVersion, Keys, Mode, RequestHead, RequestId, Scheme, Step, Surroundings, Timestamp,
    Transaction,
};
use http::HeaderMap;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let none = phase(&json!([]));
    println!("head of a request without rules: {none:.0} ns");
    let row = |what: &str, rules: Value| println!("{what}: {:.0} ns more", phase(&rules) - none);
    row("100 realistic rules, none matching", numbered((0..100).map(realistic)));
    row("10 rules heavy on regular expressions", numbered((0..10).map(heavy)));
    row("100 rules heavy on regular expressions", numbered((0..100).map(heavy)));
    row("10,000 rules about another operation each", elsewhere());
    for (what, nodes) in pieces() {
        row(what, numbered((0..100).map(|_| nodes.clone())));
    }
}

/// Nanoseconds of a request's head, in the best of these rounds.
fn phase(rules: &Value) -> f64 {
    let bundle = Arc::new(bundle(rules));
    let keys = Keys::derive(&[7; 32]);
    let headers = headers();
    let head = RequestHead {
        method: "GET",
        scheme: Scheme::Https,
        version: HttpVersion::Http11,
        authority: None,
        target: "/v1/resource-99/8f14e45f/items/42?page=2&sort=name",
        headers: &headers,
        client: [203, 0, 113, 9].into(),
        body: BodyLength::None,
    };
    let now = Timestamp::from_micros(1_795_262_400_000_000);
    let once = |index: u32| {
        let id = RequestId::new(now, index.into());
        let mut transaction = Transaction::begin(bundle.clone(), &keys, id, now, Mode::Enforce);
        let step = transaction.request_head(&head, &Surroundings::default());
        assert_eq!(step, Step::Decided(Action::Allow), "none matches");
        black_box(&transaction);
    };
    let round = |_| {
        let started = Instant::now();
        (0..100).for_each(once);
        started.elapsed().as_nanos() as f64 / 100.0
    };
    // Many short ones: on a busy machine some of them are not disturbed.
    (0..2_000).map(round).fold(f64::INFINITY, f64::min)
}

fn bundle(rules: &Value) -> Bundle {
    let operations: Vec<[String; 3]> = (0..1_000)
        .map(|index| ["GET".to_owned(), "*".to_owned(), format!("/v1/resource-{index}/{{var1}}/items/{{var2}}")])
        .collect();
    let operations: Vec<[&str; 3]> = operations.iter().map(|[m, h, p]| [m.as_str(), h.as_str(), p.as_str()]).collect();
    let blocked: Vec<_> = (0..5_000).map(|index| format!("10.{}.{}.0/24", index / 250, index % 250)).collect();
    let lists = json!([{"name": "blocked", "kind": "ip", "items": blocked}]);
    BundleText::of(&operations, rules).listing(&lists).load().unwrap_or_else(|errors| panic!("{errors}"))
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "api.example.com"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
        ("accept", "application/json"),
        ("accept-language", "de-CH,de;q=0.9,en;q=0.8"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("referer", "https://app.example.com/orders?page=2"),
        ("x-request-id", "0b1ff8c1-7c9b-4c62-9a7c-9a2f6f5b1b1a"),
        ("cookie", "theme=dark; consent=yes; sid=8f14e45fceea167a5a36dedd4bea2543"),
        ("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.signature"),
    ] {
        headers.insert(name, value.parse().expect("a header value"));
    }
    headers
}

fn numbered(programs: impl Iterator<Item = Value>) -> Value {
    programs.enumerate().map(|(index, nodes)| program_rule(&index.to_string(), "custom", &nodes, "block")).collect()
}

/// What people write: places and methods, addresses, agents, headers, countries of the query.
fn realistic(index: usize) -> Value {
    let path = json!(["fact", "http.request.uri.path"]);
    match index % 10 {
        0 => json!([path, ["str", format!("/admin/{index}")], ["call", "starts_with", 0, 1]]),
        1 => json!([
            path,
            ["str", format!("/v1/login-{index}")],
            ["eq", 0, 1],
            ["fact", "http.request.method"],
            ["str", "POST"],
            ["eq", 3, 4],
            ["and", 2, 5]
        ]),
        2 => json!([["fact", "ip.src"], ["in", 0, {"ips": [format!("198.51.{index}.0/24"), "192.0.2.0/24", "2001:db8::/32"]}]]),
        3 => json!([["fact", "ip.src"], ["in_list", 0, "blocked"]]),
        4 => json!([["fact", "http.user_agent"], ["str", format!("sqlmap/{index}")], ["contains", 0, 1]]),
        5 => json!([
            ["fact", "http.request.headers"],
            ["key", 0, "x-api-version"],
            ["each", 1],
            ["str", format!("{index}")],
            ["eq", 2, 3],
            ["call", "any", 4]
        ]),
        6 => json!([["fact", "http.request.method"], ["in", 0, {"strs": ["PUT", "PATCH", "DELETE"]}], path,
            ["wildcard", 2, format!("/v1/resource-{index}/*")], ["and", 1, 3]]),
        7 => json!([
            ["fact", "http.host"],
            ["str", format!("internal-{index}.example.com")],
            ["eq", 0, 1],
            ["fact", "ssl"],
            ["not", 3],
            ["or", 2, 4]
        ]),
        8 => json!([["fact", "http.request.uri.query"], ["str", format!("debug={index}")], ["contains", 0, 1]]),
        _ => json!([
            path,
            ["str", format!(".php{index}")],
            ["call", "ends_with", 0, 1],
            path,
            ["str", "/wp-login"],
            ["contains", 3, 4],
            ["or", 2, 5]
        ]),
    }
}

fn heavy(index: usize) -> Value {
    match index % 5 {
        0 => json!([["fact", "http.user_agent"], ["matches", 0, format!("(?i)(sqlmap|nikto|nmap|masscan|zgrab){index}")]]),
        1 => json!([["fact", "http.request.uri.path"], ["matches", 0, format!("^/v[0-9]+/users/[0-9a-f]{{8,}}/files{index}$")]]),
        2 => json!([
            ["fact", "http.request.uri.query"],
            ["matches", 0, format!("(?i)(union\\s+select|or\\s+1=1|sleep\\({index}\\))")]
        ]),
        3 => json!([["fact", "http.referer"], ["matches", 0, format!("^https?://([a-z0-9-]+\\.)*evil{index}\\.(com|net|org)/")]]),
        _ => json!([["fact", "http.cookie"], ["matches", 0, format!("(^|; )session=[A-Za-z0-9+/]{{40,}}={{0,2}}{index}(;|$)")]]),
    }
}

fn elsewhere() -> Value {
    let rule = |index: usize| {
        let mut rule = program_rule(&index.to_string(), "features", &json!([["bool", true]]), "block");
        rule["operations"] = json!([format!("operation-{}", index % 99)]);
        rule
    };
    (0..10_000).map(rule).collect()
}

/// Single operations, a hundred of each.
fn pieces() -> [(&'static str, Value); 6] {
    let header = |rest: &[Value]| [&[json!(["fact", "http.request.headers"]), json!(["key", 0, "accept"])], rest].concat();
    [
        ("100 times path eq", json!([["fact", "http.request.uri.path"], ["str", "/v1/other"], ["eq", 0, 1]])),
        ("100 times ip.src in a list of 5,000 networks", json!([["fact", "ip.src"], ["in_list", 0, "blocked"]])),
        ("100 times one header eq", json!(header(&[json!(["index", 1, 0]), json!(["str", "text/html"]), json!(["eq", 2, 3])]))),
        (
            "100 times any value of one header",
            json!(header(&[json!(["each", 1]), json!(["str", "text/html"]), json!(["eq", 2, 3]), json!(["call", "any", 4])])),
        ),
        (
            "100 times lower(user agent) contains",
            json!([["fact", "http.user_agent"], ["call", "lower", 0], ["str", "bot/"], ["contains", 1, 2]]),
        ),
        (
            "100 times one argument of the query",
            json!([["fact", "http.request.uri.args"], ["key", 0, "sort"], ["index", 1, 0], ["str", "id"], ["eq", 2, 3]]),
        ),
    ]
}
