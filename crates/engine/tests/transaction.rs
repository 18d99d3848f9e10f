//! One transaction through its phases, as a playbook: what goes in, what must come out.

use std::net::IpAddr;
use std::sync::Arc;

use engine::testing::{self, BundleText};
use engine::{
    Action, BodyLength, BodyNeed, Bundle, Effect, FactError, FailMode, HttpVersion, Inspection, Keys, KnownHosts, Mode, Outcome,
    RequestHead, RequestId, ResponseHead, Scheme, Step, Surroundings, Timestamp, Transaction,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

fn fallthrough(action: &str) -> Value {
    testing::rule(
        "operations.fallthrough",
        "request_head",
        "cf.api_gateway.fallthrough_detected",
        action,
        "operations.fallthrough",
        "open",
    )
}

fn shop(rules: &Value) -> Arc<Bundle> {
    let operations = [
        ["GET", "*", "/users/{id}"],
        ["GET", "*", "/users/me"],
        ["POST", "*", "/orders"],
        ["GET", "shop.example.com", "/users/{id}"],
    ];
    Arc::new(BundleText::of(&operations, rules).load().unwrap())
}

/// One request, written down; the parts that a test does not name are ordinary.
struct Asked<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
    authority: Option<&'a str>,
    body: BodyLength,
}

const ORDINARY: Asked<'static> = Asked {
    method: "GET",
    target: "/users/42",
    headers: &[("host", "api.example.com")],
    authority: None,
    body: BodyLength::None,
};

fn begin(bundle: &Arc<Bundle>, mode: Mode) -> Transaction {
    let now = Timestamp::from_micros(1_000_000);
    Transaction::begin(bundle.clone(), &Keys::derive(&[7; 32]), RequestId::new(now, 1), now, mode)
}

fn ask(transaction: &mut Transaction, asked: &Asked<'_>, hosts: &dyn KnownHosts) -> Step {
    let fields =
        asked.headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()));
    let headers = fields.fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    });
    let head = RequestHead {
        method: asked.method,
        scheme: Scheme::Http,
        version: HttpVersion::Http11,
        authority: asked.authority,
        target: asked.target,
        headers: &headers,
        client: IpAddr::from([192, 0, 2, 1]),
        body: asked.body,
    };
    transaction.request_head(&head, &Surroundings { hosts, ..Surroundings::default() })
}

fn judged(bundle: &Arc<Bundle>, mode: Mode, asked: &Asked<'_>) -> (Step, Transaction) {
    let mut transaction = begin(bundle, mode);
    let step = ask(&mut transaction, asked, &());
    (step, transaction)
}

#[test]
fn a_saved_operation_is_found_and_goes_upstream_normalised() {
    let bundle = shop(&json!([fallthrough("block")]));
    let cases = [
        ("GET", "/users/42", Some("/users/{id}")),
        ("GET", "/users/me", Some("/users/me")),
        ("HEAD", "/users/me/", Some("/users/me")),
        ("GET", "/orders/../users/%6De?x=%2e", Some("/users/me")),
        ("GET", "/users/a%2Fb", Some("/users/{id}")),
        ("GET", "/users/", None),
        ("GET", "/Users/42", None),
        ("POST", "/users/42", None),
        ("GET", "/users/42/x", None),
    ];
    for (method, target, path) in cases {
        let (step, transaction) = judged(&bundle, Mode::Enforce, &Asked { method, target, ..ORDINARY });
        assert_eq!(transaction.operation().map(|operation| &*operation.path), path, "{method} {target}");
        assert_eq!(step, Step::Decided(if path.is_some() { Action::Allow } else { Action::Block }), "{method} {target}");
    }
    let (_, transaction) = judged(&bundle, Mode::Enforce, &Asked { target: "/orders/../users/%6De?x=%2e", ..ORDINARY });
    assert_eq!(transaction.upstream_target(), "/users/me?x=%2e");
    let asked = Asked { headers: &[("host", "Shop.Example.com:8080")], ..ORDINARY };
    assert_eq!(judged(&bundle, Mode::Enforce, &asked).1.operation().map(|operation| &*operation.id), Some("operation-3"));
}

#[test]
fn the_mode_decides_whether_a_block_acts() {
    let unknown = Asked { target: "/nowhere/secret-token", ..ORDINARY };
    for (action, mode, expected, found) in [
        ("block", Mode::Enforce, Action::Block, 1),
        ("block", Mode::Log, Action::Log, 1),
        ("block", Mode::Off, Action::Allow, 0),
        ("log", Mode::Enforce, Action::Log, 1),
        ("log", Mode::Log, Action::Log, 1),
    ] {
        let (step, transaction) = judged(&shop(&json!([fallthrough(action)])), mode, &unknown);
        assert_eq!(step, Step::Decided(expected));
        let verdict = transaction.verdict();
        assert_eq!(verdict.violations.len(), found);
        assert_eq!(verdict.rule.as_deref(), (found > 0).then_some("operations.fallthrough"));
        assert!(verdict.violations.iter().all(|v| &*v.code == "operations.fallthrough" && !v.evidence.contains("secret")));
    }
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused_in_every_mode() {
    let bundle = shop(&json!([]));
    let cases = [
        (Asked { method: "CONNECT", ..ORDINARY }, "protocol.method.connect"),
        (Asked { method: "GE T", ..ORDINARY }, "protocol.method.invalid"),
        (Asked { method: "delete", ..ORDINARY }, "protocol.method.invalid"),
        (Asked { method: "Post", ..ORDINARY }, "protocol.method.invalid"),
        (Asked { method: "connect", ..ORDINARY }, "protocol.method.invalid"),
        (Asked { headers: &[], ..ORDINARY }, "protocol.host.missing"),
        (Asked { headers: &[("host", "a"), ("host", "a")], ..ORDINARY }, "protocol.host.several"),
        (Asked { headers: &[("host", "")], ..ORDINARY }, "protocol.host.invalid"),
        (Asked { headers: &[("host", "a, b")], ..ORDINARY }, "protocol.host.invalid"),
        (Asked { authority: Some("other.example.com"), ..ORDINARY }, "protocol.host.mismatch"),
        (Asked { authority: Some("api.example.com:81"), ..ORDINARY }, "protocol.host.mismatch"),
        (Asked { authority: Some("user@api.example.com"), ..ORDINARY }, "protocol.host.invalid"),
        (Asked { target: "/a\\b", ..ORDINARY }, "protocol.path.backslash"),
        (Asked { target: "*", ..ORDINARY }, "protocol.target.invalid"),
    ];
    for (asked, code) in cases {
        for mode in [Mode::Off, Mode::Log, Mode::Enforce] {
            let (step, transaction) = judged(&bundle, mode, &asked);
            assert_eq!((step, transaction.verdict().refusal()), (Step::Decided(Action::Refuse), Some(code)));
            let ended = transaction.end(&Outcome { status: 400, ..Outcome::default() });
            assert_eq!(
                (ended.record.action, ended.record.violation_count, &*ended.violations[0].code),
                (Action::Refuse, 1, code)
            );
        }
    }
    for asked in [
        Asked { authority: Some("API.example.com:80"), ..ORDINARY },
        Asked { authority: Some("api.example.com"), headers: &[], ..ORDINARY },
        Asked { method: "OPTIONS", target: "*", ..ORDINARY },
        Asked { method: "PURGE", ..ORDINARY },
    ] {
        assert_eq!(judged(&bundle, Mode::Enforce, &asked).0, Step::Decided(Action::Allow));
    }
}

#[test]
fn a_host_of_no_zone_is_refused() {
    let bundle = BundleText::default().with(
        &testing::zone(testing::ZONE_ID, &["api.example.com"]),
        &testing::operations_part(&[]),
        &json!({"rules": []}),
    );
    let bundle = Arc::new(bundle.load().unwrap());
    let asked = Asked { headers: &[("host", "other.example.com")], ..ORDINARY };
    let (step, transaction) = judged(&bundle, Mode::Off, &asked);
    assert_eq!((step, transaction.verdict().refusal()), (Step::Decided(Action::Refuse), Some("protocol.host.unknown")));
    assert!(transaction.zone().is_none());
    assert_eq!(judged(&bundle, Mode::Off, &ORDINARY).0, Step::Decided(Action::Allow));
}

/// Remembers one host.
struct Known(&'static str);

impl KnownHosts for Known {
    fn is_known(&self, zone: &str, host: &str) -> bool {
        zone == testing::ZONE_ID && host == self.0
    }
}

#[test]
fn a_host_becomes_known_by_a_successful_answer() {
    let bundle = shop(&json!([]));
    let effects = |status, hosts: &dyn KnownHosts| {
        let mut transaction = begin(&bundle, Mode::Enforce);
        ask(&mut transaction, &ORDINARY, hosts);
        transaction.response_head(&ResponseHead { status, headers: &HeaderMap::new(), body: BodyLength::None });
        transaction.verdict().effects.to_vec()
    };
    let remember = Effect::RememberHost { zone: testing::ZONE_ID.into(), host: "api.example.com".into() };
    assert_eq!(effects(200, &()), std::slice::from_ref(&remember));
    assert_eq!(effects(304, &Known("else.example.com")), [remember]);
    assert_eq!(effects(404, &()), []);
    assert_eq!(effects(500, &()), []);
    assert_eq!(effects(200, &Known("api.example.com")), []);
}

#[test]
fn every_violation_is_found_and_the_severest_rule_decides() {
    let rules = json!([
        testing::rule("log-path", "request_head", "hoplon.path.normalised", "log", "path.not_normal", "open"),
        fallthrough("block"),
        testing::rule("late", "response_head", "hoplon.path.normalised", "block", "path.not_normal", "open"),
    ]);
    let asked = Asked { target: "/a/./b", ..ORDINARY };
    let (step, transaction) = judged(&shop(&rules), Mode::Enforce, &asked);
    assert_eq!(step, Step::Decided(Action::Block));
    let verdict = transaction.verdict();
    let found: Vec<_> = verdict.violations.iter().map(|v| (&*v.code, v.action, v.evidence.as_str())).collect();
    assert_eq!(
        found,
        [
            ("path.not_normal", Action::Log, "dot_segments"),
            ("operations.fallthrough", Action::Block, "GET on a path of 2 segments")
        ]
    );
    assert_eq!(verdict.rule.as_deref(), Some("operations.fallthrough"));
}

#[test]
fn a_response_is_judged_when_its_head_is_there() {
    let rules = json!([testing::rule("late", "response_head", "hoplon.path.normalised", "block", "path.not_normal", "open")]);
    let (step, mut transaction) = judged(&shop(&rules), Mode::Enforce, &Asked { target: "/a/./b", ..ORDINARY });
    assert_eq!(step, Step::Decided(Action::Allow));
    let head = ResponseHead { status: 200, headers: &HeaderMap::new(), body: BodyLength::Unknown };
    assert_eq!(transaction.response_head(&head), Step::Decided(Action::Block));
    assert_eq!(transaction.response_body(b"x", true), Step::Decided(Action::Block));
}

/// A zone with this inspection limit and rule on the body's length.
fn small(limit_bytes: usize, fact: &str, violation: &str, fail: &str) -> Arc<Bundle> {
    let mut zone = testing::zone(testing::ZONE_ID, &[]);
    zone["inspection_limit_bytes"] = json!(limit_bytes);
    let rule = testing::rule("body", "request_body", fact, "block", violation, fail);
    let text = BundleText::default().with(&zone, &testing::operations_part(&[]), &json!({"rules": [rule]}));
    Arc::new(text.load().unwrap())
}

#[test]
fn a_body_that_is_only_counted_passes_in_pieces_until_it_is_too_long() {
    let bundle = small(4, "hoplon.request.body.truncated", "http.body_over_limit", "open");
    let post = Asked { method: "POST", body: BodyLength::Unknown, ..ORDINARY };
    let (step, mut transaction) = judged(&bundle, Mode::Enforce, &post);
    assert_eq!(step, Step::NeedBody(BodyNeed::Pieces));
    assert_eq!(transaction.request_body(b"abcd", false), Step::NeedBody(BodyNeed::Pieces));
    assert_eq!(transaction.request_body(b"e", false), Step::Decided(Action::Block));
    assert_eq!(transaction.inspected().body.inspection(), Inspection::OverLimit);

    let (_, mut transaction) = judged(&bundle, Mode::Enforce, &post);
    assert_eq!(transaction.request_body(b"abcd", true), Step::Decided(Action::Allow));
    assert_eq!(transaction.inspected().body.inspection(), Inspection::Pieces);

    let announced = Asked { body: BodyLength::Known(5), ..post };
    assert_eq!(judged(&bundle, Mode::Enforce, &announced).0, Step::Decided(Action::Block));
    assert_eq!(judged(&bundle, Mode::Enforce, &ORDINARY).0, Step::Decided(Action::Allow));
    assert_eq!(judged(&bundle, Mode::Off, &post).0, Step::Decided(Action::Allow));
}

/// Posts a body whole under a rule on a JSON fact.
fn post_json(fact: &str, code: &str, fail: &str, headers: &[(&str, &str)], body: &[u8]) -> (Step, Transaction) {
    let bundle = small(64, fact, code, fail);
    let headers: Vec<_> = headers.iter().copied().chain([("host", "api.example.com")]).collect();
    let asked = Asked { method: "POST", body: BodyLength::Unknown, headers: &headers, ..ORDINARY };
    let (step, mut transaction) = judged(&bundle, Mode::Enforce, &asked);
    let step = match step {
        Step::NeedBody(need) => {
            assert_eq!(need, BodyNeed::Whole { limit_bytes: 64 });
            transaction.request_body(body, true)
        }
        step => step,
    };
    (step, transaction)
}

const INVALID: (&str, &str) = ("hoplon.request.json.invalid", "json.invalid");
const DUPLICATE: (&str, &str) = ("hoplon.request.json.duplicate_key", "json.duplicate_key");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
#[rustfmt::skip]
fn a_json_body_is_read_in_one_way_or_found() {
    let cases = [
        (INVALID, &[JSON][..], "{}", None),
        (INVALID, &[JSON], r#"{"password": hunter2}"#, Some("unexpected_byte at byte 13")),
        (INVALID, &[JSON], "[1,2", Some("unexpected_end at byte 4")),
        (INVALID, &[JSON], "", None),
        (INVALID, &[("content-type", "application/problem+json; charset=utf-8")], "{", Some("unexpected_end at byte 1")),
        (INVALID, &[("content-type", "text/plain")], "{", None),
        (INVALID, &[("content-type", "text/plain"), JSON], "{", Some("unexpected_end at byte 1")),
        (DUPLICATE, &[JSON], r#"{"a":1,"b":{"a":2}}"#, None),
        (DUPLICATE, &[JSON], r#"{"a":1,"\u0061":2}"#, Some("repeated names: 1, the first at byte 8")),
        (DUPLICATE, &[JSON], r#"{"a":1,"a":2"#, None),
    ];
    for ((fact, code), headers, body, evidence) in cases {
        let (step, transaction) = post_json(fact, code, "closed", headers, body.as_bytes());
        assert_eq!(step, Step::Decided(if evidence.is_some() { Action::Block } else { Action::Allow }), "{body}");
        let found: Vec<_> = transaction.verdict().violations.iter().map(|v| (&*v.code, v.evidence.as_str())).collect();
        assert_eq!(found, evidence.map(|evidence| (code, evidence)).into_iter().collect::<Vec<_>>(), "{body}");
        assert!(!format!("{:?}", transaction.verdict()).contains("hunter2"));
    }
}

#[test]
fn a_body_that_cannot_be_judged_means_the_rules_fail_mode_and_is_counted() {
    let deep = "[".repeat(200);
    let cases = [
        (&[JSON][..], "[0]".repeat(30), FactError::OverLimit),
        (&[JSON, ("content-encoding", "gzip")], "\u{1f}".to_owned(), FactError::Encoded),
    ];
    for (headers, body, error) in cases {
        for (fail, mode, action) in [("open", FailMode::Open, Action::Allow), ("closed", FailMode::Closed, Action::Block)] {
            let (step, transaction) = post_json(INVALID.0, INVALID.1, fail, headers, body.as_bytes());
            assert_eq!(step, Step::Decided(action));
            let failures: Vec<_> = transaction.verdict().failures.iter().map(|f| (&*f.rule, f.error, f.mode)).collect();
            assert_eq!(failures, [("body", error, mode)]);
            let ended = transaction.end(&Outcome::default());
            assert_eq!(ended.record.failures, format!("body:{}:{}", error.as_str(), mode.as_str()));
        }
    }
    let bundle = small(1024, INVALID.0, INVALID.1, "open");
    let asked = Asked { method: "POST", body: BodyLength::Known(200), headers: &[JSON, ("host", "a")], ..ORDINARY };
    let (_, mut transaction) = judged(&bundle, Mode::Enforce, &asked);
    assert_eq!(transaction.request_body(deep.as_bytes(), true), Step::Decided(Action::Allow));
    assert_eq!(transaction.verdict().failures[0].error, FactError::TooComplex);
}

#[test]
fn what_is_written_down_is_what_happened() {
    let bundle = shop(&json!([fallthrough("log")]));
    let asked = Asked {
        method: "POST",
        target: "/orders//?token=secret",
        headers: &[
            ("host", "api.example.com"),
            ("authorization", "Bearer secret"),
            ("content-type", "Application/JSON; charset=utf-8"),
        ],
        body: BodyLength::Known(3),
        ..ORDINARY
    };
    let (_, mut transaction) = judged(&bundle, Mode::Enforce, &asked);
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
    transaction.response_head(&ResponseHead { status: 201, headers: &headers, body: BodyLength::Unknown });
    let outcome = Outcome {
        end: Timestamp::from_micros(1_000_250),
        status: 201,
        upstream_status: Some(201),
        request_body_bytes: 3,
        response_body_bytes: 17,
        ..Outcome::default()
    };
    let ended = transaction.end(&outcome);
    let record = &ended.record;
    assert_eq!(
        (record.method.as_ref(), record.host.as_ref(), record.status, record.duration_us),
        ("POST", "api.example.com", 201, 250)
    );
    assert_eq!(
        (record.path_anomalies.as_str(), record.action, record.rule.as_deref()),
        ("empty_segment", Action::Log, Some("operations.fallthrough"))
    );
    assert_eq!(record.request_content_type.as_deref(), Some("application/json"));
    assert_eq!(record.response_content_type.as_deref(), Some("text/html"));
    assert_eq!((record.session_source.as_str(), record.session_verified), ("authorization", false));
    assert_eq!(&*record.bundle, bundle.short_hash());
    assert!(!format!("{ended:?}").contains("secret"));
}

#[test]
fn sessions_differ_by_token_and_else_by_address() {
    let bundle = shop(&json!([]));
    let session = |headers: &[(&str, &str)]| {
        let asked = Asked { headers, ..ORDINARY };
        judged(&bundle, Mode::Enforce, &asked).1.end(&Outcome::default()).record.session.unwrap()
    };
    let (one, other) = ([("host", "a"), ("authorization", "Bearer 1")], [("host", "a"), ("authorization", "Bearer 2")]);
    assert_eq!(session(&one), session(&one));
    assert_ne!(session(&one), session(&other));
    assert_ne!(session(&one), session(&[("host", "a")]));
}

#[test]
fn a_session_is_what_the_zones_identifiers_say_where_one_is_present() {
    let bundle =
        Arc::new(BundleText::of(&[], &json!([])).identified_by(&[["cookie", "sid"], ["header", "x-user"]]).load().unwrap());
    let session = |headers: &[(&str, &str)]| {
        let headers: Vec<_> = [("host", "a"), ("authorization", "Bearer 1")].iter().chain(headers).copied().collect();
        let (_, transaction) = judged(&bundle, Mode::Enforce, &Asked { headers: &headers, ..ORDINARY });
        let is_present = transaction.inspected().has_identifier;
        let record = transaction.end(&Outcome::default()).record;
        assert!(!record.session_verified);
        (record.session.unwrap(), record.session_source.as_str(), is_present)
    };
    let [cookie, user, both, neither] = [
        session(&[("cookie", "sid=1")]),
        session(&[("x-user", "1")]),
        session(&[("x-user", "2"), ("cookie", "theme=dark; sid=1")]),
        session(&[]),
    ];
    assert_eq!(cookie, both);
    assert_ne!(cookie.0, user.0, "the same value of two identifiers is two sessions");
    assert_eq!([(cookie.1, cookie.2), (user.1, user.2)], [("identifier", true); 2]);
    assert_eq!((neither.1, neither.2), ("authorization", false));
}

#[test]
fn a_transaction_keeps_the_bundle_it_began_with() {
    let bundle = shop(&json!([fallthrough("block")]));
    let hash = bundle.hash;
    let mut transaction = begin(&bundle, Mode::Enforce);
    drop(bundle);
    assert_eq!(ask(&mut transaction, &Asked { target: "/x", ..ORDINARY }, &()), Step::Decided(Action::Block));
    assert_eq!(transaction.verdict().bundle, hash);
    let failures: Vec<(FactError, FailMode)> = transaction.verdict().failures.iter().map(|f| (f.error, f.mode)).collect();
    assert_eq!(failures, []);
}

/// The examples of docs/reference/matching.md, "Operation".
#[test]
fn the_documented_examples_of_matching_hold() {
    let page = include_str!("../../../docs/reference/matching.md");
    let table = page.split("| saved | request | called |").nth(1).unwrap();
    let rows: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 13);
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let saved: Vec<[&str; 3]> = quoted(cells[0]).iter().map(|text| operation(text)).collect();
        let request = quoted(cells[1])[0];
        let (method, target) = request.split_once(' ').unwrap();
        let (host, path) = target.split_at(target.find('/').unwrap());
        let bundle = BundleText::of(&saved, &json!([])).load().unwrap();
        let found = bundle.zones()[0].operations().find(method, host, path).map(|(index, _)| saved[index]);
        match quoted(cells[2]).first() {
            Some(called) => {
                assert!(found.is_some_and(|found| called.split(' ').all(|word| found.contains(&word))), "{row}: {found:?}")
            }
            None => assert_eq!(found, None, "{row}"),
        }
    }
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// `GET /path` or `GET host /path`.
fn operation(text: &str) -> [&str; 3] {
    match text.split(' ').collect::<Vec<_>>()[..] {
        [method, path] => [method, "*", path],
        [method, host, path] => [method, host, path],
        _ => panic!("{text}"),
    }
}

fn browsers(action: &str) -> Value {
    json!([
        testing::rule("head", "request_head", "hoplon.method_override", action, "http.method_override", "open"),
        testing::rule("form", "request_body", "hoplon.method_override.form", action, "http.method_override.form", "open"),
    ])
}

#[test]
fn another_method_asked_for_beside_the_method_line_is_found_and_recorded() {
    let bundle = shop(&browsers("block"));
    let header = [("host", "a"), ("x-http-method-override", "DELETE")];
    let found = [
        Asked { method: "POST", headers: &header, ..ORDINARY },
        Asked { method: "POST", target: "/orders?a=1&_method=DELETE", ..ORDINARY },
    ];
    for asked in &found {
        let (step, transaction) = judged(&bundle, Mode::Enforce, asked);
        assert_eq!(step, Step::Decided(Action::Block));
        let ended = transaction.end(&Outcome::default());
        assert_eq!((&*ended.violations[0].code, &*ended.violations[0].evidence), ("http.method_override", "asked of a POST"));
        assert_eq!((ended.record.method_override, ended.record.form_override), (true, None));
    }
    let (step, transaction) = judged(&bundle, Mode::Enforce, &Asked { method: "POST", ..ORDINARY });
    assert_eq!(step, Step::Decided(Action::Allow));
    assert!(!transaction.end(&Outcome::default()).record.method_override);
}

#[test]
fn a_form_that_asks_for_another_method_is_held_back_and_found() {
    let bundle = shop(&browsers("block"));
    let headers = [("host", "a"), ("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let asked = Asked { method: "POST", headers: &headers, body: BodyLength::Unknown, ..ORDINARY };
    for (body, action) in [("a=1&_method=PUT", Action::Block), ("a=_method", Action::Allow)] {
        let (step, mut transaction) = judged(&bundle, Mode::Enforce, &asked);
        assert!(matches!(step, Step::NeedBody(BodyNeed::Whole { .. })));
        assert_eq!(transaction.request_body(body.as_bytes(), true), Step::Decided(action));
        let ended = transaction.end(&Outcome::default());
        assert_eq!(ended.record.form_override, Some(action == Action::Block));
        assert!(!format!("{:?}", ended.violations).contains("PUT"), "evidence holds no value");
    }
    let json = Asked { headers: &[("host", "a"), ("content-type", "application/json")], ..asked };
    assert_eq!(judged(&bundle, Mode::Enforce, &json).0, Step::Decided(Action::Allow), "no form: the body is not held back");
}

#[test]
fn a_preflight_is_a_fact_and_in_the_record() {
    let rule = testing::rule("preflight", "request_head", "hoplon.cors.preflight", "log", "operations.fallthrough", "open");
    let bundle = shop(&json!([rule]));
    let headers = [("host", "a"), ("origin", "https://app.example"), ("access-control-request-method", "PUT")];
    for (method, action) in [("OPTIONS", Action::Log), ("GET", Action::Allow)] {
        let (step, transaction) = judged(&bundle, Mode::Enforce, &Asked { method, headers: &headers, ..ORDINARY });
        assert_eq!(step, Step::Decided(action));
        assert_eq!(transaction.end(&Outcome::default()).record.preflight, method == "OPTIONS");
    }
    let preflight =
        |asked: Asked<'_>| judged(&bundle, Mode::Enforce, &Asked { method: "OPTIONS", ..asked }).0 == Step::Decided(Action::Log);
    assert!(preflight(Asked { headers: &headers, ..ORDINARY }));
    assert!(!preflight(Asked { headers: &headers, body: BodyLength::Known(1), ..ORDINARY }), "no browser sends a body");
    assert!(!preflight(Asked { headers: &headers, target: "/users/42?_method=DELETE", ..ORDINARY }));
    for name in ["x-http-method-override", "x_http_method_override", "x-http-method", "x-method_override"] {
        let asking = [&headers[..], &[(name, "DELETE")]].concat();
        assert!(
            !preflight(Asked { headers: &asking, ..ORDINARY }),
            "{name}: what asks for another method is exempt from nothing"
        );
    }
}

#[test]
fn the_record_says_whether_the_body_was_read_to_its_end_and_whose_sessions_they_are() {
    let bundle = Arc::new(BundleText::of(&[], &json!([])).identified_by(&[["header", "x-user"]]).load().unwrap());
    let record = |bundle, body, request_complete| {
        let (_, transaction) = judged(bundle, Mode::Enforce, &Asked { body, ..ORDINARY });
        transaction.end(&Outcome { request_complete, ..Outcome::default() }).record
    };
    assert!(record(&bundle, BodyLength::None, false).request_complete);
    assert!(!record(&bundle, BodyLength::Known(3), false).request_complete);
    assert!(record(&bundle, BodyLength::Known(3), true).request_complete);
    assert_eq!(record(&bundle, BodyLength::None, true).session_policy.unwrap().len(), 16);
    assert_eq!(record(&shop(&json!([])), BodyLength::None, true).session_policy.as_deref(), Some(""));
}
