//! Replay against the engine itself: any request, recorded under one policy and replayed under another, comes to the verdict that the
//! engine gives it under that other policy, or to "unknown". `PROPTEST_CASES` sets how many are tried.

use std::sync::Arc;

use engine::replay::{RecordRow, Replay, Replayed, RuleIndex};
use engine::testing::{self, BundleText, ZONE_ID};
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
    (request, rest).prop_map(
        |((method, scheme, version, host, target, headers), (client, body, announced, status, media_type))| Exchanged {
            method,
            scheme,
            version,
            host,
            target,
            headers,
            client,
            body,
            announced,
            status,
            media_type,
        },
    )
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

/// A loaded bundle that is shown as it was written.
#[derive(Clone)]
struct Written(Arc<Bundle>, String);

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

/// A policy: operations, rules, identifiers, what slashes mean, how much of a body is judged.
fn policy(of: Vec<Value>) -> impl Strategy<Value = Written> {
    let operations = subsequence(TEMPLATES, 1..TEMPLATES.len());
    let identifiers = select(vec![&[][..], &[["header", "x-user"]], &[["cookie", "sid"], ["header", "x-user"]]]);
    let hosts = select(vec![&[][..], &["api.example.com", "shop.example.com", "127.0.0.1"]]);
    let settings = (identifiers, hosts, any::<bool>(), select(vec![20, 1_048_576]));
    (operations, settings).prop_flat_map(move |(operations, (identifiers, hosts, merge_slashes, limit))| {
        rules(of.clone(), operations.len()).prop_map(move |rules| {
            let mut zone = testing::zone(ZONE_ID, hosts);
            zone["merge_slashes"] = merge_slashes.into();
            zone["inspection_limit_bytes"] = limit.into();
            let text = BundleText::default().with(&zone, &testing::operations_part(&operations), &json!({"rules": &rules}));
            let said = format!("{operations:?} {zone} {identifiers:?} {rules}");
            Written(Arc::new(text.identified_by(identifiers).load().unwrap()), said)
        })
    })
}

/// The engine's own verdict, and what it wrote down.
fn live(bundle: &Arc<Bundle>, asked: &Exchanged, number: u32) -> TrafficRecord {
    let now = Timestamp::from_micros(1_763_700_000_000_000 + i64::from(number) * 321_000);
    let keys = Keys::derive(&[7; 32]);
    let mut transaction = Transaction::begin(bundle.clone(), &keys, RequestId::new(now, u128::from(number)), now, Mode::Enforce);
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
    let mut step = transaction.request_head(&head, &Surroundings::default());
    while let Step::NeedBody(_) = step {
        step = transaction.request_body(asked.body, true);
    }
    let passes = transaction.verdict().action.passes();
    if passes && asked.status != 101 {
        let fields: Vec<_> = asked.media_type.map(|media_type| ("content-type", media_type)).into_iter().collect();
        let headers = header_map(&fields);
        transaction.response_head(&ResponseHead { status: asked.status, headers: &headers, body: BodyLength::Unknown });
    }
    let outcome = Outcome {
        end: now,
        status: asked.status,
        upstream_status: passes.then_some(asked.status),
        request_body_bytes: if passes { asked.body.len() as u64 } else { 0 },
        request_complete: passes,
        ..Outcome::default()
    };
    transaction.end(&outcome).record
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

fn row<'r>(record: &'r TrafficRecord, id: &'r str) -> RecordRow<'r> {
    RecordRow {
        id,
        time: record.time,
        zone: &record.zone,
        gateway: "one",
        method: &record.method,
        scheme: record.scheme,
        http_version: record.http_version,
        host: &record.host,
        host_known: record.host_known,
        path: &record.path,
        path_anomalies: &record.path_anomalies,
        session: record.session,
        session_source: Some(record.session_source),
        session_policy: record.session_policy.as_deref(),
        client: Some(record.client),
        upstream_status: record.upstream_status,
        action: Some(record.action),
        request_bytes: record.request_bytes,
        request_complete: Some(record.request_complete),
        request_content_type: record.request_content_type.as_deref(),
        response_content_type: record.response_content_type.as_deref(),
        preflight: Some(record.preflight),
        method_override: Some(record.method_override),
        form_override: record.form_override,
        tokens: record.tokens.as_deref(),
    }
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

proptest! {
    #[test]
    fn replay_never_says_what_the_engine_would_not(
        was in policy(recorded()),
        new in policy(recorded().into_iter().chain(others()).collect()),
        requests in vec(exchanged(), 1..8),
    ) {
        let records: Vec<_> = requests.iter().zip(0..).map(|(asked, number)| live(&was.0, asked, number)).collect();
        for ((found, asked), number) in replayed(&new.0, &records).into_iter().zip(&requests).zip(0..) {
            let truth = live(&new.0, asked, number);
            prop_assert!(is_sound(&new.0, found, &truth), "{found:?} but {truth:?}\nof {asked:?}\nrecorded as {:?}", records[number as usize]);
        }
    }

    #[test]
    fn what_is_recorded_is_replayed_exactly(policy in policy(recorded()), requests in vec(exchanged(), 1..8)) {
        let records: Vec<_> = requests.iter().zip(0..).map(|(asked, number)| live(&policy.0, asked, number)).collect();
        for (found, truth) in replayed(&policy.0, &records).into_iter().zip(&records) {
            let is_open = !truth.request_complete || truth.path.contains('<') || truth.path_anomalies.contains("empty_segment") || truth.method.contains('<')
                || matches!(truth.upstream_status, None | Some(101));
            match found {
                Replayed::Known(action, rule) => {
                    prop_assert_eq!(action, truth.action);
                    let decided = rule.map(|rule| rule_id(&policy.0, rule));
                    prop_assert!(action == Action::Allow || decided.as_deref() == truth.rule.as_deref() || is_open, "{:?}", truth);
                }
                Replayed::Refused => prop_assert_eq!(truth.action, Action::Refuse),
                other => prop_assert!(is_open, "{:?} of {:?}", other, truth),
            }
        }
    }
}
