//! Limits as a stage of a transaction: which requests they are about, what is counted when, and what the Verdict says of it.

use engine::limits::{Counters, StateAnswer};
use engine::testing::{BundleText, limit, rule};
use engine::verdict::QuotaUnit;
use engine::{
    Action, BodyLength, Bundle, FactError, FailMode, HttpVersion, Keys, Mode, RequestHead, RequestId, ResponseHead, Scheme, Step,
    Surroundings, Timestamp, Transaction, Verdict,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::sync::Arc;

/// An engine with its counters: what a driver is, without a network.
struct Engine {
    bundle: Arc<Bundle>,
    counters: Counters,
    mode: Mode,
}

#[derive(Clone)]
struct Call<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'static str, &'static str)],
    client: [u8; 4],
    body: &'a [u8],
    /// Status and headers of the upstream's response; none: it does not go there.
    response: Option<(u16, &'a [(&'static str, &'static str)])>,
}

const GET: Call<'_> =
    Call { method: "GET", target: "/", headers: &[], client: [192, 0, 2, 1], body: b"", response: Some((200, &[])) };

fn header_map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_763_700_000 + seconds) * 1_000_000)
}

impl Engine {
    fn new(limits: &[Value]) -> Self {
        Self::of(&BundleText::of(&[["GET", "a", "/orders/{id}"]], &json!([])).limited_by(limits))
    }

    fn of(bundle: &BundleText) -> Self {
        Self { bundle: bundle.load().unwrap().into(), counters: Counters::new(0), mode: Mode::Enforce }
    }

    /// Until the request would go upstream, or is answered.
    fn begin(&self, call: &Call<'_>, now: Timestamp) -> Transaction {
        let keys = Keys::derive(&[7; 32]);
        let mut transaction = Transaction::begin(self.bundle.clone(), &keys, RequestId::new(now, 0), now, self.mode);
        let headers = header_map(call.headers);
        let head = RequestHead {
            method: call.method,
            scheme: Scheme::Http,
            version: HttpVersion::Http11,
            authority: Some("a"),
            target: call.target,
            headers: &headers,
            client: call.client.into(),
            body: if call.body.is_empty() { BodyLength::None } else { BodyLength::Known(call.body.len() as u64) },
        };
        let step = transaction.request_head(&head, &Surroundings::default());
        let mut step = self.counters.answer(step, &mut transaction, Some(&headers), now);
        if let Step::NeedBody(_) = step {
            step = transaction.request_body(call.body, true);
            step = self.counters.answer(step, &mut transaction, None, now);
        }
        assert!(matches!(step, Step::Decided(_)), "{step:?}");
        transaction
    }

    fn end(&self, mut transaction: Transaction, call: &Call<'_>, now: Timestamp) -> Verdict {
        let passes = transaction.verdict().action.passes();
        if let Some((status, headers)) = call.response.filter(|_| passes) {
            let headers = header_map(headers);
            transaction.response_head(&ResponseHead { status, headers: &headers, body: BodyLength::None });
            self.counters.count_response(&mut transaction, now);
        }
        self.counters.end(&mut transaction, passes && call.response.is_some());
        transaction.verdict().clone()
    }

    fn call(&self, call: &Call<'_>, seconds: i64) -> Verdict {
        self.end(self.begin(call, at(seconds)), call, at(seconds))
    }

    fn passes(&self, call: &Call<'_>, seconds: i64) -> bool {
        self.call(call, seconds).action.passes()
    }
}

/// The limit with other members.
fn with(mut limit: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        limit[name] = value.clone();
    }
    limit
}

fn is(fact: &str, value: Value) -> Value {
    json!({"nodes": [["fact", fact], value, ["eq", 0, 1]]})
}

fn header(name: &str) -> Value {
    json!({"nodes": [["fact", "http.request.headers"], ["key", 0, name]]})
}

#[test]
fn the_second_request_of_one_exceeds_and_says_so() {
    let engine = Engine::new(&[limit("one", 1)]);
    let first = engine.call(&GET, 0);
    let quota = first.quota.unwrap();
    assert_eq!(
        (first.action, &*quota.limit, quota.unit, quota.most, quota.remaining),
        (Action::Allow, "one", QuotaUnit::Requests, 1, 0)
    );
    let second = engine.call(&GET, 0);
    assert_eq!((second.action, second.rule.as_deref(), second.is_limited), (Action::Block, Some("one"), true));
    assert_eq!(
        (&*second.violations[0].code, &*second.violations[0].evidence),
        ("limits.exceeded", "more than 1 requests in 10 s")
    );
    assert_eq!(second.quota.unwrap().retry_after_seconds, 11, "the next window, and a bit of this one slid out");
    assert!(engine.passes(&Call { client: [192, 0, 2, 2], ..GET }, 0), "another client");
    assert!(engine.passes(&GET, 20));
}

#[test]
fn a_limit_of_zero_lets_nothing_pass() {
    assert!(!Engine::new(&[limit("none", 0)]).passes(&GET, 0));
}

#[test]
fn only_the_excess_is_stopped_unless_there_is_a_mitigation() {
    let count = |engine: &Engine, seconds: &[i64]| seconds.iter().map(|second| engine.passes(&GET, *second)).collect::<Vec<_>>();
    let throttled = Engine::new(&[limit("two", 2)]);
    assert_eq!(count(&throttled, &[0, 0, 0, 15, 15, 16]), [true, true, false, true, false, true]);
    let punished = Engine::new(&[with(limit("two", 2), &json!({"mitigation_seconds": 60}))]);
    assert_eq!(count(&punished, &[0, 0, 0, 15, 59, 60]), [true, true, false, false, false, true]);
    assert_eq!(punished.call(&GET, 60).action, Action::Allow);
}

#[test]
fn missing_and_empty_keys_are_counted_apart() {
    let engine = Engine::new(&[with(limit("key", 1), &json!({"key": [header("x-api-key")]}))]);
    let calls: [&[(&str, &str)]; 4] = [&[], &[("x-api-key", "")], &[("x-api-key", "a")], &[("x-api-key", "b")]];
    for headers in calls {
        assert!(engine.passes(&Call { headers, ..GET }, 0), "{headers:?}");
        assert!(!engine.passes(&Call { headers, ..GET }, 0), "{headers:?}");
    }
}

#[test]
fn a_limit_is_about_its_requests_and_its_operations_only() {
    let posts = with(limit("posts", 1), &json!({"when": is("http.request.method", json!(["str", "POST"]))}));
    let orders = with(limit("orders", 1), &json!({"operations": ["operation-0"]}));
    let engine = Engine::new(&[posts, orders]);
    let post = Call { method: "POST", ..GET };
    let order = Call { target: "/orders/7", ..GET };
    assert_eq!([&post, &post, &GET, &GET].map(|call| engine.passes(call, 0)), [true, false, true, true]);
    assert_eq!([&order, &order].map(|call| engine.passes(call, 0)), [true, false]);
}

#[test]
fn failed_logins_are_counted_by_their_responses() {
    // Cloudflare, "Request rate calculation", example B: the third failure passes the check, the fourth request does not.
    let counted = json!({"count_when": is("http.response.code", json!(["int", 401])), "mitigation_seconds": 600});
    let engine = Engine::new(&[with(limit("logins", 1), &counted)]);
    let answered = |status| Call { response: Some((status, &[])), ..GET };
    let statuses = [401, 200, 401, 200];
    assert_eq!(statuses.map(|status| engine.passes(&answered(status), 0)), [true, true, true, false]);
    assert!(engine.call(&GET, 1).quota.unwrap().retry_after_seconds > 590);
}

#[test]
fn what_is_counted_may_be_other_than_what_is_checked() {
    let counted = json!({
        "when": is("http.request.method", json!(["str", "POST"])), "count_when": is("http.request.method", json!(["str", "GET"])),
    });
    let engine = Engine::new(&[with(limit("other", 1), &counted)]);
    let post = Call { method: "POST", ..GET };
    assert_eq!([&post, &GET, &GET, &post, &GET].map(|call| engine.passes(call, 0)), [true, true, true, false, true]);
}

#[test]
fn scores_come_from_the_response_and_odd_ones_count_nothing() {
    let scored = json!({"requests": null, "score": 400, "score_header": "x-score"});
    let engine = Engine::new(&[with(limit("score", 0), &scored)]);
    let odd = ["0", "1000001", "-5", "+5", "1e3", "ten", "", "99999999999"];
    for score in odd {
        let response: &[(&str, &str)] = &[("x-score", score)];
        assert!(engine.passes(&Call { response: Some((200, response)), ..GET }, 0), "{score}");
    }
    let passes = ["200", " 199 ", "1", "1000000", "1"].map(|score| {
        let response: &[(&str, &str)] = &[("x-score", score)];
        engine.passes(&Call { response: Some((200, response)), ..GET }, 0)
    });
    assert_eq!(passes, [true, true, true, true, false], "400 is not more than 400");
    assert!(engine.call(&GET, 0).quota.is_some_and(|quota| quota.unit == QuotaUnit::Score));
}

#[test]
fn what_does_not_go_upstream_is_not_counted_towards_the_origin() {
    let engine = Engine::new(&[with(limit("origin", 1), &json!({"to_origin": true}))]);
    let unsent = Call { response: None, ..GET };
    assert_eq!([&unsent, &unsent, &GET, &GET].map(|call| engine.passes(call, 0)), [true, true, true, false]);
}

#[test]
fn requests_in_flight_are_bounded_and_given_back_when_they_end() {
    let members = json!({"requests": null, "in_flight": 2, "period_seconds": 0, "violation": "limits.in_flight"});
    let engine = Engine::new(&[with(limit("two", 0), &members)]);
    let running: Vec<_> = (0..2).map(|_| engine.begin(&GET, at(0))).collect();
    assert_eq!(running[1].verdict().quota.as_ref().map(|quota| (quota.unit, quota.remaining)), Some((QuotaUnit::InFlight, 0)));
    let third = engine.call(&GET, 0);
    assert_eq!((third.action, &*third.violations[0].code), (Action::Block, "limits.in_flight"));
    for transaction in running {
        engine.end(transaction, &GET, at(1));
    }
    assert!((0..10).all(|_| engine.passes(&GET, 1)));
}

#[test]
fn a_limit_that_stops_a_request_keeps_the_others_from_counting_it() {
    let engine = Engine::new(&[limit("tight", 1), with(limit("wide", 2), &json!({"period_seconds": 60}))]);
    assert!(engine.passes(&GET, 0));
    assert!((0..5).all(|_| !engine.passes(&GET, 0)));
    assert!(engine.passes(&GET, 20), "the wide one counted the first only");
    assert_eq!(engine.call(&GET, 40).rule.as_deref(), Some("wide"));
}

#[test]
fn what_only_logs_lets_everything_pass_and_is_shown_to_nobody() {
    for (mode, action) in [(Mode::Enforce, "log"), (Mode::Log, "block")] {
        let engine = Engine { mode, ..Engine::new(&[with(limit("logged", 1), &json!({"action": action}))]) };
        let verdicts = [0, 0, 0].map(|second| engine.call(&GET, second));
        assert_eq!(verdicts.each_ref().map(|verdict| verdict.action), [Action::Allow, Action::Log, Action::Log]);
        assert!(verdicts.iter().all(|verdict| verdict.quota.is_none() && !verdict.is_limited));
    }
    let off = Engine { mode: Mode::Off, ..Engine::new(&[limit("off", 0)]) };
    assert_eq!(off.call(&GET, 0).action, Action::Allow);
    assert_eq!(off.counters.usage().tally.checks, 0);
}

#[test]
fn what_a_custom_rule_blocked_or_let_pass_is_not_counted() {
    let blocking = json!({"id": "c", "stage": "custom", "when": is("http.request.method", json!(["str", "PUT"])), "action": "block",
        "violation": "rules.custom", "fail": "open"});
    let skipping = |skip: Value| {
        json!({"id": "s", "stage": "custom", "when": is("http.request.method", json!(["str", "PATCH"])), "action": "skip",
            "fail": "open", "skip": skip})
    };
    for skip in [json!({"stages": ["limits"]}), json!({"rules": ["one"]})] {
        let engine = Engine::of(&BundleText::of(&[], &json!([blocking, skipping(skip)])).limited_by(&[limit("one", 1)]));
        for method in ["PUT", "PATCH", "PATCH", "PUT"] {
            engine.call(&Call { method, ..GET }, 0);
        }
        assert_eq!([&GET, &GET].map(|call| engine.passes(call, 0)), [true, false]);
    }
}

#[test]
fn a_key_of_the_body_waits_for_it_and_limits_of_the_head_have_counted_by_then() {
    let by_size = with(limit("size", 1), &json!({"key": [{"nodes": [["fact", "http.request.body.size"]]}, header("x-user")]}));
    let engine = Engine::new(&[limit("head", 3), by_size]);
    let post = |body| Call { method: "POST", body, headers: &[("x-user", "a")], ..GET };
    assert_eq!([&b"aa"[..], b"aa", b"aaa"].map(|body| engine.passes(&post(body), 0)), [true, false, true]);
    assert_eq!(engine.call(&post(b"a"), 0).rule.as_deref(), Some("head"), "the second one was counted there");
}

#[test]
fn rules_behind_the_limits_read_the_headers_still() {
    let absent = rule("r", "request_head", "cf.api_gateway.fallthrough_detected", "block", "operations.fallthrough", "open");
    let agent = json!({"id": "h", "action": "log", "violation": "rules.custom", "fail": "open",
        "when": {"nodes": [["fact", "http.request.headers"], ["key", 0, "x-user"], ["each", 1], ["str", "eve"], ["eq", 2, 3], ["call", "any", 4]]}});
    let engine = Engine::of(&BundleText::of(&[["GET", "a", "/"]], &json!([absent, agent])).limited_by(&[limit("one", 9)]));
    assert_eq!(engine.call(&Call { headers: &[("x-user", "eve")], ..GET }, 0).rule.as_deref(), Some("h"));
    assert_eq!(engine.call(&Call { headers: &[("x-user", "bob")], ..GET }, 0).rule, None);
}

#[test]
fn a_store_that_is_away_means_the_limits_fail_mode_and_is_counted() {
    for (fail, mode, action) in [("open", FailMode::Open, Action::Allow), ("closed", FailMode::Closed, Action::Block)] {
        let engine = Engine::new(&[with(limit("one", 9), &json!({"fail": fail}))]);
        let keys = Keys::derive(&[7; 32]);
        let mut transaction = Transaction::begin(engine.bundle.clone(), &keys, RequestId::new(at(0), 0), at(0), Mode::Enforce);
        let headers = HeaderMap::new();
        let head = RequestHead {
            method: "GET",
            scheme: Scheme::Http,
            version: HttpVersion::Http2,
            authority: Some("a"),
            target: "/",
            headers: &headers,
            client: [192, 0, 2, 1].into(),
            body: BodyLength::None,
        };
        assert!(matches!(transaction.request_head(&head, &Surroundings::default()), Step::NeedState(_)));
        assert_eq!(transaction.resume(&StateAnswer::Failed, Some(&headers)), Step::Decided(action));
        assert_eq!(transaction.resume(&StateAnswer::Failed, None), Step::Decided(action), "an answer that nobody waits for");
        let failures = &transaction.verdict().failures;
        assert_eq!((failures.len(), failures[0].error, failures[0].mode), (1, FactError::State, mode));
        assert!(transaction.verdict().violations.is_empty(), "a check that failed found nothing");
    }
}

#[test]
fn every_mistake_of_a_limit_is_told_with_its_place() {
    let errors = |limits: &[Value]| {
        let bundle = BundleText::of(&[], &json!([])).limited_by(limits);
        bundle.load().unwrap_err().0.into_iter().map(|error| format!("{} {}", error.path, error.message)).collect::<Vec<_>>()
    };
    let zone = engine::testing::ZONE_ID;
    let many = json!({
        "period_seconds": 0, "mitigation_seconds": 90_000, "score": 5, "violation": "limits.in_flight", "operations": ["nobody"],
        "when": is("http.response.code", json!(["int", 1])), "key": [{"nodes": [["fact", "ip.scr"]]}], "action": "skip",
    });
    let told = errors(&[with(limit("one", 1), &many), limit("two", 2_000_000_000), limit("two", 1)]);
    let expected = [
        "limits[0].period_seconds is 0, not 1 to 86400",
        "limits[0].mitigation_seconds is 90000, not 0 to 86400",
        "limits[0].action is skip: a limit logs or blocks",
        "limits[0].violation is not `limits.exceeded`",
        "limits[0].requests has to stand alone: exactly one of requests, score and in_flight",
        "limits[0].key[0].nodes[0] is an unknown fact: did you mean `ip.src`?",
        "limits[0].when asks the response: only `count_when` may",
        "limits[0].operations names `nobody`, which is no operation of the zone",
        "limits[1].requests is 2000000000, not 0 to 1000000000",
        "limits[2].id is the id of limits[1]",
    ];
    assert_eq!(told, expected.map(|line| format!("limits[{zone}].{line}")));
    let alone = |members: Value| errors(&[with(limit("one", 1), &members)])[0].clone();
    for (members, message) in [
        (json!({"requests": null, "score": 5}), "score_header is missing: it names the response's header with the score"),
        (json!({"score_header": "x"}), "score_header is for a score only"),
        (json!({"requests": null, "score": 5, "score_header": "x y"}), "score_header is not a header's name"),
        (json!({"requests": null, "in_flight": 5, "violation": "limits.in_flight"}), "period_seconds is 10, not 0 to 0"),
        (json!({"count_when": {"nodes": [["int", 1]]}}), "count_when.nodes[0] is of type Integer: a condition is a Boolean"),
    ] {
        assert_eq!(alone(members), format!("limits[{zone}].limits[0].{message}"));
    }
}
