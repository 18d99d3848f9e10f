//! What a record answers about tokens: whether one was there, valid, and why not, as it was judged then. Only where the policy still has
//! the configuration that judged it; its keys may have changed since, which changes nothing about that moment. Claims are never recorded.

use super::facts::Recorded;
use crate::fact::Fact;
use crate::tokens::Configuration;
use crate::value::{Array, Map, MapKey, Value};

/// The answer about one configuration whose outcome has this code.
type ByCode = for<'t> fn(&'t str) -> Fact<'t>;

/// Maps by configuration.
const MAPS: &[(&str, ByCode)] = &[
    ("hoplon.token.present", |code| Fact::bool(code != "absent")),
    ("hoplon.token.valid", |code| Fact::bool(code == "valid")),
    ("hoplon.token.error", |code| if matches!(code, "absent" | "valid") { Fact::Missing } else { Fact::text(code) }),
];
const CLAIMS: &str = "http.request.jwt.claims";

/// Whether records can answer this fact about tokens.
pub(super) fn is_recorded(fact: &str) -> bool {
    MAPS.iter().any(|(name, _)| *name == fact)
}

/// The answer to a fact about tokens, whole or under one name; none for other facts.
pub(super) fn answer<'t>(t: &'t Recorded<'t>, fact: &str, key: Option<&MapKey>) -> Option<Fact<'t>> {
    let map = MAPS.iter().find(|(name, _)| *name == fact).map(|(_, by_code)| *by_code);
    match (map, key) {
        (Some(by_code), key) => Some(by_configuration(t, by_code, key)),
        (None, _) if !fact.starts_with(CLAIMS) => None,
        (None, None) if fact.ends_with(".names") || fact.ends_with(".values") => Some(list(t)),
        (None, key) => Some(by_configuration(t, |code| if code == "valid" { Fact::NotRecorded } else { Fact::Missing }, key)),
    }
}

fn by_configuration<'t>(t: &'t Recorded<'t>, by_code: ByCode, key: Option<&MapKey>) -> Fact<'t> {
    let one = |configuration| recorded(t, configuration).map_or(Fact::NotRecorded, by_code);
    let Some(key) = key else { return whole(t, one) };
    let configuration = t.zone.tokens.iter().find(|configuration| configuration.id.as_bytes() == key.bytes());
    configuration.map_or(Fact::Missing, one)
}

fn whole<'t>(t: &'t Recorded<'t>, one: impl Fn(&'t Configuration) -> Fact<'t>) -> Fact<'t> {
    let mut entries = Vec::new();
    for configuration in &t.zone.tokens {
        match one(configuration) {
            Fact::Value(value) => entries.push((configuration.id.as_bytes().into(), value)),
            Fact::Missing => {}
            other => return other,
        }
    }
    Fact::Value(Value::Map(Map::Entries(entries)))
}

/// No token was valid: no claim of any.
fn list<'t>(t: &'t Recorded<'t>) -> Fact<'t> {
    let is_refused = |configuration| recorded(t, configuration).is_some_and(|code| code != "valid");
    if t.zone.tokens.iter().all(is_refused) { Fact::Value(Value::Array(Array::Values(Vec::new()))) } else { Fact::NotRecorded }
}

/// The code of what became of the token of this very configuration.
fn recorded<'t>(t: &'t Recorded<'t>, configuration: &Configuration) -> Option<&'t str> {
    t.row.tokens?.split(';').find_map(|said| said.strip_prefix(&*configuration.recorded_as)?.strip_prefix('='))
}
