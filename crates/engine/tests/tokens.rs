//! Tokens in a transaction: the parts of a bundle, sessions by claim, what the record says, the cache across bundles.

use std::sync::Arc;

use aws_lc_rs::hmac;
use engine::bundle::TokenInputs;
use engine::replay::Replay;
use engine::testing::{BundleText, row};
use engine::tokens::{Secrets, TokenCache};
use engine::{
    BodyLength, Ended, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, Scheme, Surroundings, Timestamp, TrafficRecord,
    Transaction,
};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

const SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const OTHER: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ";
const NOW: i64 = 1_800_000_000;

fn configuration() -> Value {
    json!({"id": "users", "sources": [{"header": "authorization"}, {"cookie": "jwt"}], "issuers": ["https://issuer.example"],
           "audiences": ["orders"], "types": ["at+jwt"], "required_claims": ["exp", "sub"], "max_age_seconds": 3600})
}

fn keys() -> Value {
    json!({"configurations": {"users": [{"kty": "oct", "alg": "HS256", "kid": "k1", "secret": "s1"}]}})
}

fn text(configuration: Value, keys: &Value) -> BundleText {
    let identity = json!({"identifiers": [{"type": "jwt", "name": "users:$.sub"}, {"type": "header", "name": "x-user"}]});
    BundleText::of(&[], &json!([]))
        .with_part("tokens", &json!({"configurations": [configuration]}))
        .with_part("token_keys", keys)
        .with_part("identity", &identity)
}

fn secrets(secret: &str) -> Secrets {
    Secrets::parse(json!({"format": 1, "secrets": {"s1": secret}}).to_string().as_bytes()).unwrap()
}

fn inputs(secret: &str, cache: &Arc<TokenCache>) -> TokenInputs {
    TokenInputs { secrets: secrets(secret), cache: cache.clone() }
}

fn cache() -> Arc<TokenCache> {
    TokenCache::new([7; 32], 1 << 20).into()
}

fn encode(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letters = |group: &[u8]| {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (24 - 8 * group.len());
        (0..=group.len()).map(|place| char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63])).collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}

fn sign(header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &engine::tokens::base64url::decode(SECRET.as_bytes()).unwrap());
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes()).as_ref()))
}

const HEADER: &str = r#"{"alg": "HS256", "kid": "k1", "typ": "at+JWT"}"#;

fn claims() -> Value {
    json!({"iss": "https://issuer.example", "aud": ["orders", "x"], "sub": "ann", "exp": NOW + 300, "nbf": NOW, "iat": NOW})
}

fn token() -> String {
    sign(HEADER, &claims().to_string())
}

fn ask(text: &BundleText, inputs: &TokenInputs, fields: &[(&'static str, &str)], seconds: i64) -> Ended {
    let bundle = Arc::new(text.load_with(inputs).unwrap());
    let headers = fields.iter().fold(HeaderMap::new(), |mut headers, (name, value)| {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
        headers
    });
    let now = Timestamp::from_micros(seconds * 1_000_000);
    let mut transaction = Transaction::begin(bundle, &Keys::derive(&[0; 32]), RequestId::new(now, 0), now, Mode::Enforce);
    let head = RequestHead {
        method: "GET",
        scheme: Scheme::Https,
        version: HttpVersion::Http2,
        authority: Some("api.example.com"),
        target: "/",
        headers: &headers,
        client: [192, 0, 2, 1].into(),
        body: BodyLength::None,
    };
    let _ = transaction.request_head(&head, &Surroundings::default());
    transaction.end(&Outcome::default())
}

/// The code in `users@<hash>=<code>`.
fn code(record: &TrafficRecord) -> Option<String> {
    let (configuration, code) = record.tokens.as_deref()?.split_once('=')?;
    let hash = configuration.strip_prefix("users@")?;
    (hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| code.to_owned())
}

/// What the record says of a token in `Authorization`.
fn said(token: &str, seconds: i64) -> String {
    let text = text(configuration(), &keys());
    let ended = ask(&text, &inputs(SECRET, &cache()), &[("authorization", &format!("Bearer {token}"))], seconds);
    code(&ended.record).unwrap()
}

fn with(member: &str, value: Value) -> String {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(member)),
        value => claims[member] = value,
    }
    said(&sign(HEADER, &claims.to_string()), NOW)
}

fn headed(header: &str) -> String {
    said(&sign(header, &claims().to_string()), NOW)
}

#[test]
fn a_verified_claim_identifies_the_session_and_the_record_says_so() {
    let text = text(configuration(), &keys());
    let inputs = inputs(SECRET, &cache());
    let bearer = format!("Bearer {}", token());
    let first = ask(&text, &inputs, &[("authorization", &bearer)], NOW).record;
    assert_eq!((first.session_source.as_str(), first.session_verified), ("identifier", true));
    assert_eq!(code(&first).as_deref(), Some("valid"));
    let mut later = claims();
    later["iat"] = json!(NOW - 1);
    let cookie = format!("a=b; jwt={}", sign(HEADER, &later.to_string()));
    let second = ask(&text, &inputs, &[("cookie", &cookie)], NOW).record;
    assert_eq!(second.session, first.session, "another token of the same subject");
}

#[test]
fn a_token_that_is_refused_identifies_nobody() {
    let text = text(configuration(), &keys());
    let forged = format!("Bearer {}x", token());
    let record = ask(&text, &inputs(SECRET, &cache()), &[("authorization", &forged), ("x-user", "ann")], NOW).record;
    assert_eq!((record.session_source.as_str(), record.session_verified), ("identifier", false));
    assert_eq!(code(&record).as_deref(), Some("signature"));
    let none = ask(&text, &inputs(SECRET, &cache()), &[], NOW).record;
    assert_eq!((code(&none).as_deref(), none.session_source.as_str()), (Some("absent"), "client_address"));
}

#[test]
fn what_the_configuration_asks_is_checked_each_with_its_code() {
    assert_eq!(said(&token(), NOW), "valid");
    for (member, value, code) in [
        ("iss", json!("https://issuer.example/"), "issuer"),
        ("iss", Value::Null, "issuer"),
        ("iss", json!(["https://issuer.example"]), "issuer"),
        ("aud", json!("orders"), "valid"),
        ("aud", json!("order"), "audience"),
        ("aud", json!([]), "audience"),
        ("aud", json!({"0": "orders"}), "audience"),
        ("aud", Value::Null, "audience"),
        ("sub", Value::Null, "claim_missing"),
        ("exp", Value::Null, "claim_missing"),
        ("exp", json!("1800000300"), "claim_invalid"),
        ("exp", json!(NOW as f64 + 0.5), "valid"),
        ("exp", json!(-1), "expired"),
        ("nbf", json!([NOW]), "claim_invalid"),
        ("nbf", json!(NOW + 60), "valid"),
        ("nbf", json!(NOW + 61), "not_yet_valid"),
        ("iat", json!(NOW + 61), "issued_in_future"),
        ("iat", json!(NOW - 3660), "valid"),
        ("iat", json!(NOW - 3661), "too_old"),
        ("iat", Value::Null, "too_old"),
    ] {
        assert_eq!(with(member, value.clone()), code, "{member}: {value}");
    }
    assert_eq!(said(&token(), NOW + 359), "valid");
    assert_eq!(said(&token(), NOW + 360), "expired", "a minute after `exp`");
}

#[test]
fn each_way_to_write_a_header_that_is_not_ours_has_its_code() {
    for (header, code) in [
        (r#"{"alg":"HS256","typ":"application/at+jwt"}"#, "valid"),
        (r#"{"alg":"HS256","typ":"at+jwt","x5t":"a","cty":"a","unknown":{"a":[1]}}"#, "valid"),
        (r#"{"alg":"HS256","typ":"at+jwt","b64":true}"#, "valid"),
        (r#"{"alg":"HS256","typ":"JWT"}"#, "type"),
        (r#"{"alg":"HS256"}"#, "type"),
        (r#"{"alg":"HS256","kid":"k2"}"#, "key_unknown"),
        (r#"{"alg":"HS384","kid":"k1"}"#, "algorithm_mismatch"),
        (r#"{"alg":"RS256"}"#, "algorithm_mismatch"),
        (r#"{"alg":"hs256"}"#, "algorithm_unknown"),
        (r#"{"alg":"none"}"#, "algorithm_none"),
        (r#"{"typ":"JWT"}"#, "algorithm_missing"),
        (r#"{"alg":"HS256","crit":[]}"#, "critical"),
        (r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, "critical"),
        (r#"{"alg":"HS256","b64":false}"#, "unencoded"),
        (r#"{"alg":"HS256","b64":"false"}"#, "header_invalid"),
        (r#"{"alg":"HS256","jwk":{}}"#, "embedded_jwk"),
        (r#"{"alg":"HS256","jku":"https://a"}"#, "embedded_jku"),
        (r#"{"alg":"HS256","x5u":"https://a"}"#, "embedded_x5u"),
        (r#"{"alg":"HS256","x5c":[]}"#, "embedded_x5c"),
        (r#"{"alg":"HS256","alg":"HS256"}"#, "header_duplicate"),
        (r#"{"alg":"HS256","\u0061lg":"none"}"#, "header_duplicate"),
        (r#"{"alg":"HS256","a":{"b":1,"b":2}}"#, "header_duplicate"),
        (r#"{"alg":["HS256"]}"#, "header_invalid"),
        (r#"{"alg":"HS256","kid":1}"#, "header_invalid"),
        (r#"["HS256"]"#, "header_invalid"),
        ("{\"alg\":\"HS256\"}\u{0}", "header_invalid"),
        ("\u{feff}{\"alg\":\"HS256\"}", "header_invalid"),
        (r#"{"alg":"HS256","kid":"\ud800"}"#, "header_invalid"),
        ("", "header_invalid"),
    ] {
        assert_eq!(headed(header), code, "{header}");
    }
}

#[test]
fn what_is_no_signed_token_has_its_code() {
    for (token, code) in [
        ("x", "parts"),
        ("a.b", "parts"),
        ("a.b.c.d", "parts"),
        ("a.b.c.d.e", "encrypted"),
        ("a.b.c.d.e.f", "parts"),
        ("a=.b.c", "encoding"),
        (&"a".repeat(16_385), "too_long"),
        (&format!("{}.", token()), "parts"),
        (&format!("{}=", token()), "encoding"),
        (&token().replace('.', "\u{2e}\u{2e}"), "encrypted"),
    ] {
        assert_eq!(said(token, NOW), code, "{:.60}", token);
    }
    for (payload, code) in [
        (r#"[{"sub":"ann"}]"#, "payload_invalid"),
        ("ann", "payload_invalid"),
        ("", "payload_invalid"),
        (r#"{"sub":"ann","sub":"eve"}"#, "payload_duplicate"),
        (r#"{"a":{"sub":1,"s\u0075b":2}}"#, "payload_duplicate"),
    ] {
        assert_eq!(said(&sign(HEADER, payload), NOW), code, "{payload}");
    }
}

#[test]
fn a_changed_signature_in_every_byte_is_refused() {
    let token = token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = engine::tokens::base64url::decode(signature.as_bytes()).unwrap();
    for place in 0..signature.len() {
        let mut other = signature.clone();
        other[place] ^= 1;
        assert_eq!(said(&format!("{signed}.{}", encode(&other)), NOW), "signature");
    }
    assert_eq!(said(&format!("{signed}."), NOW), "signature");
    assert_eq!(said(&format!("{signed}.{}", encode(&signature[..16])), NOW), "signature", "half a MAC is none");
}

#[test]
fn a_header_a_hundred_times_is_refused_unless_it_says_one_thing() {
    let text = text(configuration(), &keys());
    let (mine, other) = (format!("Bearer {}", token()), "Bearer x.y.z".to_owned());
    let mut fields = vec![("authorization", &*mine); 99];
    fields.push(("authorization", &other));
    let refused = ask(&text, &inputs(SECRET, &cache()), &fields, NOW);
    assert_eq!(code(&refused.record).as_deref(), Some("repeated"));
    let same = ask(&text, &inputs(SECRET, &cache()), &fields[..99], NOW);
    assert_eq!(code(&same.record).as_deref(), Some("valid"));
}

#[test]
fn tokens_are_remembered_until_keys_secrets_or_the_configuration_change() {
    let cache = cache();
    let bearer = format!("Bearer {}", token());
    let ask = |text: &BundleText, secret: &str, seconds| {
        let ended = ask(text, &inputs(secret, &cache), &[("authorization", &bearer)], seconds);
        (ended.tokens[0].code, ended.tokens[0].is_cached)
    };
    let first = text(configuration(), &keys());
    assert_eq!(ask(&first, SECRET, NOW), ("valid", false));
    assert_eq!(ask(&first, SECRET, NOW), ("valid", true));
    assert_eq!(ask(&first, SECRET, NOW + 360), ("expired", true), "the clock is asked each time");
    assert_eq!(ask(&first, OTHER, NOW), ("signature", false), "another secret under the same id");
    let mut renamed = keys();
    renamed["configurations"]["users"][0]["kid"] = json!("k2");
    assert_eq!(ask(&text(configuration(), &renamed), SECRET, NOW), ("key_unknown", false));
    let mut stricter = configuration();
    stricter["audiences"] = json!(["payments"]);
    assert_eq!(ask(&text(stricter, &keys()), SECRET, NOW), ("audience", false));
    assert_eq!(ask(&first, SECRET, NOW), ("valid", true), "what was there before is still known");
}

#[test]
fn a_key_without_its_secret_verifies_nothing_and_the_bundle_says_which() {
    let text = text(configuration(), &keys());
    for (inputs, is_missing) in
        [(TokenInputs::default(), true), (inputs("c2hvcnQ", &cache()), true), (inputs(SECRET, &cache()), false)]
    {
        let bundle = text.load_with(&inputs).unwrap();
        assert_eq!(bundle.missing_secrets().collect::<Vec<_>>(), if is_missing { vec!["s1"] } else { vec![] });
    }
    let bearer = format!("Bearer {}", token());
    let ended = ask(&text, &TokenInputs::default(), &[("authorization", &bearer)], NOW);
    assert_eq!(code(&ended.record).as_deref(), Some("key_unusable"));
}

fn errors(text: &BundleText) -> Vec<String> {
    let errors = text.load().unwrap_err().0;
    errors
        .into_iter()
        .map(|error| format!("{} {}", error.path.replace(engine::testing::ZONE_ID, "zone"), error.message))
        .collect()
}

#[test]
fn every_mistake_in_the_parts_is_reported_with_its_path() {
    let mut broken = configuration();
    broken["sources"] = json!([{"header": "Authorization"}, {"cookie": "a b"}, {"cookie": "jwt"}, {"cookie": "jwt"}]);
    broken["clock_skew_seconds"] = json!(3601);
    let keys = json!({"configurations": {"users": [
        {"kty": "oct", "secret": "s1"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed448", "x": "AA"},
        {"kty": "oct", "alg": "HS256", "secret": "s1", "k": "AAAA"},
    ], "others": []}});
    assert_eq!(
        errors(&text(broken, &keys)),
        [
            "tokens[zone].configurations[0].clock_skew_seconds is 3601, not 0 to 3600",
            "tokens[zone].configurations[0].sources[0] is not in lower case",
            "tokens[zone].configurations[0].sources[1] is not the name of a header or cookie",
            "tokens[zone].configurations[0].sources[3] is there twice",
            "token_keys[zone].configurations.users[0].alg is missing: an HMAC key has to say which hash it is for",
            "token_keys[zone].configurations.users[1].n has 17 bits, not 2048 to 8192",
            "token_keys[zone].configurations.users[2].x has 1 bytes, not 32",
            "token_keys[zone].configurations.users[3].crv is none of P-256, P-384, P-521 (EC) and Ed25519 (OKP)",
            "token_keys[zone].configurations.users[4].k belongs to a private or secret key, which never stands in a bundle",
            "token_keys[zone].configurations.others is the id of no token configuration",
        ]
    );
}

#[test]
fn keys_that_could_be_confused_are_no_set() {
    let public = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k2", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let secret = json!({"kty": "oct", "alg": "HS256", "kid": "k1", "secret": "s1"});
    let set = |keys: &[&Value]| text(configuration(), &json!({"configurations": {"users": keys}}));
    assert_eq!(
        errors(&set(&[&public, &secret])),
        ["token_keys[zone].configurations.users mix secret (oct) and public keys: one configuration has the one or the other"]
    );
    assert_eq!(
        errors(&set(&[&public, &public])),
        ["token_keys[zone].configurations.users hold two keys with the kid `k2` and the algorithm EdDSA"]
    );
}

#[test]
fn identifiers_name_a_configuration_and_a_path() {
    let with = |name: &str| {
        let identity = json!({"identifiers": [{"type": "jwt", "name": name}]});
        let text = BundleText::of(&[], &json!([])).with_part("tokens", &json!({"configurations": [configuration()]}));
        text.with_part("identity", &identity)
    };
    assert!(with("users:$['https://example.com/user'].id").load().is_ok());
    let path = "identity[zone].identifiers[0].name";
    for (name, message) in [
        ("$.sub", "is not a token configuration's id, `:` and a path, as in `<id>:$.sub`"),
        ("others:$.sub", "names the token configuration `others`, which is not there"),
        ("users:$..sub", "has a path that cannot be used: `..` selects many values: only one may be selected (at byte 3)"),
    ] {
        assert_eq!(errors(&with(name)), [format!("{path} {message}")]);
    }
}

#[test]
fn the_documentation_has_every_code_with_its_meaning() {
    let page = include_str!("../../../docs/reference/tokens.md");
    for error in engine::tokens::TokenError::ALL {
        let row = format!("| `{}` | {} |", error.code(), error.doc());
        assert!(page.contains(&row), "docs/reference/tokens.md lacks: {row}");
    }
}

/// What a rule over these nodes does with a request that carries this token.
fn decided(nodes: &Value, token: &str) -> String {
    let rule = json!([engine::testing::program_rule("r", "features", nodes, "block")]);
    let text = BundleText::of(&[], &rule)
        .with_part("tokens", &json!({"configurations": [configuration()]}))
        .with_part("token_keys", &keys());
    let bearer = format!("Bearer {token}");
    let fields = [("authorization", &*bearer)];
    let fields = if token.is_empty() { &[][..] } else { &fields[..] };
    ask(&text, &inputs(SECRET, &cache()), fields, NOW).record.action.as_str().to_owned()
}

#[test]
fn rules_ask_whether_a_token_is_there_is_valid_and_why_not() {
    let flag = |fact: &str| json!([["fact", fact], ["key", 0, "users"]]);
    let is = |fact: &str, text: &str| json!([["fact", fact], ["key", 0, "users"], ["str", text], ["eq", 1, 2]]);
    let forged = format!("{}A", token());
    for (nodes, with_valid, with_forged, without) in [
        (flag("hoplon.token.present"), "block", "block", "allow"),
        (flag("hoplon.token.valid"), "block", "allow", "allow"),
        (is("hoplon.token.error", "signature"), "allow", "block", "allow"),
        (json!([["fact", "hoplon.token.valid"], ["key", 0, "others"], ["not", 1]]), "block", "block", "block"),
    ] {
        let found = [token(), forged.clone(), String::new()].map(|token| decided(&nodes, &token));
        assert_eq!(found, [with_valid, with_forged, without], "{nodes}");
    }
}

#[test]
fn rules_read_claims_of_verified_tokens_only() {
    let first = |fact: &str, test: Value| json!([["fact", fact], ["key", 0, "users"], ["index", 1, 0], test[0], test[1]]);
    let text = |text: &str| json!([["str", text], ["eq", 2, 3]]);
    let number = |number: i64| json!([["int", number], ["eq", 2, 3]]);
    let lookup = json!([
        ["fact", "http.request.jwt.claims"],
        ["key", 0, "users"],
        ["index", 1, 0],
        ["str", "sub"],
        ["call", "lookup_json_string", 2, 3],
        ["str", "ann"],
        ["eq", 4, 5]
    ]);
    let any = |fact: &str, text: &str| json!([["fact", fact], ["each", 0], ["str", text], ["eq", 1, 2], ["call", "any", 3]]);
    let forged = format!("{}A", token());
    for nodes in [
        lookup,
        first("http.request.jwt.claims.sub", text("ann")),
        first("http.request.jwt.claims.iss", text("https://issuer.example")),
        first("http.request.jwt.claims.iat.sec", number(NOW)),
        first("http.request.jwt.claims.nbf.sec", number(NOW)),
        any("http.request.jwt.claims.aud.values", "orders"),
        any("http.request.jwt.claims.sub.names", "users"),
    ] {
        assert_eq!(decided(&nodes, &token()), "block", "{nodes}");
        assert_eq!(decided(&nodes, &forged), "allow", "{nodes}");
        assert_eq!(decided(&nodes, ""), "allow", "{nodes}");
    }
    assert_eq!(decided(&first("http.request.jwt.claims.jti", text("")), &token()), "allow", "the token has no `jti`");
}

#[test]
fn replay_knows_what_became_of_a_token_under_the_same_configuration_only() {
    let policy = |configuration: Value, nodes: &Value| {
        let rule = json!([engine::testing::program_rule("r", "features", nodes, "block")]);
        let text = BundleText::of(&[], &rule).with_part("tokens", &json!({"configurations": [configuration]}));
        text.with_part("token_keys", &keys()).load().unwrap()
    };
    let groups = |bundle: engine::Bundle, record: &TrafficRecord| {
        let mut replay = Replay::new(bundle.into(), engine::testing::ZONE_ID, 1).unwrap();
        let _ = replay.judge(&row(record, "id"));
        let would = &replay.tally().would;
        ["allow", "log", "block", "unknown"]
            .into_iter()
            .zip(would.groups())
            .find(|(_, group)| group.records == 1)
            .map(|(word, _)| word)
    };
    let identified = text(configuration(), &keys());
    let bearer = format!("Bearer {}", token());
    let valid = ask(&identified, &inputs(SECRET, &cache()), &[("authorization", &bearer)], NOW).record;
    let absent = ask(&identified, &inputs(SECRET, &cache()), &[], NOW).record;
    let not_valid = json!([["fact", "hoplon.token.valid"], ["key", 0, "users"], ["not", 1]]);
    let present = json!([["fact", "hoplon.token.present"], ["key", 0, "users"]]);
    let subject =
        json!([["fact", "http.request.jwt.claims.sub"], ["key", 0, "users"], ["index", 1, 0], ["str", "ann"], ["eq", 2, 3]]);
    let mut stricter = configuration();
    stricter["issuers"] = json!(["https://other.example"]);
    for (configuration, nodes, of_valid, of_absent) in [
        (configuration(), &not_valid, "allow", "block"),
        (configuration(), &present, "block", "allow"),
        (configuration(), &subject, "unknown", "allow"),
        (stricter, &not_valid, "unknown", "unknown"),
    ] {
        let found = [&valid, &absent].map(|record| groups(policy(configuration.clone(), nodes), record));
        assert_eq!(found, [Some(of_valid), Some(of_absent)], "{nodes}");
    }
}

#[test]
fn sessions_by_claim_are_others_under_another_configuration() {
    let under = |configuration: Value| {
        let inputs = inputs(SECRET, &cache());
        ask(&text(configuration, &keys()), &inputs, &[("authorization", &format!("Bearer {}", token()))], NOW).record
    };
    let mut stricter = configuration();
    stricter["clock_skew_seconds"] = json!(1);
    let (one, other) = (under(configuration()), under(stricter));
    assert_eq!(one.session_policy, under(configuration()).session_policy);
    assert_ne!(one.session_policy, other.session_policy, "replay must not take the sessions of one for those of the other");
}
