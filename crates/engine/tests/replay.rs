//! Replay against the engine itself: any request, recorded under one policy and replayed under another, comes to the verdict that the
//! engine gives it under that other policy, or to "unknown". `PROPTEST_CASES` sets how many are tried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::limits::{Count, Counters, Held};
use engine::replay::{Replay, Replayed, RuleIndex};
use engine::testing::{self, BundleText, ZONE_ID, row};
use engine::{
    Action, BodyLength, Bundle, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Scheme, Step,
    Surroundings, Timestamp, TrafficRecord, Transaction,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

/// One request and the answer that the upstream gives it, if it is asked.
#[derive(Clone, Debug)]
struct Exchanged {
    method: &'static str,
    scheme: Scheme,
    version: HttpVersion,
    host: &'static str,
    target: String,
    headers: Vec<(&'static str, &'static str)>,
    client: u8,
    body: &'static [u8],
    announced: bool,
    status: u16,
    media_type: Option<&'static str>,
    /// Milliseconds since the request before; until the response; until its end.
    times: [u32; 3],
}

/// Pieces of paths that records keep, replace or cut off, and that policies know.
const SEGMENTS: &[&str] = &[
    "users",
    "me",
    "7",
    "orders",
    "",
    ".",
    "..",
    "%2e",
    "a%2Fb",
    "file.PDF",
    "é",
    "token",
    "reset",
    "jane@example.com",
    "sk_live_abcdefghijklmnopqrstuvwx",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "x;jsessionid=12345678901234567890",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];
const TEMPLATES: &[[&str; 3]] = &[
    ["GET", "*", "/users/{id}"],
    ["GET", "*", "/users/me"],
    ["GET", "*", "/users/jane@example.com"],
    ["POST", "api.example.com", "/token/{t}"],
    ["POST", "*", "/token/orders"],
    ["GET", "*", "/token/sk_live_abcdefghijklmnopqrstuvwx/{x}"],
    ["GET", "*", "/{a}/{b}"],
    ["POST", "*", "/orders"],
    ["OPTIONS", "*", "/orders"],
    ["GET", "*", "/reset/{code}/7"],
];
const HEADERS: &[(&str, &str)] = &[
    ("origin", "https://app.example"),
    ("access-control-request-method", "PUT"),
    ("x-http-method-override", "PUT"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "application/json"),
    ("content-type", "image/svg+xml"),
    ("content-type", "not a type"),
    ("authorization", "Bearer abc"),
    ("x-user", "jane"),
    ("cookie", "sid=1"),
    ("user-agent", "curl/8"),
];

fn exchanged() -> impl Strategy<Value = Exchanged> {
    let path = vec(select(SEGMENTS), 0..6).prop_map(|segments| format!("/{}", segments.join("/")));
    let query = select(vec!["", "?a=1", "?_method=PUT", "?"]);
    let request = (
        select(vec!["GET", "POST", "HEAD", "OPTIONS", "purge", "VERYLONGMETHODNAME"]),
        select(vec![Scheme::Http, Scheme::Https]),
        select(vec![HttpVersion::Http10, HttpVersion::Http11, HttpVersion::Http2]),
        select(vec!["api.example.com", "shop.example.com", "127.0.0.1"]),
        (path, query).prop_map(|(path, query)| path + query),
        subsequence(HEADERS, 0..5),
    );
    let rest = (
        0..4_u8,
        select(vec![
            &b""[..],
            b"_method=PUT&a=1",
            b"a=1",
            b"{\"a\": 1}",
            b"{\"a\": 1, \"a\": 2}",
            b"more than thirty bytes are in this body",
        ]),
        any::<bool>(),
        select(vec![200, 404, 500, 101]),
        option::of(select(vec!["text/html; charset=x", "Application/JSON", "image/0123456789abcdef0123", "nonsense"])),
    );
    let times = [select(vec![0, 1, 300, 2_000, 9_000]), select(vec![0, 40, 1_500]), select(vec![0, 700, 5_000])];
    (request, rest, times).prop_map(|(request, rest, [waited, upstream, body_sent])| {
        let (method, scheme, version, host, target, headers) = request;
        let (client, body, announced, status, media_type) = rest;
        let times = [waited, upstream, upstream + body_sent];
        Exchanged { method, scheme, version, host, target, headers, client, body, announced, status, media_type, times }
    })
}

/// Conditions on what records hold, whatever the request.
fn recorded() -> Vec<Value> {
    let fact = |name: &str| json!([["fact", name]]);
    let with = |name: &str, op: Value| json!([["fact", name], op]);
    vec![
        with("http.request.version", json!(["eq", 0, ["HTTP/2"]])),
        fact("ssl"),
        with("http.host", json!(["eq", 0, ["api.example.com"]])),
        with("http.request.timestamp.sec", json!(["gt", 0, [1]])),
        with("http.request.timestamp.msec", json!(["lt", 0, [500]])),
        fact("hoplon.cors.preflight"),
        fact("hoplon.method_override"),
        fact("cf.api_gateway.auth_id_present"),
        fact("http.request.headers.truncated"),
        json!([["fact", "hoplon.path.anomalies"], ["each", 0], ["eq", 1, ["dot_segments"]], ["call", "any", 2]]),
        with("http.request.body.size", json!(["gt", 0, [5]])),
        fact("http.request.body.truncated"),
    ]
}

/// Conditions that records answer sometimes, and some that they never do.
fn others() -> Vec<Value> {
    let fact = |name: &str| json!([["fact", name]]);
    let with = |name: &str, op: Value| json!([["fact", name], op]);
    let key = |name: &str, key: &str, op: Value| json!([["fact", name], ["key", 0, key], shifted(op)]);
    vec![
        with("http.request.method", json!(["eq", 0, ["GET"]])),
        with("http.request.method", json!(["eq", 0, ["purge"]])),
        with("http.request.uri.path", json!(["contains", 0, ["users"]])),
        with("http.request.uri.path", json!(["wildcard", 0, "/token/*"])),
        with("raw.http.request.uri.path", json!(["eq", 0, ["/users/me"]])),
        with("http.request.uri.path.extension", json!(["eq", 0, ["pdf"]])),
        fact("hoplon.path.normalised"),
        fact("hoplon.host.known"),
        with("hoplon.operation.id", json!(["eq", 0, ["operation-0"]])),
        fact("cf.api_gateway.fallthrough_detected"),
        key("hoplon.operation.variables", "id", json!(["eq", 0, ["7"]])),
        key("hoplon.operation.variables", "t", json!(["contains", 0, ["a"]])),
        fact("hoplon.method_override.form"),
        json!([["fact", "http.request.body.form.names"], ["call", "len", 0], ["int", 1], ["gt", 1, 2]]),
        with("http.request.body.raw", json!(["contains", 0, ["a"]])),
        fact("hoplon.request.json.invalid"),
        fact("hoplon.request.json.duplicate_key"),
        with("http.response.code", json!(["ge", 0, [400]])),
        with("http.response.content_type.media_type", json!(["eq", 0, ["text/html"]])),
        with("http.response.content_type.media_type", json!(["eq", 0, [""]])),
        with("http.user_agent", json!(["contains", 0, ["curl"]])),
        with("http.request.uri.query", json!(["eq", 0, [""]])),
        with("ip.src", json!(["in", 0, {"ips": ["192.0.2.1/32"]}])),
        with("hoplon.session.value", json!(["eq", 0, ["jane"]])),
    ]
}

/// The same node one place further.
fn shifted(op: Value) -> Value {
    json!([op[0], 1, op[2]])
}

/// A condition of these, and what is built of them.
fn condition(of: Vec<Value>) -> impl Strategy<Value = Value> {
    let leaf = select(of).prop_map(written_out);
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| joined(&[of], "not")),
            (vec(inner.clone(), 2..4), select(vec!["and", "or"])).prop_map(|(of, op)| joined(&of, op)),
            vec(inner, 2).prop_map(|of| joined(&of, "xor")),
        ]
    })
}

/// Constants stand in a node of their own: `["eq", 0, ["x"]]` names the node behind it.
fn written_out(nodes: Value) -> Value {
    let mut out: Vec<Value> = Vec::new();
    for node in nodes.as_array().unwrap() {
        match node[2].get(0) {
            Some(constant) if node[2].is_array() => {
                let of = node[1].clone();
                out.push(if constant.is_i64() { json!(["int", constant]) } else { json!(["str", constant]) });
                out.push(json!([node[0], of, out.len() - 1]));
            }
            _ => out.push(node.clone()),
        }
    }
    let moved = out.iter().any(|node| node[0] == "call" && node[1] == "any");
    // The one leaf with a node behind its constant refers to the comparison.
    if moved {
        let last = out.len() - 1;
        out[last] = json!(["call", "any", last - 1]);
    }
    Value::Array(out)
}

fn joined(of: &[Value], op: &str) -> Value {
    let mut nodes: Vec<Value> = Vec::new();
    let mut roots = Vec::new();
    for program in of {
        let base = nodes.len();
        nodes.extend(program.as_array().unwrap().iter().map(|node| moved_by(node, base)));
        roots.push(json!(nodes.len() - 1));
    }
    nodes.push(Value::Array([json!(op)].into_iter().chain(roots).collect()));
    Value::Array(nodes)
}

/// References of a node, moved.
fn moved_by(node: &Value, base: usize) -> Value {
    let items = node.as_array().unwrap();
    let op = items[0].as_str().unwrap();
    let references = match op {
        "fact" | "int" | "str" => 0..0,
        "call" => 2..items.len(),
        "wildcard" | "in" | "key" | "each" => 1..2,
        _ => 1..items.len(),
    };
    let moved = items.iter().enumerate().map(|(place, item)| match item.as_u64() {
        Some(reference) if references.contains(&place) => json!(reference + base as u64),
        _ => item.clone(),
    });
    Value::Array(moved.collect())
}

/// Stage, nodes, action, fail mode, operations, what is skipped.
type Drawn = (&'static str, Value, &'static str, &'static str, Option<Vec<usize>>, Value);

fn rules(of: Vec<Value>, operations: usize) -> impl Strategy<Value = Value> {
    let about = option::weighted(0.3, vec(0..operations, 1..3));
    let skip = (any::<bool>(), subsequence(vec!["limits", "features"], 0..3), any::<bool>())
        .prop_map(|(rest, stages, log)| json!({"rest": rest, "stages": stages, "rules": ["rule-3"], "log": log}));
    let rule = (
        select(vec!["custom", "custom", "features"]),
        condition(of),
        select(vec!["log", "block", "skip"]),
        select(vec!["open", "closed"]),
        about,
        skip,
    );
    vec(rule, 1..7).prop_map(|rules| {
        let entry = |(index, (stage, nodes, action, fail, about, skip)): (usize, Drawn)| {
            let is_skip = action == "skip" && stage == "custom";
            let action = if action == "skip" && !is_skip { "log" } else { action };
            let mut entry = json!({"id": format!("rule-{index}"), "stage": stage, "when": {"nodes": nodes}, "action": action,
                "violation": if is_skip { "rules.skipped" } else { "rules.custom" }, "fail": fail});
            if let Some(about) = about {
                entry["operations"] = about.into_iter().map(|index| format!("operation-{index}")).collect();
            }
            if is_skip {
                entry["skip"] = skip;
            }
            entry
        };
        Value::Array(rules.into_iter().enumerate().map(entry).collect())
    })
}

/// Limits by characteristics that records hold, and by some that they do not.
fn limits(of: Vec<Value>, keys: Vec<Value>, operations: usize) -> impl Strategy<Value = Vec<Value>> {
    let about = option::weighted(0.2, vec(0..operations, 1..3));
    let of: Vec<_> = of.into_iter().filter(|nodes| !nodes.to_string().contains("http.response")).collect();
    let count_when = option::weighted(0.4, condition(of.iter().cloned().chain(of_responses()).collect()));
    let what = select(vec!["requests", "requests", "requests", "in_flight", "score"]);
    let numbers = (0..4_u32, select(vec![1, 5, 10]), select(vec![0, 3, 20]), any::<bool>());
    let words = (select(vec!["log", "block"]), select(vec!["open", "closed"]));
    vec((condition(of), subsequence(keys, 0..3), about, count_when, what, numbers, words), 0..4).prop_map(|limits| {
        let entry = |(index, (when, key, about, count_when, what, numbers, words)): (usize, DrawnLimit)| {
            let ((most, period, mitigation, to_origin), (action, fail)) = (numbers, words);
            let mut entry = testing::limit(&format!("limit-{index}"), most);
            let is_in_flight = what == "in_flight";
            entry["when"] = json!({"nodes": when});
            entry["key"] = key.into_iter().map(|nodes| json!({"nodes": nodes})).collect();
            entry["requests"] = Value::Null;
            entry[what] = most.into();
            entry["period_seconds"] = if is_in_flight { 0 } else { period }.into();
            entry["mitigation_seconds"] = if is_in_flight { 0 } else { mitigation }.into();
            entry["to_origin"] = (to_origin && !is_in_flight).into();
            entry["action"] = action.into();
            entry["fail"] = fail.into();
            entry["violation"] = if is_in_flight { "limits.in_flight" } else { "limits.exceeded" }.into();
            if what == "score" {
                entry["score_header"] = "x-score".into();
            }
            if let Some(nodes) = count_when.filter(|_| !is_in_flight) {
                entry["count_when"] = json!({"nodes": nodes});
            }
            if let Some(about) = about {
                entry["operations"] = about.into_iter().map(|index| format!("operation-{index}")).collect();
            }
            entry
        };
        limits.into_iter().enumerate().map(entry).collect()
    })
}

/// When, key, operations, when it is counted, what, numbers, words.
type DrawnLimit =
    (Value, Vec<Value>, Option<Vec<usize>>, Option<Value>, &'static str, (u32, u32, u32, bool), (&'static str, &'static str));

fn of_responses() -> Vec<Value> {
    vec![json!([["fact", "http.response.code"], ["ge", 0, [400]]])]
}

fn recorded_keys() -> Vec<Value> {
    ["hoplon.session", "ip.src", "http.host", "cf.api_gateway.auth_id_present"].map(|name| json!([["fact", name]])).into()
}

fn other_keys() -> Vec<Value> {
    let facts = ["http.request.uri.path", "http.user_agent", "hoplon.session.value", "hoplon.operation.id"];
    facts.map(|name| json!([["fact", name]])).into()
}

/// A loaded bundle that is shown as it was written.
#[derive(Clone)]
struct Written(Arc<Bundle>, String);

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

/// A policy: operations, rules, identifiers, what slashes mean, how much of a body is judged.
fn policy(of: Vec<Value>, keys: Vec<Value>) -> impl Strategy<Value = Written> {
    let operations = subsequence(TEMPLATES, 1..TEMPLATES.len());
    let identifiers = select(vec![&[][..], &[["header", "x-user"]], &[["cookie", "sid"], ["header", "x-user"]]]);
    let hosts = select(vec![&[][..], &["api.example.com", "shop.example.com", "127.0.0.1"]]);
    let settings = (identifiers, hosts, any::<bool>(), select(vec![20, 1_048_576]));
    (operations, settings).prop_flat_map(move |(operations, (identifiers, hosts, merge_slashes, limit))| {
        let judged = (rules(of.clone(), operations.len()), limits(of.clone(), keys.clone(), operations.len()));
        judged.prop_map(move |(rules, limits)| {
            let mut zone = testing::zone(ZONE_ID, hosts);
            zone["merge_slashes"] = merge_slashes.into();
            zone["inspection_limit_bytes"] = limit.into();
            let text = BundleText::default().with(&zone, &testing::operations_part(&operations), &json!({"rules": &rules}));
            let said = format!("{operations:?} {zone} {identifiers:?} {rules} {limits:?}");
            Written(Arc::new(text.identified_by(identifiers).limited_by(&limits).load().unwrap()), said)
        })
    })
}

/// What the counters are told later than the request that it belongs to.
enum Later {
    Counts(Vec<Count>),
    End(Vec<Held>, bool),
}

/// The engine's own verdicts on requests as they come, and what it wrote down.
fn live(bundle: &Arc<Bundle>, requests: &[Exchanged]) -> Vec<TrafficRecord> {
    let counters = Counters::default();
    let mut later: BTreeMap<(i64, usize), Later> = BTreeMap::new();
    let mut now = 1_763_700_000_000_000;
    let mut records = Vec::new();
    for (number, asked) in requests.iter().enumerate() {
        now += i64::from(asked.times[0]) * 1_000;
        while let Some(first) = later.first_entry().filter(|first| first.key().0 <= now) {
            let ((at, _), change) = first.remove_entry();
            match change {
                Later::Counts(counts) => counts.iter().for_each(|count| counters.count(count, Timestamp::from_micros(at))),
                Later::End(held, went_upstream) => held.iter().for_each(|held| counters.release(held, went_upstream)),
            }
        }
        let (record, counts, held) = exchange(bundle, asked, &counters, now, number);
        let passed = record.upstream_status.is_some();
        later.insert((now + i64::from(asked.times[1]) * 1_000, 2 * number), Later::Counts(counts));
        let end = if passed { now + i64::from(asked.times[2]) * 1_000 } else { now };
        later.insert((end, 2 * number + 1), Later::End(held, passed));
        records.push(record);
    }
    records
}

fn exchange(
    bundle: &Arc<Bundle>,
    asked: &Exchanged,
    counters: &Counters,
    now: i64,
    number: usize,
) -> (TrafficRecord, Vec<Count>, Vec<Held>) {
    let now = Timestamp::from_micros(now);
    let keys = Keys::derive(&[7; 32]);
    let mut transaction = Transaction::begin(bundle.clone(), &keys, RequestId::new(now, number as u128), now, Mode::Enforce);
    let headers = header_map(&asked.headers);
    let body = match (asked.body, asked.announced) {
        ([], _) => BodyLength::None,
        (body, true) => BodyLength::Known(body.len() as u64),
        _ => BodyLength::Unknown,
    };
    let head = RequestHead {
        method: asked.method,
        scheme: asked.scheme,
        version: asked.version,
        authority: Some(asked.host),
        target: &asked.target,
        headers: &headers,
        client: [192, 0, 2, asked.client].into(),
        body,
    };
    let step = transaction.request_head(&head, &Surroundings::default());
    let mut step = counters.answer(step, &mut transaction, Some(&headers), now);
    while let Step::NeedBody(_) = step {
        step = transaction.request_body(asked.body, true);
        step = counters.answer(step, &mut transaction, None, now);
    }
    let passes = transaction.verdict().action.passes();
    if passes && asked.status != 101 {
        let fields: Vec<_> = asked.media_type.map(|media_type| ("content-type", media_type)).into_iter().collect();
        let headers = header_map(&fields);
        transaction.response_head(&ResponseHead { status: asked.status, headers: &headers, body: BodyLength::Unknown });
    }
    let (counts, held) = (transaction.take_counts().into_vec(), transaction.take_held().into_vec());
    let [_, upstream, whole] = asked.times;
    let outcome = Outcome {
        end: now.plus(Duration::from_millis(if passes { whole.into() } else { 0 })),
        status: asked.status,
        upstream: passes.then_some(0),
        upstream_status: passes.then_some(asked.status),
        upstream_micros: passes.then_some(upstream * 1_000),
        request_body_bytes: if passes { asked.body.len() as u64 } else { 0 },
        request_complete: passes,
        ..Outcome::default()
    };
    (transaction.end(&outcome).record, counts, held)
}

/// The decision log: whatever was not plainly let through says by which rule, for which violations or failed checks, under which
/// bundle.
fn says_why(bundle: &Bundle, record: &TrafficRecord) -> bool {
    let has_reason = record.violation_count > 0 || !record.failures.is_empty();
    let has_rule = record.rule.is_some() || record.action == Action::Refuse;
    &*record.bundle == bundle.short_hash() && (record.action == Action::Allow || has_reason && has_rule)
}

fn header_map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    }
    map
}

fn replayed(bundle: &Arc<Bundle>, records: &[TrafficRecord]) -> Vec<Replayed> {
    let mut replay = Replay::new(bundle.clone(), ZONE_ID, 3).unwrap();
    let found: Vec<_> = records.iter().map(|record| replay.judge(&row(record, &record.id.to_string()))).collect();
    let tally = replay.tally();
    assert_eq!(tally.records, records.len() as u64);
    let judged: u64 = tally.would.groups().iter().map(|group| group.records).sum();
    assert_eq!(judged + tally.refused + tally.elsewhere, tally.records);
    found
}

/// The rule of an index.
fn rule_id(bundle: &Arc<Bundle>, index: RuleIndex) -> String {
    Replay::new(bundle.clone(), ZONE_ID, 0).unwrap().rule_id(index).unwrap().to_owned()
}

/// Whether replay says no more than it can know.
fn is_sound(bundle: &Arc<Bundle>, found: Replayed, truth: &TrafficRecord) -> bool {
    match found {
        Replayed::Known(action, rule) => {
            let decided = rule.map(|rule| rule_id(bundle, rule));
            action == truth.action && decided.is_none_or(|rule| truth.rule.as_deref() == Some(&*rule))
        }
        Replayed::Refused => truth.action == Action::Refuse,
        Replayed::Unknown | Replayed::Elsewhere => true,
    }
}

fn everything() -> Vec<Value> {
    recorded().into_iter().chain(others()).collect()
}

proptest! {
    #[test]
    fn replay_never_says_what_the_engine_would_not(
        was in policy(recorded(), recorded_keys()),
        new in policy(everything(), recorded_keys().into_iter().chain(other_keys()).collect()),
        requests in vec(exchanged(), 1..12),
    ) {
        let (records, truths) = (live(&was.0, &requests), live(&new.0, &requests));
        for truth in &truths {
            prop_assert!(says_why(&new.0, truth), "{truth:?}");
        }
        for (((found, truth), asked), record) in replayed(&new.0, &records).into_iter().zip(&truths).zip(&requests).zip(&records) {
            prop_assert!(is_sound(&new.0, found, truth), "{found:?} but {truth:?}\nof {asked:?}\nrecorded as {record:?}");
        }
    }

    #[test]
    fn what_is_recorded_is_replayed_exactly(
        policy in policy(recorded(), recorded_keys()),
        requests in vec(exchanged().prop_filter("is written down whole", is_written_down_whole), 1..12),
    ) {
        let records = live(&policy.0, &requests);
        // Of a request that was stopped, or whose response was never judged, something is always left open.
        let is_whole = |record: &TrafficRecord| record.request_complete && record.upstream_status.is_some_and(|status| status != 101);
        let all_are_whole = records.iter().all(is_whole);
        for (found, truth) in replayed(&policy.0, &records).into_iter().zip(&records) {
            prop_assert!(is_sound(&policy.0, found, truth), "{found:?} but {truth:?}");
            if all_are_whole && !policy.1.contains("score") {
                                let Replayed::Known(_, rule) = found else { panic!("{found:?} of {truth:?}") };
                let decided = rule.map(|rule| rule_id(&policy.0, rule));
                prop_assert_eq!(decided.as_deref(), truth.rule.as_deref());
            }
        }
    }
}

/// A body beyond the zone's limit makes a check fail itself; whether the body was read that far, records do not say of its content.
#[test]
fn what_may_have_failed_closed_is_not_said_to_pass() {
    let mut zone = testing::zone(ZONE_ID, &[]);
    zone["inspection_limit_bytes"] = 20.into();
    let policy = |limits: &[Value]| {
        let text = BundleText::default().with(&zone, &testing::operations_part(&[]), &json!({"rules": []}));
        Arc::new(text.limited_by(limits).load().unwrap())
    };
    let mut limit = testing::limit("limit-0", 5);
    limit["when"] = json!({"nodes": [["fact", "ssl"]]});
    limit["count_when"] = json!({"nodes": [["fact", "http.request.body.raw"], ["str", "a"], ["contains", 0, 1]]});
    limit["action"] = "log".into();
    limit["fail"] = "closed".into();
    let asked = Exchanged {
        method: "POST",
        scheme: Scheme::Http,
        version: HttpVersion::Http11,
        host: "api.example.com",
        target: "/".into(),
        headers: Vec::new(),
        client: 1,
        body: b"more than thirty bytes are in this body",
        announced: true,
        status: 200,
        media_type: None,
        times: [0, 0, 0],
    };
    let new = policy(&[limit]);
    assert_eq!(live(&new, std::slice::from_ref(&asked))[0].action, Action::Log, "it is not checked, but it failed to be counted");
    assert_eq!(replayed(&new, &live(&policy(&[]), &[asked])), [Replayed::Unknown]);
}

fn is_written_down_whole(asked: &Exchanged) -> bool {
    let is_plain =
        ["@", "sk_live", "eyJ", "jsession", "aaaa", "token", "reset", "//"].iter().all(|odd| !asked.target.contains(odd));
    is_plain && asked.method != "purge" && asked.method != "VERYLONGMETHODNAME" && !asked.target.contains("/.")
}
