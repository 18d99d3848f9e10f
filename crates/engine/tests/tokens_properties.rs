//! Tokens, paths and base64url over whatever comes: an answer and never a panic, one text for each value, and nothing but the good token
//! valid.

use std::sync::LazyLock;

use engine::Timestamp;
use engine::json::{Limits, parse};
use engine::tokens::claims::Times;
use engine::tokens::{Checks, ClaimPath, Configuration, Jwk, Key, KeySet, TokenCache, base64url};
use proptest::collection::vec;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_micros(1_300_819_000_000_000);
/// RFC 7515 A.1.
const GOOD: &[u8] = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static CONFIGURATION: LazyLock<Configuration> = LazyLock::new(|| {
    let secret = base64url::decode(b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    let jwk = Jwk::parse(r#"{"kty": "oct", "alg": "HS256", "secret": "s"}"#).unwrap();
    Configuration {
        id: "any".into(),
        recorded_as: "any".into(),
        recorded_valid: "any=valid".into(),
        sources: vec![],
        checks: Checks::default(),
        keys: KeySet::new(vec![Key::from_jwk(&jwk, secret.as_deref()).unwrap()]).unwrap(),
        paths: vec![],
        fingerprint: [0; 32],
    }
});

fn is_valid(token: &[u8]) -> bool {
    let cache = TokenCache::new([0; 32], 1 << 16);
    let judged = CONFIGURATION.judge_token(token, NOW, &cache);
    judged.is_ok_and(|judged| judged.outcome.code() == "valid")
}

fn encode(bytes: &[u8]) -> Vec<u8> {
    let letters = |group: &[u8]| {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (24 - 8 * group.len());
        (0..=group.len()).map(|place| LETTERS[(bits >> (18 - 6 * place)) as usize & 63]).collect::<Vec<_>>()
    };
    bytes.chunks(3).flat_map(letters).collect()
}

#[test]
fn the_good_token_is_valid() {
    assert!(is_valid(GOOD));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_other_token_is_valid(token in prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(prop::sample::select([LETTERS, b"..."].concat()), 0..200),
    ]) {
        prop_assert!(!is_valid(&token));
    }

    #[test]
    fn the_good_token_changed_anywhere_is_not_valid(place in 0..GOOD.len(), bytes in vec(any::<u8>(), 0..8), drop in 0_usize..8) {
        let mut token = GOOD.to_vec();
        let end = (place + drop).min(token.len());
        token.splice(place..end, bytes);
        prop_assert_eq!(is_valid(&token), token == GOOD);
    }

    #[test]
    fn each_value_has_one_text(bytes in vec(any::<u8>(), 0..100), text in vec(prop::sample::select(LETTERS), 0..100)) {
        prop_assert_eq!(base64url::decode(&encode(&bytes)), Some(bytes));
        if let Some(decoded) = base64url::decode(&text) {
            prop_assert_eq!(encode(&decoded), text);
        }
    }

    #[test]
    fn a_path_is_taken_or_refused_at_a_place_in_it(path in r#"\$?([.\[\]'"a-c*0-2\\u:, -]|é){0,20}"#, json in r#"[\[{"ab:,0-2}\]]{0,30}"#) {
        match ClaimPath::parse(&path) {
            Err(error) => prop_assert!((1..=path.len() + 1).contains(&error.position), "{} in {}", error, path),
            Ok(compiled) => {
                if let Ok(document) = parse(json.as_bytes(), &Limits::default()) {
                    let _ = compiled.select(document.root());
                }
            }
        }
    }

    #[test]
    fn names_written_in_brackets_are_found_as_they_are(name in "[a-z'\"\\\\ é😀\t]{0,12}") {
        let quoted: String = name.chars().map(|c| match c {
            '\'' | '\\' => format!("\\{c}"),
            '\t' => "\\t".to_owned(),
            c => c.to_string(),
        }).collect();
        let json = serde_json::json!({ &*name: "found" }).to_string();
        let document = parse(json.as_bytes(), &Limits::default()).unwrap();
        let path = ClaimPath::parse(&format!("$['{quoted}']")).unwrap();
        let selected = path.select(document.root());
        prop_assert_eq!(selected.as_deref(), Some("found"));
    }

    #[test]
    fn a_token_is_in_time_within_one_span(
        expires in prop::option::of(-10_000_i64..10_000),
        not_before in prop::option::of(-10_000_i64..10_000),
        issued_at in prop::option::of(-10_000_i64..10_000),
        now in -20_000_i64..20_000,
        skew in 0_i64..5_000,
        max_age in prop::option::of(0_i64..10_000),
    ) {
        let is_begun = not_before.into_iter().chain(issued_at).all(|begin| now + skew >= begin);
        let is_over = expires.is_some_and(|end| now - skew >= end);
        let is_young = max_age.is_none_or(|age| issued_at.is_some_and(|issued_at| now - issued_at <= age + skew));
        let found = Times { expires, not_before, issued_at }.check(now, skew, max_age);
        prop_assert_eq!(found.is_ok(), is_begun && !is_over && is_young, "{:?}", found);
    }
}
