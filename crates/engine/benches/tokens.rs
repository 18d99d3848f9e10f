//! What a token costs: verified, and found in the cache. The tokens are those of RFC 7515 appendix A.
//! `cargo bench -p hoplon-engine --bench tokens` prints nanoseconds.

use std::hint::black_box;
use std::time::Instant;

use engine::Timestamp;
use engine::tokens::{Checks, ClaimPath, Configuration, Jwk, Key, KeySet, Source, TokenCache, base64url};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn main() {
    for (name, jwk, header, signature) in tokens() {
        let token = format!("Bearer {header}.{JOE}.{signature}");
        println!("{name}, verified: {:.0} ns", nanoseconds(&jwk, &token, 0));
        println!("{name}, cached: {:.0} ns", nanoseconds(&jwk, &token, 1 << 20));
    }
}

/// Of one request's headers judged, in the best of these rounds; they are short, so that what else runs on the machine spares some.
fn nanoseconds(jwk: &Value, token: &str, cache_bytes: usize) -> f64 {
    let configuration = configuration(jwk);
    let cache = TokenCache::new([7; 32], cache_bytes);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(token).unwrap());
    let now = Timestamp::from_micros(1_300_819_000_000_000);
    let rounds = (0..2_000).map(|_| {
        let started = Instant::now();
        for _ in 0..10 {
            let judged = configuration.judge(black_box(&headers), now, &cache);
            assert_eq!(judged.outcome.code(), "valid");
        }
        started.elapsed().as_nanos() as f64 / 10.0
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn configuration(jwk: &Value) -> Configuration {
    let secret = base64url::decode(b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    let key = Key::from_jwk(&Jwk::parse(&jwk.to_string()).unwrap(), secret.as_deref()).unwrap();
    Configuration {
        id: "bench".into(),
        recorded_as: "bench".into(),
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
