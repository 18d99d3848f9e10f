//! `name=value` pairs of queries, forms and cookies as maps: nothing is decoded, a name without `=` has the empty value, an empty
//! pair is none, names stand in order of first appearance.

use std::borrow::Cow;

use hashbrown::HashMap;

use crate::url::percent_decoded;
use crate::value::{Array, Map, MapKey, Value};

/// How pairs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `a=b&c=d`.
    Query,
    /// `a=b; c=d` (RFC 6265 §4.2.1); names are percent-decoded, as Cloudflare does.
    Cookies,
}

type Pair<'t> = (Cow<'t, [u8]>, &'t [u8]);

impl Style {
    fn pairs(self, text: &[u8]) -> impl Iterator<Item = Pair<'_>> {
        let separator = if self == Self::Query { b'&' } else { b';' };
        text.split(move |byte| *byte == separator).filter_map(move |pair| self.pair(pair))
    }

    fn pair(self, pair: &[u8]) -> Option<Pair<'_>> {
        let pair = if self == Self::Cookies { pair.trim_ascii() } else { pair };
        let end = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = end.map_or((pair, &[][..]), |end| (&pair[..end], &pair[end + 1..]));
        match self {
            _ if pair.is_empty() => None,
            Self::Query => Some((name.into(), value)),
            Self::Cookies => Some((percent_decoded(name.trim_ascii_end()), value.trim_ascii_start())),
        }
    }

    /// All of them, by name.
    pub fn map<'t>(self, texts: impl Iterator<Item = &'t [u8]>) -> Value<'t> {
        let mut places: HashMap<Cow<'t, [u8]>, usize> = HashMap::new();
        let mut entries: Vec<(Cow<'t, [u8]>, Vec<Value<'t>>)> = Vec::new();
        for (name, value) in texts.flat_map(|text| self.pairs(text)) {
            let place = *places.entry(name.clone()).or_insert(entries.len());
            if place == entries.len() {
                entries.push((name, Vec::new()));
            }
            entries[place].1.push(Value::bytes(value));
        }
        let array = |values| Value::Array(Array::Values(values));
        Value::Map(Map::Entries(entries.into_iter().map(|(name, values)| (name, array(values))).collect()))
    }

    /// The values under one name.
    pub fn under<'t>(self, texts: impl Iterator<Item = &'t [u8]>, key: &MapKey) -> Option<Value<'t>> {
        let pairs = texts.flat_map(|text| self.pairs(text));
        let values: Vec<_> = pairs.filter(|(name, _)| **name == *key.bytes()).map(|(_, value)| Value::bytes(value)).collect();
        (!values.is_empty()).then_some(Value::Array(Array::Values(values)))
    }

    /// Every name, repeated ones each time.
    pub fn names(self, text: &[u8]) -> Value<'_> {
        Value::Array(Array::Values(self.pairs(text).map(|(name, _)| Value::String(name)).collect()))
    }

    /// Every value.
    pub fn values(self, text: &[u8]) -> Value<'_> {
        Value::Array(Array::Values(self.pairs(text).map(|(_, value)| Value::bytes(value)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(value: Value<'_>) -> Vec<String> {
        let Value::Array(Array::Values(items)) = value else { panic!("an array") };
        let text = |item| if let Value::String(text) = item { String::from_utf8(text.into_owned()).ok() } else { None };
        items.into_iter().filter_map(text).collect()
    }

    #[test]
    fn pairs_are_read_as_they_stand() {
        let text = b"a=1&b&&a=%32&c=x=y&=z";
        assert_eq!(items(Style::Query.names(text)), ["a", "b", "a", "c", ""]);
        assert_eq!(items(Style::Query.values(text)), ["1", "", "%32", "x=y", "z"]);
        let under = |name: &str| Style::Query.under([&text[..]].into_iter(), &MapKey::new(name.as_bytes())).map(items);
        assert_eq!(under("a").unwrap(), ["1", "%32"]);
        assert_eq!(under("b").unwrap(), [""]);
        assert!(under("d").is_none());
    }

    #[test]
    fn names_of_cookies_are_decoded_and_merged() {
        let texts = [&b" sid=1 ; s%69d = 2;flag"[..], b"other=%20"];
        let under = |name: &str| Style::Cookies.under(texts.into_iter(), &MapKey::new(name.as_bytes())).map(items);
        assert_eq!(under("sid").unwrap(), ["1", "2"]);
        assert_eq!(under("flag").unwrap(), [""]);
        assert_eq!(under("other").unwrap(), ["%20"]);
        let Value::Map(map) = Style::Cookies.map(texts.into_iter()) else { panic!("a map") };
        assert_eq!(map.get(&MapKey::new(b"sid")).map(items).unwrap(), ["1", "2"]);
    }
}
