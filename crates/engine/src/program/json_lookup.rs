//! `lookup_json_string`, `lookup_json_integer`, and what authorization asks of claims and bodies: a value of a JSON text by names
//! and places. A text that is no JSON, or larger than is parsed, has none.

use super::functions::Function;
use crate::json::{Kind, Limits, Value as Json, parse};
use crate::value::Value;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 64, nodes: 1 << 16, issues: 0 };

/// The function's value; `rest` are its arguments behind the text.
pub fn call<'f>(function: Function, text: &[u8], rest: &[Value<'_>]) -> Option<Value<'f>> {
    let document = parse(text, &LIMITS).ok();
    let find = |keys: &[Value<'_>], is_unique| document.as_ref().and_then(|document| find(document.root(), keys, is_unique));
    match function {
        Function::LookupJsonString => {
            find(rest, false)?.as_str().map(|found| Value::String(found.into_owned().into_bytes().into()))
        }
        Function::LookupJsonInteger => {
            let found = find(rest, false).filter(|found| found.kind() == Kind::Integer)?;
            found.raw().parse().ok().map(Value::Integer)
        }
        Function::LookupJsonText => text_of(find(rest, true)?).map(|text| Value::String(text.into_bytes().into())),
        Function::JsonHasWord => {
            let (Value::String(word), keys) = rest.split_first()? else { return None };
            Some(Value::Bool(find(keys, true).is_some_and(|found| has_word(found, word))))
        }
        _ => None,
    }
}

/// Of members with one name the last; none of them where a name has to be unique, to applications that disregard case too.
fn find<'d, 'a>(root: Json<'d, 'a>, keys: &[Value<'_>], is_unique: bool) -> Option<Json<'d, 'a>> {
    keys.iter().try_fold(root, |value, key| match key {
        Value::Integer(index) => value.elements().nth(usize::try_from(*index).ok()?),
        Value::String(name) if is_unique => {
            let mut alike = value.members().filter(|(member, _)| is_same_to_some(member, name));
            let (member, found) = alike.next()?;
            (member.as_bytes() == &**name && alike.next().is_none()).then_some(found)
        }
        Value::String(name) => value.members().filter(|(member, _)| member.as_bytes() == &**name).last().map(|(_, value)| value),
        _ => None,
    })
}

/// Whether an application may take one name for the other: Go, ASP.NET Core and others look members up without regard to case, Go
/// with U+017F for `s` and U+212A for `k`.
fn is_same_to_some(member: &str, name: &[u8]) -> bool {
    let folded = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    let name = std::str::from_utf8(name).unwrap_or_default();
    member.chars().map(folded).eq(name.chars().map(folded))
}

/// A scalar as text: a string's characters, anything else as it is written.
fn text_of(value: Json<'_, '_>) -> Option<String> {
    match value.kind() {
        Kind::String => value.as_str().map(Into::into),
        Kind::Boolean | Kind::Integer | Kind::Number => Some(value.raw().to_owned()),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

/// Between blanks of a string (RFC 8693 §4.2), or as an element of an array.
fn has_word(value: Json<'_, '_>, word: &[u8]) -> bool {
    match value.as_str() {
        Some(text) => text.as_bytes().split(|byte| *byte == b' ').any(|found| !found.is_empty() && found == word),
        None => value.elements().filter_map(Json::as_str).any(|found| found.as_bytes() == word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_up(function: Function, text: &str, rest: &[Value<'_>]) -> String {
        match call(function, text.as_bytes(), rest) {
            Some(Value::String(found)) => String::from_utf8(found.into_owned()).unwrap(),
            Some(Value::Integer(found)) => found.to_string(),
            Some(Value::Bool(found)) => found.to_string(),
            _ => "-".into(),
        }
    }

    #[test]
    fn values_are_found_by_names_and_places() {
        const TEXT: &str = r#"{"a": {"b": [1, "x", {"c": "\u0041"}], "b2": 1.0}, "n": -7, "t": true, "d": 1, "d": 2, "z": null}"#;
        let (name, at) = (Value::text as fn(&'static str) -> Value<'static>, |index| Value::Integer(index));
        for (function, rest, expected) in [
            (Function::LookupJsonString, vec![name("a"), name("b"), at(1)], "x"),
            (Function::LookupJsonString, vec![name("a"), name("b"), at(2), name("c")], "A"),
            (Function::LookupJsonString, vec![name("n")], "-"),
            (Function::LookupJsonString, vec![name("missing")], "-"),
            (Function::LookupJsonString, vec![name("a"), at(0)], "-"),
            (Function::LookupJsonInteger, vec![name("a"), name("b"), at(0)], "1"),
            (Function::LookupJsonInteger, vec![name("a"), name("b2")], "-"),
            (Function::LookupJsonInteger, vec![name("n")], "-7"),
            (Function::LookupJsonInteger, vec![name("d")], "2"),
            (Function::LookupJsonInteger, vec![name("a"), name("b"), at(-1)], "-"),
            (Function::LookupJsonText, vec![name("d")], "-"),
            (Function::LookupJsonText, vec![name("t")], "true"),
            (Function::LookupJsonText, vec![name("a"), name("b2")], "1.0"),
            (Function::LookupJsonText, vec![name("z")], "-"),
        ] {
            assert_eq!(looked_up(function, TEXT, &rest), expected, "{function:?} {rest:?}");
        }
        assert_eq!(looked_up(Function::LookupJsonString, "{", &[name("a")]), "-");
    }

    #[test]
    fn a_name_that_another_reader_takes_for_the_same_is_not_unique() {
        let owner = |text| looked_up(Function::LookupJsonText, text, &[Value::text("risk")]);
        assert_eq!(owner(r#"{"risk": "a", "other": "b"}"#), "a");
        for twice in [r#"{"risk": "a", "RISK": "b"}"#, r#"{"Risk": "b", "risk": "a"}"#, r#"{"risk": "a", "ri\u017f\u212a": "b"}"#]
        {
            assert_eq!(owner(twice), "-", "{twice}");
        }
        assert_eq!(owner(r#"{"Risk": "a"}"#), "-", "the name itself is exact");
        assert_eq!(looked_up(Function::LookupJsonString, r#"{"risk": "a", "RISK": "b"}"#, &[Value::text("risk")]), "a");
    }

    #[test]
    fn a_word_is_between_blanks_or_an_element() {
        let has = |text, word: &'static str| looked_up(Function::JsonHasWord, text, &[Value::text(word), Value::text("scope")]);
        assert_eq!(has(r#"{"scope": "orders:read orders:write"}"#, "orders:write"), "true");
        assert_eq!(has(r#"{"scope": "orders:writer"}"#, "orders:write"), "false");
        assert_eq!(has(r#"{"scope": ["orders:write"]}"#, "orders:write"), "true");
        assert_eq!(has(r#"{"scope": ["a orders:write"]}"#, "orders:write"), "false");
        assert_eq!(has(r#"{"scope": ""}"#, ""), "false");
        assert_eq!(has(r#"{"scope": "a", "scope": "a"}"#, "a"), "false");
        assert_eq!(has("no json", "a"), "false");
    }
}
