//! Secrets that must never be in a record: each case of `secrets.jsonl` goes through the whole projection, from six clients, so that
//! the rule for literals is tempted, with and without a saved operation.

mod projection;

use std::fmt::Write as _;

use projection::{Call, Projection, Written};
use serde_json::{Value, json};

#[derive(serde::Deserialize, Debug)]
struct Case {
    kind: String,
    secret: String,
    place: String,
    name: String,
}

fn cases() -> Vec<Case> {
    include_str!("secrets.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_corpus_is_large_and_covers_every_place() {
    let cases = cases();
    assert!(cases.len() >= 150);
    let kinds: std::collections::BTreeSet<_> = cases.iter().map(|case| case.kind.as_str()).collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    for place in ["path", "query", "header", "cookie", "json", "jsonkey", "jsonnumber", "form", "response", "setcookie", "bearer"]
    {
        assert!(cases.iter().filter(|case| case.place == place).count() >= 4, "{place}");
    }
}

#[test]
fn no_secret_is_in_any_field_of_any_row() {
    let mut leaks = Vec::new();
    for case in cases() {
        let (call, template) = call_of(&case);
        for operations in [vec![], vec![["POST", "*", &*template]]] {
            let mut projection = Projection::new(&operations);
            for client in 1..=6 {
                let written = projection.send(&call, client);
                assert!(!written.observations.is_empty(), "{case:?} was not observed: {:?}", written.ended.violations);
                let text = text_of(&written);
                leaks.extend(
                    forms_of(&case.secret).into_iter().find(|form| text.contains(form)).map(|form| leak(&case, &form, &text)),
                );
            }
        }
    }
    leaks.dedup();
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

fn leak(case: &Case, form: &str, text: &str) -> String {
    let line = text.lines().find(|line| line.contains(form)).unwrap_or_default();
    format!("{case:?}: {form} in {line}")
}

#[test]
fn a_secret_that_no_heuristic_knows_stays_a_hash_until_the_fifth_session() {
    let call = json_request(json!({"nickname": "swordfish"}));
    let mut projection = Projection::new(&[]);
    for client in [1, 1, 1, 2, 3, 4, 4] {
        assert!(!text_of(&projection.send(&call, client)).contains("swordfish"));
    }
    assert!(text_of(&projection.send(&call, 5)).contains("swordfish"), "the fifth: the limit of what the rule can know");
}

#[test]
fn evidence_of_violations_quotes_nothing() {
    for (body, code) in [
        (r#"{"password": "moonlight-sonata", "password": "moonlight-sonata"}"#, "json.duplicate_key"),
        (r#"{"moonlight-sonata": 1, "moonlight-sonata": 2}"#, "json.duplicate_key"),
        (r#"{"password": "moonlight-sonata" moonlight-sonata"#, "json.invalid"),
    ] {
        let call = Call { request_body: body.as_bytes().to_vec(), ..json_request(json!(null)) };
        let written = Projection::new(&[]).send(&call, 1);
        let violations = &written.ended.violations;
        assert!(violations.iter().any(|violation| &*violation.code == code), "{violations:?}");
        let evidence: String =
            violations.iter().map(|violation| format!("{} {} ", violation.location, violation.evidence)).collect();
        assert!(!evidence.contains("moonlight") && !evidence.contains("sonata"), "{evidence}");
    }
}

/// The call that holds the case's secret, and a template that matches it.
fn call_of(case: &Case) -> (Call, String) {
    let Case { secret, name, place, .. } = case;
    let same = |call: Call| (call, "/v1/things".to_owned());
    let header =
        |name: &str, value: String| Call { request_headers: vec![(name.to_owned(), value.into_bytes())], ..Call::default() };
    let target = |target: String| Call { target, ..Call::default() };
    let filled = || name.replace("{}", secret).replace("{{", "{").replace("}}", "}");
    match place.as_str() {
        "path" => (target(format!("{name}/{}", percent(secret))), format!("{name}/{{value}}")),
        "double_path" => (target(format!("{name}/{}", percent(&percent(secret)))), format!("{name}/{{value}}")),
        "encoded_path" => (target(format!("{name}/{}", percent_all(secret))), format!("{name}/{{value}}")),
        "matrix" => (target(format!("/v1/things;{name}={}/x", percent(secret))), "/v1/{things}/x".to_owned()),
        "query" => same(target(format!("/v1/things?page=2&{name}={}&x=1", percent(secret)))),
        "query_text" => same(target(format!("/v1/things?q={}", percent(&filled())))),
        "header" => same(header(name, secret.clone())),
        "header_url" => same(header("x-upstream", filled())),
        "bearer" => same(header(name, format!("Bearer {secret}"))),
        "basic" => same(header(name, format!("Basic {secret}"))),
        "raw" => same(header(name, secret.clone())),
        "cookie" => same(header("cookie", format!("theme=dark; {name}={}", percent(secret)))),
        "setcookie" => same(Call {
            response_headers: vec![("set-cookie".to_owned(), format!("{name}={secret}; HttpOnly; Path=/").into_bytes())],
            ..Call::default()
        }),
        "json" => same(json_request(nested(name, json!(secret)))),
        "array" => same(json_request(json!({name: [secret, secret, {"deep": [secret]}]}))),
        "jsonnumber" => same(json_request(nested(name, serde_json::from_str(secret.trim_start_matches('0')).unwrap()))),
        "jsonkey" => same(json_request(json!({"members": {secret: {"role": "admin"}, "*": 1}}))),
        "named" => same(json_request(json!({"fields": [{"name": name, "value": secret}, {"key": name, "data": secret}]}))),
        "text" | "url" => same(json_request(json!({"message": filled()}))),
        "form" => same(Call {
            request_headers: vec![content_type("application/x-www-form-urlencoded")],
            request_body: format!("a=1&{}={}", percent(name), percent(secret)).into_bytes(),
            ..Call::default()
        }),
        "response" => same(Call {
            response_headers: vec![content_type("application/json")],
            response_body: json!({"items": [{name: secret}]}).to_string().into_bytes(),
            ..Call::default()
        }),
        other => panic!("the corpus has a place that this test does not know: {other}"),
    }
}

fn json_request(body: Value) -> Call {
    Call {
        request_headers: vec![content_type("application/json; charset=utf-8")],
        request_body: body.to_string().into_bytes(),
        ..Call::default()
    }
}

fn content_type(value: &str) -> (String, Vec<u8>) {
    ("content-type".to_owned(), value.as_bytes().to_vec())
}

/// `a.b[]` around a value: `{"a": {"b": [value]}}`.
fn nested(name: &str, value: Value) -> Value {
    name.rsplit('.').fold(value, |value, name| match name.strip_suffix("[]") {
        Some(name) => json!({name: [value]}),
        None => json!({name: value}),
    })
}

/// Every text and number of every row.
fn text_of(written: &Written) -> String {
    let record = &written.ended.record;
    let mut text = format!("{record:?}\n{:?}\n{:?}\n", record.session.map(|s| s.to_string()), written.ended.violations);
    for row in &written.observations {
        let hash = row.hash.map(|hash| hash.to_string());
        let detectors: Vec<_> = row.detectors.names().collect();
        writeln!(
            text,
            "{:?} {:?} {} {:?} {} {:?} {:?} {:?} {:?}",
            row.direction, row.location, row.pointer, row.value_type, row.length, row.number, hash, detectors, row.literal
        )
        .unwrap();
    }
    text.replace(engine::testing::ZONE_ID, "")
}

/// The secret as it may be written, and each six characters of a long one.
fn forms_of(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let escaped = serde_json::to_string(secret).unwrap();
    let mut forms = vec![
        secret.to_owned(),
        percent(secret),
        percent(secret).to_lowercase(),
        percent(&percent(secret)),
        percent(secret).replace("%20", "+"),
        percent_all(secret),
        escaped.trim_matches('"').to_owned(),
        base64(secret.as_bytes()),
        base64(secret.as_bytes()).replace('+', "-").replace('/', "_"),
        hex,
    ];
    let characters: Vec<char> = secret.chars().collect();
    if characters.len() >= 12 {
        let has_sense = |part: &String| part.chars().filter(|c| c.is_alphanumeric()).count() >= 5;
        forms.extend(characters.windows(6).map(|part| part.iter().collect()).filter(has_sense));
    }
    forms
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn percent_all(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |at| ALPHABET[(bits >> (18 - 6 * at) & 63) as usize] as char).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}
