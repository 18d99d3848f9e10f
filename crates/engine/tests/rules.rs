//! Rules through whole transactions: the order of stages, skips, own responses, rules of one operation, headers in late phases.

use std::sync::Arc;

use engine::hash::SessionSource;
use engine::testing::{BundleText, ZONE_ID, program_rule};
use engine::{
    Action, BodyLength, HttpVersion, Keys, Mode, RequestHead, RequestId, ResponseHead, Scheme, Step, Surroundings, Timestamp,
    Transaction, Verdict,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

const OPERATIONS: [[&str; 3]; 2] = [["GET", "*", "/users/{id}"], ["GET", "*", "/orders"]];

/// A request that is judged to its end, with a body of one byte, and the response 201 with `x-kind: note`.
fn judged(rules: &Value, mode: Mode, target: &str, fields: &[(&'static str, &'static str)]) -> Verdict {
    judged_with(rules, mode, target, fields, b"x")
}

fn judged_with(rules: &Value, mode: Mode, target: &str, fields: &[(&'static str, &'static str)], body: &[u8]) -> Verdict {
    let lists = json!([{"name": "offices", "kind": "ip", "items": ["192.0.2.0/24"]}]);
    let bundle = BundleText::of(&OPERATIONS, rules).listing(&lists).load().unwrap_or_else(|errors| panic!("{errors}"));
    let now = Timestamp::from_micros(1);
    let mut transaction = Transaction::begin(Arc::new(bundle), &Keys::derive(&[0; 32]), RequestId::new(now, 0), now, mode);
    let headers = headers(fields);
    let head = RequestHead {
        method: "GET",
        scheme: Scheme::Http,
        version: HttpVersion::Http2,
        authority: Some("api.example.com"),
        target,
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        body: if body.is_empty() { BodyLength::None } else { BodyLength::Known(body.len() as u64) },
    };
    let mut step = transaction.request_head(&head, &Surroundings::default());
    drop(headers);
    while let Step::NeedBody(_) = step {
        step = transaction.request_body(body, true);
    }
    if transaction.verdict().action.passes() {
        let headers = self::headers(&[("x-kind", "note")]);
        transaction.response_head(&ResponseHead { status: 201, headers: &headers, body: BodyLength::None });
    }
    transaction.verdict().clone()
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

/// The ids of the rules that found something, in order.
fn found(verdict: &Verdict) -> Vec<&str> {
    verdict.violations.iter().filter_map(|violation| violation.rule.as_deref()).collect()
}

fn always(id: &str, stage: &str, action: &str) -> Value {
    program_rule(id, stage, &json!([["bool", true]]), action)
}

fn skipping(id: &str, skip: &Value) -> Value {
    let mut rule = always(id, "custom", "skip");
    rule["skip"] = skip.clone();
    rule.as_object_mut().unwrap().remove("violation");
    rule
}

#[test]
fn all_rules_of_a_stage_run_and_a_block_that_acts_ends_it() {
    let rules = json!([
        always("feature", "features", "log"),
        always("first", "custom", "log"),
        always("second", "custom", "block"),
        always("third", "custom", "block"),
    ]);
    let verdict = judged(&rules, Mode::Enforce, "/orders", &[]);
    assert_eq!(found(&verdict), ["first", "second", "third"], "what stands behind the block is not asked");
    assert_eq!((verdict.action, verdict.rule.as_deref()), (Action::Block, Some("second")));

    let verdict = judged(&rules, Mode::Log, "/orders", &[]);
    assert_eq!(found(&verdict), ["first", "second", "third", "feature"], "a block that does not act stops nothing");
    assert_eq!((verdict.action, verdict.rule.as_deref()), (Action::Log, Some("first")));
}

#[test]
fn the_rule_that_decides_brings_its_response() {
    let with = |id: &str, action: &str, status: u16| {
        let mut rule = always(id, "custom", action);
        rule["response"] = json!({"status": status, "content_type": "text/plain", "content": "no"});
        rule
    };
    let verdict = judged(&json!([with("a", "block", 418), with("b", "block", 451)]), Mode::Enforce, "/", &[]);
    let response = verdict.response.unwrap();
    assert_eq!((response.status, &*response.content_type, &*response.content), (418, "text/plain", "no"));

    let plain_first = json!([always("a", "custom", "block"), with("b", "block", 451)]);
    assert_eq!(judged(&plain_first, Mode::Enforce, "/", &[]).response, None, "not that of another rule");
    assert_eq!(judged(&json!([with("a", "block", 418)]), Mode::Log, "/", &[]).response, None, "nothing is answered");
}

#[test]
fn a_skip_acts_on_what_stands_behind_it_in_every_phase() {
    let on_response = |id: &str| {
        let mut rule = program_rule(id, "custom", &json!([["fact", "http.response.code"], ["int", 201], ["eq", 0, 1]]), "log");
        rule["violation"] = json!("rules.custom");
        rule
    };
    let judged = |skip: &Value| {
        let rules = json!([
            always("before", "custom", "log"),
            skipping("skip", skip),
            always("behind", "custom", "log"),
            on_response("late"),
            always("feature", "features", "log"),
        ]);
        judged(&rules, Mode::Enforce, "/", &[])
    };
    for (skip, expected) in [
        (json!({}), vec!["before", "behind", "feature", "late"]),
        (json!({"rest": true}), vec!["before", "feature"]),
        (json!({"stages": ["features"]}), vec!["before", "behind", "late"]),
        (json!({"rules": ["late", "before", "feature"]}), vec!["before", "behind"]),
        (json!({"rest": true, "stages": ["limits", "features"], "log": true}), vec!["before", "skip"]),
    ] {
        let verdict = judged(&skip);
        assert_eq!(found(&verdict), expected, "{skip}");
    }
    let logged = judged(&json!({"log": true}));
    assert_eq!((&*logged.violations[1].code, logged.action), ("rules.skipped", Action::Log));
}

#[test]
fn a_rule_about_an_operation_is_asked_there_only() {
    let about = |id: &str, operations: &[&str]| {
        let mut rule = always(id, "features", "log");
        rule["operations"] = json!(operations);
        rule
    };
    let rules = json!([
        about("users", &["operation-0"]),
        always("all", "features", "log"),
        about("both", &["operation-1", "operation-0"]),
        about("none", &[]),
    ]);
    for (target, expected) in
        [("/users/7", vec!["users", "all", "both"]), ("/orders", vec!["all", "both"]), ("/other", vec!["all"])]
    {
        assert_eq!(found(&judged(&rules, Mode::Enforce, target, &[])), expected, "{target}");
    }
}

#[test]
fn headers_are_there_in_every_phase_that_asks_for_them() {
    let header = json!([
        ["fact", "http.request.headers"],
        ["key", 0, "x-tenant"],
        ["each", 1],
        ["str", "acme"],
        ["eq", 2, 3],
        ["call", "any", 4]
    ]);
    let with = |more: &Value| {
        let mut nodes = header.as_array().unwrap().clone();
        nodes.extend(more.as_array().unwrap().iter().cloned());
        json!(nodes)
    };
    let rules = json!([
        program_rule("head", "custom", &header, "log"),
        program_rule(
            "body",
            "custom",
            &with(&json!([["fact", "http.request.body.size"], ["int", 1], ["eq", 6, 7], ["and", 5, 8]])),
            "log"
        ),
        program_rule(
            "response",
            "custom",
            &with(&json!([
                ["fact", "http.response.headers"],
                ["key", 6, "x-kind"],
                ["index", 7, 0],
                ["str", "note"],
                ["eq", 8, 9],
                ["and", 5, 10]
            ])),
            "log"
        ),
    ]);
    assert_eq!(found(&judged(&rules, Mode::Enforce, "/", &[("x-tenant", "acme")])), ["head", "body", "response"]);
    let without_body = judged_with(&rules, Mode::Enforce, "/", &[("x-tenant", "acme")], b"");
    assert_eq!(found(&without_body), ["head", "response"], "nothing was waited for in between");
    assert_eq!(found(&judged(&rules, Mode::Enforce, "/", &[("x-tenant", "other")])), [""; 0]);
    assert_eq!(found(&judged(&rules, Mode::Enforce, "/", &[])), [""; 0]);
}

#[test]
fn named_lists_are_looked_into() {
    let rule = program_rule("offices", "custom", &json!([["fact", "ip.src"], ["in_list", 0, "offices"]]), "block");
    assert_eq!(judged(&json!([rule]), Mode::Enforce, "/", &[]).action, Action::Block);
}

#[test]
fn the_session_is_the_one_of_the_record() {
    let hash = Keys::derive(&[0; 32]).session(ZONE_ID, SessionSource::Authorization, b"Bearer x").to_string();
    let rule = program_rule("whose", "custom", &json!([["fact", "hoplon.session"], ["str", hash], ["eq", 0, 1]]), "log");
    assert_eq!(found(&judged(&json!([rule]), Mode::Enforce, "/", &[("authorization", "Bearer x")])), ["whose"]);
    assert_eq!(found(&judged(&json!([rule]), Mode::Enforce, "/", &[("authorization", "Bearer y")])), [""; 0]);
}

#[test]
fn every_mistake_in_a_rule_is_told_with_its_place() {
    let mut rules = vec![always("a", "custom", "block"); 9];
    for (rule, (member, value)) in rules.iter_mut().zip([
        ("stage", json!("limits")),
        ("when", json!({"nodes": [["fact", "ssl"], ["nott", 0]]})),
        ("when", json!({"nodes": [["int", 1]]})),
        ("fact", json!("ssl")),
        ("operations", json!(["operation-9"])),
        ("response", json!({"status": 200, "content_type": "text/plain", "content": ""})),
        ("response", json!({"status": 403, "content_type": "text/plain\r\n", "content": ""})),
        ("skip", json!({"rest": true})),
        ("action", json!("skip")),
    ]) {
        rule[member] = value;
    }
    for (index, rule) in rules.iter_mut().enumerate() {
        rule["id"] = json!(index.to_string());
    }
    let errors = BundleText::of(&OPERATIONS, &json!(rules)).load().unwrap_err();
    let errors: Vec<_> = errors.0.iter().map(|e| format!("{} {}", e.path.rsplit("].rules").next().unwrap(), e.message)).collect();
    assert_eq!(
        errors,
        [
            "[0].stage is an unknown stage",
            "[1].when.nodes[1] is an unknown operation: did you mean `not`?",
            "[2].when.nodes[0] is of type Integer: a condition is a Boolean",
            "[3].fact stands beside `when`: a rule asks one of them",
            "[4].operations names `operation-9`, which is no operation of the zone",
            "[5].response.status is 200, not 400 to 499",
            "[6].response.content_type is not a media type",
            "[7].skip is for the action skip only",
            "[8].skip is missing: it says what is skipped",
        ]
    );
}
