//! The constants of a program as a bundle writes them: strings, bytes, integers, sets. Whatever is not of its form is a sentence.

use serde::Deserialize;
use serde_json::Value as Json;

use super::functions::decode_base64;
use super::predicate::Predicate;
use super::sets::{Addresses, Ranges, Strings, shown};
use crate::value::Type;

/// Bytes of one string, and entries of one set.
const MAX_STRING_BYTES: usize = 64 << 10;
const MAX_SET_ENTRIES: usize = 100_000;

/// A string.
pub fn text(json: &Json) -> Result<&str, String> {
    match json.as_str() {
        Some(text) if text.len() <= MAX_STRING_BYTES => Ok(text),
        Some(text) => Err(format!("holds a string of {} bytes, not at most {MAX_STRING_BYTES}", text.len())),
        None => Err(format!("has {} where a string stands", shown(&json.to_string()))),
    }
}

/// Bytes in base64.
pub fn bytes(json: &Json) -> Result<Vec<u8>, String> {
    decode_base64(text(json)?.as_bytes()).ok_or_else(|| "has bytes that are not base64".to_owned())
}

/// An integer.
pub fn integer(json: &Json) -> Result<i64, String> {
    json.as_i64().ok_or_else(|| format!("has {} where an integer of 64 bits stands", shown(&json.to_string())))
}

/// `{"ints": …}`, `{"ips": …}`, `{"strs": …, "bytes": …}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetEntry {
    #[serde(default)]
    ints: Vec<(i64, i64)>,
    #[serde(default)]
    strs: Vec<String>,
    #[serde(default)]
    bytes: Vec<Json>,
    #[serde(default)]
    ips: Vec<String>,
}

/// What `in` asks of values of this type.
pub fn set_predicate(set: &Json, of: Type) -> Result<Predicate, String> {
    let entry = SetEntry::deserialize(set).map_err(|error| format!("has a set that cannot be read: {error}"))?;
    let SetEntry { ints, strs, bytes: raw, ips } = &entry;
    let count = ints.len() + strs.len() + raw.len() + ips.len();
    if count > MAX_SET_ENTRIES {
        return Err(format!("has a set of {count} entries, not at most {MAX_SET_ENTRIES}"));
    }
    match of {
        Type::Integer if count == ints.len() => Ok(Predicate::Integers(Ranges::new(entry.ints))),
        Type::Ip if count == ips.len() => Ok(Predicate::Addresses(Addresses::parse(ips.iter().map(String::as_str))?)),
        Type::String if count == strs.len() + raw.len() => {
            let mut strings: Vec<Box<[u8]>> = strs.iter().map(|string| string.as_bytes().into()).collect();
            for string in raw {
                strings.push(bytes(string)?.into());
            }
            Ok(Predicate::Strings(Strings::new(strings)))
        }
        other => Err(format!("looks for {other} in a set of something else")),
    }
}
