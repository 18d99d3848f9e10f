//! JWT intake: any bytes as a token, and any bytes as a key, give an answer and never a panic. What is changed in a good token by so much
//! as a byte is never valid.

#![no_main]

use std::sync::LazyLock;

use engine::Timestamp;
use engine::tokens::jws::Compact;
use engine::tokens::{Checks, Configuration, Jwk, Key, KeySet, TokenCache, base64url};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_micros(1_300_819_000_000_000);
/// RFC 7515 A.1.
const GOOD: &[u8] = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

static CONFIGURATION: LazyLock<Configuration> = LazyLock::new(|| {
    let secret = base64url::decode(b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    let jwk = Jwk::parse(r#"{"kty": "oct", "alg": "HS256", "secret": "s"}"#).unwrap();
    let key = Key::from_jwk(&jwk, secret.as_deref()).unwrap();
    Configuration {
        id: "fuzz".into(),
        recorded_as: "fuzz".into(),
        recorded_valid: "fuzz=valid".into(),
        sources: Vec::new(),
        checks: Checks::default(),
        keys: KeySet::new(vec![key]).unwrap(),
        paths: Vec::new(),
        fingerprint: [0; 32],
    }
});

fuzz_target!(|input: &[u8]| {
    let Some((&how, rest)) = input.split_first() else { return };
    match how % 3 {
        0 => judge(rest),
        1 => judge(&spliced(rest)),
        _ => take_in(rest),
    }
});

fn judge(token: &[u8]) {
    let cache = TokenCache::new([0; 32], 1 << 16);
    let outcome = CONFIGURATION.judge_token(token, NOW, &cache).map(|judged| judged.outcome.code());
    assert!(outcome != Ok("valid") || token == GOOD, "only the good token is valid");
    if let Ok(compact) = Compact::parse(token) {
        assert_eq!(compact.signing_input.len() + 1, token.iter().rposition(|byte| *byte == b'.').unwrap() + 1);
    }
}

/// The good token with some of its bytes replaced: the first two bytes of the input say where.
fn spliced(input: &[u8]) -> Vec<u8> {
    let (&[high, low], bytes) = input.split_first_chunk::<2>().unwrap_or((&[0, 0], &[]));
    let mut token = GOOD.to_vec();
    let place = usize::from(u16::from_be_bytes([high, low])) % token.len();
    let end = (place + bytes.len()).min(token.len());
    token.splice(place..end, bytes.iter().copied());
    token
}

fn take_in(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(jwk) = Jwk::parse(text)
        && let Ok(key) = Key::from_jwk(&jwk, None)
    {
        assert!(key.verify(b"message", b"signature").is_err(), "no key takes this for its signature");
    }
}
