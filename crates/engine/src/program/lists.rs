//! The part `lists` of a bundle: the account's named lists that the zone's programs use.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;

use super::sets::{Addresses, HostNames, List, Lists, Ranges, Strings};

/// Entries of all lists of a zone, and bytes of a list's name.
const MAX_ITEMS: usize = 1_000_000;
const MAX_NAME_BYTES: usize = 50;

/// See the module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListsPart {
    pub lists: Vec<ListEntry>,
}

/// One list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListEntry {
    pub name: String,
    pub kind: Kind,
    /// Strings; of the kind `int` integers.
    pub items: Vec<Json>,
}

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Addresses and networks.
    Ip,
    String,
    Int,
    /// Names in lower case; `*.example.com` is every name below it.
    Hostname,
}

impl ListsPart {
    /// The lists by name.
    ///
    /// # Errors
    /// Every mistake: where, and a sentence.
    pub fn load(self) -> Result<Lists, Vec<(String, String)>> {
        let count: usize = self.lists.iter().map(|list| list.items.len()).sum();
        if count > MAX_ITEMS {
            return Err(vec![("lists".into(), format!("hold {count} items, not at most {MAX_ITEMS}"))]);
        }
        let (mut lists, mut mistakes) = (Lists::new(), Vec::new());
        for (index, entry) in self.lists.into_iter().enumerate() {
            let mut note = |member: &str, message: String| mistakes.push((format!("lists[{index}].{member}"), message));
            if !is_name(&entry.name) {
                note("name", format!("is not 1 to {MAX_NAME_BYTES} of a-z, 0-9 and _"));
            }
            match load(entry.kind, entry.items) {
                Err(message) => note("items", message),
                Ok(list) => {
                    if lists.insert(entry.name, Arc::new(list)).is_some() {
                        note("name", "is there twice".into());
                    }
                }
            }
        }
        if mistakes.is_empty() { Ok(lists) } else { Err(mistakes) }
    }
}

/// As Cloudflare names lists.
fn is_name(name: &str) -> bool {
    let is_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    matches!(name.len(), 1..=MAX_NAME_BYTES) && name.bytes().all(is_byte)
}

fn load(kind: Kind, items: Vec<Json>) -> Result<List, String> {
    match kind {
        Kind::Int => {
            let integers = items.iter().map(|item| item.as_i64().map(|integer| (integer, integer)));
            let integers: Option<Vec<_>> = integers.collect();
            integers.map(|integers| List::Integers(Ranges::new(integers))).ok_or_else(|| "are not all integers".into())
        }
        Kind::Ip => Ok(List::Addresses(Addresses::parse(strings(items)?.iter().map(String::as_str))?)),
        Kind::String => {
            Ok(List::Strings(Strings::new(strings(items)?.into_iter().map(|item| item.into_bytes().into()).collect())))
        }
        Kind::Hostname => {
            let names = strings(items)?;
            match names.iter().find(|name| name.is_empty() || name.bytes().any(|byte| byte.is_ascii_uppercase())) {
                Some(name) => Err(format!("hold `{}`, which is not in lower case", super::sets::shown(name))),
                None => Ok(List::HostNames(HostNames::new(names))),
            }
        }
    }
}

fn strings(items: Vec<Json>) -> Result<Vec<String>, String> {
    let string = |item| if let Json::String(text) = item { Ok(text) } else { Err("are not all strings".to_owned()) };
    items.into_iter().map(string).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::Value;

    fn lists(part: Json) -> Result<Lists, Vec<(String, String)>> {
        ListsPart::deserialize(part).unwrap().load()
    }

    #[test]
    fn lists_hold_what_their_kind_says() {
        let lists = lists(json!({"lists": [
            {"name": "offices", "kind": "ip", "items": ["192.0.2.0/24", "2001:db8::1"]},
            {"name": "words", "kind": "string", "items": ["a", "B"]},
            {"name": "ports", "kind": "int", "items": [80, 443]},
            {"name": "hosts", "kind": "hostname", "items": ["a.example.com", "*.example.org"]},
        ]}));
        let lists = lists.unwrap();
        let holds = |name: &str, value: Value<'_>| lists[name].contains(&value);
        assert!(holds("offices", Value::Ip([192, 0, 2, 9].into())) && !holds("offices", Value::Ip([192, 0, 3, 9].into())));
        assert!(holds("words", Value::text("B")) && !holds("words", Value::text("b")));
        assert!(holds("ports", Value::Integer(443)) && !holds("ports", Value::Integer(444)));
        assert!(holds("hosts", Value::text("X.example.org")) && !holds("hosts", Value::text("example.org")));
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let mistakes = lists(json!({"lists": [
            {"name": "Offices", "kind": "ip", "items": ["192.0.2.0/24"]},
            {"name": "a", "kind": "ip", "items": ["x"]},
            {"name": "b", "kind": "int", "items": ["1"]},
            {"name": "c", "kind": "hostname", "items": ["A"]},
            {"name": "d", "kind": "string", "items": [1]},
            {"name": "e", "kind": "string", "items": []},
            {"name": "e", "kind": "string", "items": []},
        ]}));
        let mistakes: Vec<_> = mistakes.unwrap_err().into_iter().map(|(path, message)| format!("{path} {message}")).collect();
        assert_eq!(
            mistakes,
            [
                "lists[0].name is not 1 to 50 of a-z, 0-9 and _",
                "lists[1].items holds `x`, which is no address or network",
                "lists[2].items are not all integers",
                "lists[3].items hold `A`, which is not in lower case",
                "lists[4].items are not all strings",
                "lists[6].name is there twice",
            ]
        );
    }
}
