//! Project Wycheproof's tests of JWS and JWK, from a folder beside the project (`HOPLON_SHARED`, else `../shared`): nothing that is
//! invalid is accepted, everything valid is, but for the rows of [`DECIDED`]. Skipped, and said so, where the folder is not there.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use engine::tokens::jws::Compact;
use engine::tokens::{Jwk, Key, KeySet, base64url};
use serde_json::Value;

/// Rows that contradict an RFC or another row, and how they are decided: whether the token is accepted, and why.
/// docs/reference/tokens.md has the same table.
const DECIDED: [((&str, u64), bool, &str); 7] = [
    (("json_web_signature_test", 346), false, "the key is for PS256, the token says PS384"),
    (("json_web_signature_test", 350), false, "the key is for PS256, the token says PS384"),
    (("json_web_signature_test", 351), false, "the key is for `ES521`, which is no algorithm of RFC 7518"),
    (("json_web_signature_test", 372), false, "`?` stands in the encoded header: RFC 7515 §2 allows no foreign character"),
    (("json_web_signature_test", 373), false, "`?` stands in the encoded payload: RFC 7515 §2 allows no foreign character"),
    (("json_web_signature_test", 367), true, "called invalid; key and token are, byte by byte, those of the valid row 357"),
    (("json_web_signature_test", 370), true, "called invalid; key and token are, byte by byte, those of the valid row 357"),
];

fn rows() -> Option<Vec<Value>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var_os("HOPLON_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let Ok(file) = std::fs::File::open(shared.join("data/jose/wycheproof_jose.jsonl.gz")) else {
        eprintln!("skipped: no data/jose; set HOPLON_SHARED to the folder that holds data/");
        return None;
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The verifier's half of a row's key or keys; a secret moves to where secrets are.
fn keys(row: &Value) -> Result<KeySet, String> {
    let whole = if row["public"].is_null() { &row["private"] } else { &row["public"] };
    let list = whole.get("keys").map_or_else(|| vec![whole.clone()], |keys| keys.as_array().unwrap().clone());
    let keys = list.into_iter().map(key).collect::<Result<_, _>>()?;
    KeySet::new(keys)
}

fn key(mut jwk: Value) -> Result<Key, String> {
    let members = jwk.as_object_mut().unwrap();
    let secret = members.remove("k").and_then(|k| base64url::decode(k.as_str().unwrap().as_bytes()));
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        members.remove(private);
    }
    if secret.is_some() {
        members.insert("secret".into(), "delivered".into());
    }
    let jwk: Jwk = serde_json::from_value(jwk).map_err(|error| error.to_string())?;
    Key::from_jwk(&jwk, secret.as_deref()).map_err(|(member, message)| format!("{member} {message}"))
}

/// None of JSON serialisations and JWE are read: what is no compact text is handed in as it stands in the file.
fn accepted(row: &Value) -> Result<(), String> {
    let token = if row["jws"].is_null() { &row["jwe"] } else { &row["jws"] };
    let text = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
    let keys = keys(row)?;
    let token = Compact::parse(text.as_bytes()).map_err(|error| error.code().to_owned())?;
    keys.verify(&token).map_err(|error| error.code().to_owned())
}

#[test]
fn nothing_invalid_is_accepted_and_everything_valid_is() {
    let Some(rows) = rows() else { return };
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in &rows {
        let id = (row["file"].as_str().unwrap(), row["tcId"].as_u64().unwrap());
        let is_signed = !row["jws"].is_null();
        let decided = DECIDED.iter().find(|(decided, ..)| *decided == id).map(|(_, is_accepted, _)| *is_accepted);
        let is_expected = decided.unwrap_or(row["result"] == "valid" && is_signed);
        let outcome = accepted(row);
        if outcome.is_ok() != is_expected {
            wrong.push((id, row["comment"].clone(), outcome.clone()));
        }
        let kind = if is_signed { "signed" } else { "encrypted" };
        *counts.entry((kind, if outcome.is_ok() { "accepted" } else { "refused" })).or_default() += 1;
    }
    println!("{counts:?}, of {} rows; decided: {DECIDED:#?}", rows.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
