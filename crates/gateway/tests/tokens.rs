//! Tokens at the gateway: secrets come beside the bundle, whenever they come; what was judged is counted and recorded.

mod support;

use std::fs;
use std::path::Path;

use engine::testing::BundleText;
use serde_json::{Value, json};
use support::client::send;
use support::upstream::Upstream;
use support::{Setup, until, zone};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// RFC 7515 A.1: signed with the secret below, expired in 2011.
const JOE: &str = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\r\n\r\n";
const SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

/// Blocks whoever has no valid token.
fn rule() -> Value {
    json!({"id": "token", "stage": "features", "action": "block", "violation": "tokens.rule", "fail": "closed",
           "when": {"nodes": [["fact", "hoplon.token.valid"], ["key", 0, "users"], ["not", 1]]}})
}

fn write_bundle(state: &Path, zone: &Value) {
    let configuration = json!({"id": "users", "sources": [{"header": "authorization"}]});
    let key = json!({"kty": "oct", "alg": "HS256", "kid": "k", "secret": "s1"});
    let text = BundleText::default()
        .with(zone, &json!({"operations": []}), &json!({"rules": [rule()]}))
        .with_part("tokens", &json!({"configurations": [configuration]}))
        .with_part("token_keys", &json!({"configurations": {"users": [key]}}));
    for (hash, part) in &text.parts {
        fs::write(state.join("bundles/parts").join(hash), part).unwrap();
    }
    fs::write(state.join("bundles/current"), text.manifest.to_string()).unwrap();
}

fn write_secrets(state: &Path, text: &str) {
    fs::write(state.join("keys/.secrets"), text).unwrap();
    fs::rename(state.join("keys/.secrets"), state.join("keys/token_secrets.json")).unwrap();
}

#[test]
fn a_secret_that_comes_late_makes_its_key_usable_and_the_alert_goes() {
    let upstream = Upstream::fixed(OK);
    let state = tempfile::tempdir().unwrap();
    for folder in ["keys", "bundles/parts", "run", "records/open", "records/sealed"] {
        fs::create_dir_all(state.path().join(folder)).unwrap();
    }
    support::write_key(&state.path().join("keys/records.key"));
    let zone = zone(&[upstream.address]);
    write_bundle(state.path(), &zone);
    let gateway = Setup::new(zone).start_in(state);
    let shared = gateway.shared();
    let has_alert = || shared.alerts.all().contains_key("token_secret_missing");
    assert!(has_alert());
    let blocked = send(gateway.address(), JOE);
    assert_eq!((blocked.status, blocked.problem()["violations"][0]["code"].as_str()), (403, Some("tokens.rule")));

    write_secrets(gateway.state.path(), &json!({"format": 1, "secrets": {"s1": SECRET}}).to_string());
    until("the secret is used", || !has_alert());
    assert_eq!(send(gateway.address(), JOE).status, 403);

    write_secrets(gateway.state.path(), "broken");
    until("a broken file is no secrets", has_alert);
    assert_eq!(send(gateway.address(), JOE).status, 403);
    assert_eq!(send(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 403, "no token is no valid one");

    let scrape = shared.metrics.render().unwrap();
    for (outcome, count) in [("key_unusable", 2), ("expired", 1), ("absent", 1)] {
        let line = format!("hoplon_tokens_total{{outcome=\"{outcome}\"}} {count}");
        assert!(scrape.contains(&line), "{line} is not in {scrape}");
    }
    assert_eq!(upstream.connections(), 0);
    let state = gateway.stop();
    let said = support::record_texts(&state, "tokens");
    let codes: Vec<_> = said.iter().map(|said| said.split_once('=').unwrap().1).collect();
    assert_eq!(codes, ["key_unusable", "expired", "key_unusable", "absent"]);
}
