//! Which keys are taken in, and why others are not: each member at its bounds.

use engine::tokens::{Jwk, Key};
use serde_json::{Value, json};

/// Unpadded base64url of `length` bytes: `first`, zeros, `last`.
fn number(length: usize, first: u8, last: u8) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = vec![0; length];
    (bytes[0], bytes[length - 1]) = (first, last);
    let letters = |group: &[u8]| {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (24 - 8 * group.len());
        (0..=group.len()).map(|place| char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63])).collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}

fn rsa() -> Value {
    json!({"kty": "RSA", "alg": "RS256", "kid": "k", "n": number(256, 0x80, 5), "e": "AQAB"})
}

/// RFC 7515 A.3.
fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
           "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
}

/// RFC 8037 A.2.
fn okp() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn oct() -> Value {
    json!({"kty": "oct", "alg": "HS256", "secret": "s"})
}

/// The member that is wrong, or the algorithm.
fn taken(jwk: &Value) -> Result<&'static str, &'static str> {
    let jwk = Jwk::parse(&jwk.to_string()).map_err(|(member, _)| member)?;
    Key::from_jwk(&jwk, None).map(|key| key.algorithm.as_str()).map_err(|(member, _)| member)
}

fn with(mut jwk: Value, changes: &Value) -> Value {
    for (member, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(jwk.as_object_mut().unwrap().remove(member)),
            value => jwk[member] = value.clone(),
        }
    }
    jwk
}

#[test]
fn rsa_keys_are_of_a_sane_length_and_exponent() {
    for (changes, expected) in [
        (json!({}), Ok("RS256")),
        (json!({"alg": null}), Ok("RS256")),
        (json!({"alg": "PS512"}), Ok("PS512")),
        (json!({"alg": "ES256"}), Err("alg")),
        (json!({"alg": "HS256"}), Err("alg")),
        (json!({"alg": "none"}), Err("alg")),
        (json!({"alg": "RSA-OAEP"}), Err("alg")),
        (json!({"n": number(256, 0x7f, 5)}), Err("n")),
        (json!({"n": number(257, 0, 5)}), Err("n")),
        (json!({"n": number(1024, 0x80, 5)}), Ok("RS256")),
        (json!({"n": number(1025, 1, 5)}), Err("n")),
        (json!({"n": number(256, 0x80, 4)}), Err("n")),
        (json!({"n": "AQAB="}), Err("n")),
        (json!({"n": null}), Err("n")),
        (json!({"e": "Aw"}), Ok("RS256")),
        (json!({"e": "AQ"}), Err("e")),
        (json!({"e": "Ag"}), Err("e")),
        (json!({"e": "AAEAAQ"}), Err("e")),
        (json!({"e": number(5, 1, 1)}), Err("e")),
        (json!({"e": null}), Err("e")),
        (json!({"use": "sig"}), Ok("RS256")),
        (json!({"use": "enc"}), Err("use")),
        (json!({"key_ops": ["verify", "sign"]}), Ok("RS256")),
        (json!({"key_ops": ["sign"]}), Err("key_ops")),
        (json!({"key_ops": []}), Err("key_ops")),
        (json!({"kid": ""}), Err("kid")),
        (json!({"d": "AQAB"}), Err("d")),
        (json!({"x5c": ["MII"], "x5t": "a"}), Ok("RS256")),
        (json!({"kty": "rsa"}), Err("kty")),
        (json!({"kid": 1}), Err("")),
    ] {
        assert_eq!(taken(&with(rsa(), &changes)), expected, "{changes}");
    }
}

#[test]
fn points_are_whole_and_on_their_curve() {
    for (jwk, changes, expected) in [
        (ec(), json!({}), Ok("ES256")),
        (ec(), json!({"alg": null}), Ok("ES256")),
        (ec(), json!({"alg": "ES384"}), Err("alg")),
        (ec(), json!({"crv": "P-384"}), Err("alg")),
        (ec(), json!({"crv": "P-384", "alg": null}), Err("x")),
        (ec(), json!({"crv": "secp256k1", "alg": null}), Err("crv")),
        (ec(), json!({"crv": null, "alg": null}), Err("crv")),
        (ec(), json!({"x": number(32, 1, 1)}), Err("x")),
        (ec(), json!({"y": number(31, 1, 1)}), Err("y")),
        (ec(), json!({"y": number(33, 0, 1)}), Err("y")),
        (ec(), json!({"y": null}), Err("y")),
        (ec(), json!({"d": "AQAB"}), Err("d")),
        (okp(), json!({}), Ok("EdDSA")),
        (okp(), json!({"alg": "Ed25519"}), Ok("EdDSA")),
        (okp(), json!({"alg": "ES256"}), Err("alg")),
        (okp(), json!({"crv": "X25519"}), Err("crv")),
        (okp(), json!({"x": number(31, 1, 1)}), Err("x")),
        (okp(), json!({"y": number(32, 1, 1)}), Err("y")),
    ] {
        assert_eq!(taken(&with(jwk, &changes)), expected, "{changes}");
    }
}

#[test]
fn a_secret_is_named_and_never_written() {
    for (changes, expected) in [
        (json!({}), Ok("HS256")),
        (json!({"alg": "HS512"}), Ok("HS512")),
        (json!({"alg": null}), Err("alg")),
        (json!({"alg": "RS256"}), Err("alg")),
        (json!({"alg": "A256GCM"}), Err("alg")),
        (json!({"secret": null}), Err("secret")),
        (json!({"k": "AAAA"}), Err("k")),
    ] {
        assert_eq!(taken(&with(oct(), &changes)), expected, "{changes}");
    }
}

#[test]
fn secrets_are_as_long_as_their_hash() {
    for (alg, bytes) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let jwk = Jwk::parse(&with(oct(), &json!({"alg": alg})).to_string()).unwrap();
        let missing = |length: usize| Key::from_jwk(&jwk, Some(&vec![1; length])).unwrap().missing_secret().is_some();
        assert_eq!((missing(bytes - 1), missing(bytes)), (true, false), "{alg}");
    }
}
