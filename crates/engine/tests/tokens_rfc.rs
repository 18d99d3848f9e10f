//! The worked examples of the RFCs: keys and tokens as they stand there.

use engine::timestamp::Timestamp;
use engine::tokens::cache::TokenCache;
use engine::tokens::jws::Compact;
use engine::tokens::{Checks, Configuration, Jwk, Key, KeySet, Outcome, TokenError, base64url};
use serde_json::{Value, json};

/// RFC 7515 A.1: {"iss":"joe", "exp":1300819380, "http://example.com/is_root":true}.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const HS256_SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HMAC_KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

fn key(jwk: Value) -> Result<Key, String> {
    let secret = base64url::decode(HMAC_KEY.as_bytes());
    let jwk: Jwk = serde_json::from_value(jwk).unwrap();
    Key::from_jwk(&jwk, secret.as_deref()).map_err(|(member, message)| format!("{member} {message}"))
}

fn keys(jwk: Value) -> KeySet {
    KeySet::new(vec![key(jwk).unwrap()]).unwrap()
}

fn hmac_key() -> Value {
    json!({"kty": "oct", "alg": "HS256", "secret": "rfc7515-a1"})
}

fn verify(jwk: Value, token: &str) -> Result<Vec<u8>, TokenError> {
    let token = Compact::parse(token.as_bytes())?;
    keys(jwk).verify(&token).map(|()| token.payload)
}

/// The last byte of the signed part changed.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let mut payload = base64url::decode(payload.as_bytes()).unwrap();
    *payload.last_mut().unwrap() ^= 1;
    format!("{header}.{}.{signature}", encode(&payload))
}

fn encode(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = |group: &[u8]| group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (24 - 8 * group.len());
    let letters = |group: &[u8]| {
        let bits = bits(group);
        (0..=group.len()).map(move |place| char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63])).collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}

#[test]
fn rfc_7515_signatures_of_appendix_a_are_verified() {
    let rsa = json!({
        "kty": "RSA", "e": "AQAB",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_\
              YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\
              Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    });
    let p256 = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let p521 = json!({
        "kty": "EC", "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    });
    let hs256 = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.{HS256_SIGNATURE}");
    let rs256 = format!(
        "eyJhbGciOiJSUzI1NiJ9.{JOE}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5juj\
         Gbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO\
         --xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe7\
         7Rw"
    );
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let es512 = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0\
                 aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    for (jwk, token) in [(hmac_key(), &*hs256), (rsa, &rs256), (p256, &es256), (p521, es512)] {
        assert!(verify(jwk.clone(), token).is_ok(), "{token}");
        assert_eq!(verify(jwk, &forged(token)), Err(TokenError::Signature));
    }
}

#[test]
fn rfc_8037_the_signature_of_appendix_a_4_is_verified() {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                 hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(verify(jwk.clone(), token).unwrap(), b"Example of Ed25519 signing");
    assert_eq!(verify(jwk, &forged(token)), Err(TokenError::Signature));
}

#[test]
fn rfc_7515_a_5_and_7519_6_1_unsecured_tokens_are_refused_however_none_is_written() {
    let header = |alg: &str| encode(json!({ "alg": alg }).to_string().as_bytes());
    assert_eq!(header("none"), "eyJhbGciOiJub25lIn0");
    for alg in ["none", "None", "NONE", "nOnE", " none", "none\t"] {
        assert_eq!(verify(hmac_key(), &format!("{}.{JOE}.", header(alg))), Err(TokenError::AlgorithmNone), "{alg}");
    }
    assert_eq!(verify(hmac_key(), &format!("{}.{JOE}.", header(""))), Err(TokenError::AlgorithmUnknown));
}

#[test]
fn rfc_7797_section_4_unencoded_payloads_are_refused_though_their_signature_is_good() {
    let encoded = "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ";
    assert_eq!(verify(hmac_key(), encoded).unwrap(), b"$.02");
    for payload in ["", "$.02", "JC4wMg"] {
        let token = format!(
            "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19.{payload}.A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY"
        );
        let error = if payload == "$.02" { TokenError::Parts } else { TokenError::Unencoded };
        assert_eq!(verify(hmac_key(), &token), Err(error), "{payload}");
    }
}

#[test]
fn rfc_7516_encrypted_tokens_are_refused_by_their_five_parts() {
    // The header and the number of parts of appendix A.1.
    let token = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe.\
                 48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvTiFvSkQ";
    assert_eq!(verify(hmac_key(), token), Err(TokenError::Encrypted));
}

#[test]
fn rfc_7517_keys_of_appendix_a_are_taken_in_where_they_are_for_signatures() {
    let ec = json!({
        "kty": "EC", "crv": "P-256", "kid": "1", "use": "enc",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let rsa = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
              tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn\
              1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    assert_eq!(key(ec).unwrap_err(), "use is not `sig`: the key is not for signatures");
    let taken = key(rsa).unwrap();
    assert_eq!((taken.kid.as_deref(), taken.algorithm.as_str()), (Some("2011-04-29"), "RS256"));
}

#[test]
fn rfc_7519_section_3_1_the_token_of_joe_is_valid_until_it_expires() {
    let cache = TokenCache::new([0; 32], 0);
    let configuration = Configuration {
        id: "joe".into(),
        recorded_as: "joe".into(),
        recorded_valid: "joe=valid".into(),
        sources: vec![],
        checks: Checks { issuers: vec!["joe".into()], clock_skew_seconds: 60, ..Checks::default() },
        keys: keys(hmac_key()),
        paths: vec![],
        fingerprint: [0; 32],
    };
    let token = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.{HS256_SIGNATURE}");
    let at = |seconds: i64| {
        let now = Timestamp::from_micros(seconds * 1_000_000);
        configuration.judge_token(token.as_bytes(), now, &cache).map(|judged| judged.outcome)
    };
    let Ok(Outcome::Valid(verified)) = at(1_300_819_379 + 60) else { panic!("it is valid up to a minute after `exp`") };
    assert_eq!(verified.issuer.as_deref(), Some("joe"));
    assert_eq!(at(1_300_819_380 + 60).unwrap_err(), TokenError::Expired);
}
