//! What a token costs: verified, and found in the cache. The tokens are those of RFC 7515 appendix A.
//! `cargo bench -p hoplon-engine --bench tokens` prints nanoseconds.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use engine::bundle::TokenInputs;
use engine::testing::BundleText;
use engine::tokens::{Checks, ClaimPath, Configuration, Jwk, Key, KeySet, Secrets, Source, TokenCache, base64url};
use engine::{
    Action, BodyLength, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, Scheme, Step, Surroundings, Timestamp,
    Transaction,
};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn main() {
    for (name, jwk, header, signature) in tokens() {
        let token = format!("Bearer {header}.{JOE}.{signature}");
        println!("{name}, verified: {:.0} ns", nanoseconds(&jwk, &token, 0));
        println!("{name}, cached: {:.0} ns", nanoseconds(&jwk, &token, 1 << 20));
        let (without, with) = (transaction(&jwk, &token, &json!([])), transaction(&jwk, &token, &json!([rule()])));
        println!("{name}, cached: {:.0} ns of a whole request ({without:.0} ns without a token rule)", with - without);
    }
}

/// Whoever has no valid token is blocked.
fn rule() -> Value {
    json!({"id": "r", "stage": "features", "action": "block", "violation": "tokens.rule", "fail": "closed",
           "when": {"nodes": [["fact", "hoplon.token.valid"], ["key", 0, "bench"], ["not", 1]]}})
}

/// Nanoseconds of a transaction from its head to its record.
fn transaction(jwk: &Value, token: &str, rules: &Value) -> f64 {
    let configuration = json!({"id": "bench", "sources": [{"header": "authorization"}], "issuers": ["joe"]});
    let text = BundleText::of(&[], rules)
        .with_part("tokens", &json!({"configurations": [configuration]}))
        .with_part("token_keys", &json!({"configurations": {"bench": [jwk]}}));
    let secrets = format!(r#"{{"format": 1, "secrets": {{"one": "{SECRET}"}}}}"#);
    let secrets = Secrets::parse(secrets.as_bytes()).unwrap();
    let inputs = TokenInputs { secrets, cache: TokenCache::new([7; 32], 1 << 20).into() };
    let bundle = Arc::new(text.load_with(&inputs).unwrap());
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(token).unwrap());
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
    let (keys, now) = (Keys::derive(&[7; 32]), Timestamp::from_micros(1_300_819_000_000_000));
    let once = || {
        let mut transaction = Transaction::begin(bundle.clone(), &keys, RequestId::new(now, 1), now, Mode::Enforce);
        let step = transaction.request_head(black_box(&head), &Surroundings::default());
        assert_eq!(step, Step::Decided(Action::Allow));
        black_box(transaction.end(&Outcome::default()));
    };
    best(once)
}

/// Nanoseconds of one of these, in the best round; rounds are short, so that what else runs on the machine spares some.
fn best(once: impl Fn()) -> f64 {
    let rounds = (0..2_000).map(|_| {
        let started = Instant::now();
        (0..10).for_each(|_| once());
        started.elapsed().as_nanos() as f64 / 10.0
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// Of one request's headers judged.
fn nanoseconds(jwk: &Value, token: &str, cache_bytes: usize) -> f64 {
    let configuration = configuration(jwk);
    let cache = TokenCache::new([7; 32], cache_bytes);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(token).unwrap());
    let now = Timestamp::from_micros(1_300_819_000_000_000);
    best(|| {
        let judged = configuration.judge(black_box(&headers), now, &cache);
        assert_eq!(judged.outcome.code(), "valid");
    })
}

fn configuration(jwk: &Value) -> Configuration {
    let secret = base64url::decode(SECRET.as_bytes());
    let key = Key::from_jwk(&Jwk::parse(&jwk.to_string()).unwrap(), secret.as_deref()).unwrap();
    Configuration {
        id: "bench".into(),
        recorded_as: "bench".into(),
        recorded_valid: "bench=valid".into(),
        sources: vec![Source::Header(AUTHORIZATION)],
        checks: Checks { issuers: vec!["joe".into()], ..Checks::default() },
        keys: KeySet::new(vec![key]).unwrap(),
        paths: vec![ClaimPath::parse("$.iss").unwrap()],
        fingerprint: [1; 32],
    }
}

fn tokens() -> [(&'static str, Value, &'static str, &'static str); 3] {
    [
        (
            "RS256",
            json!({
                "kty": "RSA", "e": "AQAB",
                "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ\
                      S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2\
                      R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD\
                      TW9gb54h4FRWyuXpoQ",
            }),
            "eyJhbGciOiJSUzI1NiJ9",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcA\
             cQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOk\
             HWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            "ES256",
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                   "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            "HS256",
            json!({"kty": "oct", "alg": "HS256", "secret": "one"}),
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
    ]
}
