//! Programs against a table of facts: each operation, what is missing, what was not recorded, and what is refused.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::*;
use crate::value::{Array, Map, MapKey, Value};

/// Facts by name; those that are not in it are missing.
#[derive(Default)]
struct Table(HashMap<&'static str, Json>);

impl Facts for Table {
    fn read(&self, fact: &'static FactDef) -> Fact<'_> {
        match self.0.get(fact.name) {
            None => Fact::Missing,
            Some(json) if *json == json!({"not": "recorded"}) => Fact::NotRecorded,
            Some(json) if *json == json!({"not": "known"}) => Fact::Error(FactError::OverLimit),
            Some(json) => Fact::Value(value(json)),
        }
    }
}

fn value(json: &Json) -> Value<'_> {
    match json {
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Integer(value.as_i64().unwrap()),
        Json::String(text) => text.parse().map_or(Value::text(text), Value::Ip),
        Json::Array(items) => Value::Array(Array::Values(items.iter().map(value).collect())),
        Json::Object(entries) => {
            Value::Map(Map::Entries(entries.iter().map(|(name, item)| (name.as_bytes().into(), value(item))).collect()))
        }
        Json::Null => unreachable!("no fact is null"),
    }
}

fn load(nodes: &Json) -> Result<Program, Mistake> {
    let lists = json!({"lists": [{"name": "offices", "kind": "ip", "items": ["192.0.2.0/24"]}]});
    let lists = ListsPart::deserialize(lists).unwrap().load().unwrap();
    Program::load(&ProgramEntry::deserialize(json!({"nodes": nodes})).unwrap(), &lists)
}

fn table() -> Table {
    Table(HashMap::from([
        ("http.request.method", json!("POST")),
        ("http.request.uri.path", json!("/api/Users/7")),
        ("http.request.body.size", json!(12)),
        ("ip.src", json!("192.0.2.7")),
        ("ssl", json!(true)),
        ("http.request.headers", json!({"a": ["x", "Y"], "b": ["z"], "empty": []})),
        ("http.request.headers.names", json!(["a", "b"])),
    ]))
}

/// What the last of these nodes comes to.
fn truth(nodes: &Json) -> Truth {
    load(nodes).unwrap_or_else(|mistake| panic!("{mistake:?}")).truth(&table())
}

fn text(nodes: &Json) -> String {
    let program = load(nodes).unwrap_or_else(|mistake| panic!("{mistake:?}"));
    format!("{:?}", program.trace(&table()).pop().unwrap())
}

const PATH: [&str; 2] = ["fact", "http.request.uri.path"];
const SIZE: [&str; 2] = ["fact", "http.request.body.size"];
const HEADERS: [&str; 2] = ["fact", "http.request.headers"];
const MISSING: [&str; 2] = ["fact", "hoplon.operation.id"];
const ADDRESS: [&str; 2] = ["fact", "ip.src"];

#[test]
fn comparisons_with_constants() {
    for (fact, comparison, expected) in [
        (PATH, json!(["contains", 0, 1]), true),
        (PATH, json!(["matches", 0, "^/api/[A-Z]sers/\\d$"]), true),
        (PATH, json!(["matches", 0, "(?i)^/API/users"]), true),
        (PATH, json!(["matches", 0, "^api"]), false),
        (PATH, json!(["wildcard", 0, "/API/users/*"]), true),
        (PATH, json!(["strict_wildcard", 0, "/API/users/*"]), false),
        (PATH, json!(["in", 0, {"strs": ["/", "/api/Users/7"]}]), true),
        (PATH, json!(["in", 0, {"bytes": ["L2FwaS9Vc2Vycy83"]}]), true),
        (PATH, json!(["in", 0, {"strs": ["/"], "bytes": ["Lw=="]}]), false),
        (PATH, json!(["eq", 0, 1]), false),
        (PATH, json!(["gt", 0, 1]), false),
        (PATH, json!(["lt", 0, 1]), true),
        (SIZE, json!(["in", 0, {"ints": [[1, 5], [12, 12]]}]), true),
        (SIZE, json!(["bitand", 0, 4]), true),
        (SIZE, json!(["bitand", 0, 3]), false),
        (ADDRESS, json!(["in", 0, {"ips": ["192.0.2.0/29"]}]), true),
        (ADDRESS, json!(["in_list", 0, "offices"]), true),
        (MISSING, json!(["eq", 0, 1]), false),
        (MISSING, json!(["ne", 0, 1]), false),
        (MISSING, json!(["contains", 0, 1]), false),
        (MISSING, json!(["matches", 0, ""]), false),
    ] {
        let found = truth(&json!([fact, ["str", "Users"], comparison]));
        assert_eq!(found == Truth::True, expected, "{comparison}");
        let inverted = truth(&json!([fact, ["str", "Users"], comparison, ["not", 2]]));
        assert_eq!(inverted == Truth::True, !expected, "not {comparison}");
    }
    for (op, than, expected) in
        [("eq", 12, true), ("ne", 12, false), ("le", 12, true), ("ge", 12, true), ("lt", 12, false), ("gt", 11, true)]
    {
        assert_eq!(truth(&json!([SIZE, ["int", than], [op, 0, 1]])) == Truth::True, expected, "{op} {than}");
    }
}

#[test]
fn addresses_of_two_families_only_differ() {
    for (op, expected) in [("eq", false), ("ne", true), ("lt", false), ("le", false), ("gt", false), ("ge", false)] {
        assert_eq!(truth(&json!([ADDRESS, ["ip", "::1"], [op, 0, 1]])) == Truth::True, expected, "{op}");
    }
    assert_eq!(truth(&json!([ADDRESS, ["ip", "192.0.2.8"], ["lt", 0, 1]])), Truth::True);
}

#[test]
fn logic_is_kleenes_where_something_was_not_recorded_or_failed() {
    let unknown = json!({"not": "recorded"});
    let failed = json!({"not": "known"});
    let facts = Table(HashMap::from([
        ("ssl", json!(true)),
        ("hoplon.host.known", json!(false)),
        ("hoplon.path.normalised", unknown.clone()),
        ("cf.api_gateway.auth_id_present", failed),
        ("http.request.uri.path", unknown),
    ]));
    let nodes = |root: Json| {
        json!([
            ["fact", "ssl"],
            ["fact", "hoplon.host.known"],
            ["fact", "hoplon.path.normalised"],
            ["fact", "cf.api_gateway.auth_id_present"],
            ["fact", "http.request.uri.path"],
            ["call", "lower", 4],
            ["str", "a"],
            ["eq", 5, 6],
            root
        ])
    };
    for (root, expected) in [
        (json!(["or", 2, 0]), Truth::True),
        (json!(["or", 2, 1]), Truth::Unknown),
        (json!(["and", 2, 1]), Truth::False),
        (json!(["and", 2, 0]), Truth::Unknown),
        (json!(["not", 2]), Truth::Unknown),
        (json!(["xor", 0, 2]), Truth::Unknown),
        (json!(["and", 3, 1]), Truth::False),
        (json!(["or", 1, 3]), Truth::Error(FactError::OverLimit)),
        (json!(["not", 7]), Truth::Unknown),
        (json!(["or", 7, 0]), Truth::True),
    ] {
        assert_eq!(load(&nodes(root.clone())).unwrap().truth(&facts), expected, "{root}");
    }
}

#[test]
fn arrays_and_maps_are_entered_and_walked() {
    for (nodes, expected) in [
        (json!([HEADERS, ["key", 0, "a"], ["index", 1, 1]]), r#"Text("Y")"#),
        (json!([HEADERS, ["key", 0, "a"], ["index", 1, 2]]), "Missing"),
        (json!([HEADERS, ["key", 0, "c"]]), "Missing"),
        (json!([HEADERS, ["key", 0, "a"], ["call", "len", 1]]), "Integer(2)"),
        (json!([HEADERS, ["key", 0, "c"], ["call", "len", 1]]), "Missing"),
        (json!([HEADERS, ["key", 0, "a"], ["each", 1], ["call", "lower", 2]]), r#"Array([Text("x"), Text("y")])"#),
        (json!([HEADERS, ["each", 0], ["index", 1, 0], ["call", "upper", 2]]), r#"Array([Text("X"), Text("Z")])"#),
        (json!([HEADERS, ["each", 0], ["each", 1], ["call", "len", 2]]), "Array([Integer(1), Integer(1), Integer(1)])"),
        (json!([HEADERS, ["key", 0, "c"], ["each", 1], ["call", "lower", 2]]), "Missing"),
    ] {
        assert_eq!(text(&nodes), expected, "{nodes}");
    }
}

#[test]
fn conditions_on_each_element_are_joined_by_any_and_all() {
    let nodes = |name: &str, rest: Json| {
        let mut nodes = vec![json!(HEADERS), json!(["key", 0, name]), json!(["each", 1]), json!(["str", "x"])];
        nodes.extend(rest.as_array().unwrap().iter().cloned());
        json!(nodes)
    };
    for (name, rest, expected) in [
        ("a", json!([["eq", 2, 3], ["call", "any", 4]]), true),
        ("a", json!([["eq", 2, 3], ["call", "all", 4]]), false),
        ("empty", json!([["eq", 2, 3], ["call", "any", 4]]), false),
        ("empty", json!([["eq", 2, 3], ["call", "all", 4]]), true),
        ("c", json!([["eq", 2, 3], ["call", "any", 4]]), false),
        ("c", json!([["eq", 2, 3], ["call", "all", 4]]), true),
        ("a", json!([["eq", 2, 3], ["not", 4], ["call", "any", 5]]), true),
        ("a", json!([["eq", 2, 3], ["contains", 2, 3], ["xor", 4, 5], ["call", "any", 6]]), false),
        ("a", json!([["eq", 2, 3], ["ne", 2, 3], ["or", 4, 5], ["call", "all", 6]]), true),
        ("a", json!([["call", "lower", 2], ["each", 4], ["str", "y"], ["eq", 5, 6], ["call", "any", 7]]), true),
        ("a", json!([["call", "starts_with", 2, 3], ["call", "any", 4]]), true),
    ] {
        assert_eq!(truth(&nodes(name, rest.clone())) == Truth::True, expected, "{name} {rest}");
    }
    // As long as the shortest.
    let short = json!([
        HEADERS,
        ["key", 0, "a"],
        ["each", 1],
        ["key", 0, "b"],
        ["each", 3],
        ["str", "q"],
        ["ne", 2, 5],
        ["ne", 4, 5],
        ["and", 6, 7]
    ]);
    assert_eq!(text(&short), "Array([Bool(true)])");
}

#[test]
fn functions_give_nothing_for_what_is_missing_but_concat_leaves_it_out() {
    for (nodes, expected) in [
        (json!([MISSING, ["call", "lower", 0]]), "Missing"),
        (json!([MISSING, ["str", "a"], ["call", "concat", 0, 1, 1]]), r#"Text("aa")"#),
        (json!([MISSING, ["call", "concat", 0, 0]]), "Missing"),
        (json!([["str", "a"], MISSING, ["call", "starts_with", 0, 1]]), "Missing"),
        (json!([MISSING, ["str", "a"], ["call", "starts_with", 0, 1]]), "Missing"),
        (json!([MISSING, ["str", "a"], ["call", "ends_with", 0, 1], ["not", 2]]), "Bool(true)"),
        (json!([["str", "aXbX"], ["str", "X"], ["call", "remove_bytes", 0, 1]]), r#"Text("ab")"#),
        (json!([["fact", "http.request.headers.names"], ["str", ", "], ["call", "join", 0, 1]]), r#"Text("a, b")"#),
        (json!([HEADERS, ["key", 0, "b"], ["call", "only", 1]]), r#"Text("z")"#),
        (json!([HEADERS, ["key", 0, "a"], ["call", "only", 1]]), "Missing"),
        (json!([["ip", "192.0.2.77"], ["int", 24], ["int", 64], ["call", "cidr", 0, 1, 2]]), r#"Text("192.0.2.0")"#),
        (json!([["ip", "2001:db8:1:2:3::1"], ["int", 24], ["int", 48], ["call", "cidr", 0, 1, 2]]), r#"Text("2001:db8:1::")"#),
        (json!([["ip", "192.0.2.77"], ["int", 48], ["call", "cidr6", 0, 1]]), r#"Text("192.0.2.77")"#),
        (json!([["ip", "192.0.2.77"], ["int", 33], ["int", 64], ["call", "cidr", 0, 1, 2]]), "Missing"),
    ] {
        assert_eq!(text(&nodes), expected, "{nodes}");
    }
}

#[test]
fn a_program_that_cannot_run_is_refused_with_its_place() {
    let deep: Vec<Json> = std::iter::once(json!(["fact", "ssl"])).chain((0..200).map(|i| json!(["not", i]))).collect();
    let wide: Vec<Json> = std::iter::once(json!(["fact", "ssl"])).chain((0..40).map(|i| json!(["xor", i, i]))).collect();
    for (nodes, place, message) in [
        (json!([]), "nodes", "has 0 entries"),
        (json!([[]]), "nodes[0]", "is empty"),
        (json!([["fact", "http.request.uri.pat"]]), "nodes[0]", "did you mean `http.request.uri.path`"),
        (json!([["strict_wildcrd", 0, "x"]]), "nodes[0]", "is an unknown operation: did you mean `strict_wildcard`?"),
        (json!([["not", 0]]), "nodes[0]", "refers to 0, which is no earlier node"),
        (json!([PATH, ["not", 0]]), "nodes[1]", "joins what is not all Booleans"),
        (json!([PATH, ["int", 1], ["eq", 0, 1]]), "nodes[2]", "compares String with Integer"),
        (json!([HEADERS, ["each", 0]]), "nodes[1]", "is a stream"),
        (json!([PATH, ["each", 0]]), "nodes[1]", "is of String, which has no elements"),
        (json!([PATH, ["index", 0, 0]]), "nodes[1]", "takes an index of String"),
        (json!([PATH, ["matches", 0, "("]]), "nodes[1]", "is no regular expression: unclosed group"),
        (json!([PATH, ["matches", 0, "a{1000}{1000}"]]), "nodes[1]", "compiles to more than 256 KiB"),
        (json!([PATH, ["matches", 0, "a".repeat(5000)]]), "nodes[1]", "of 5000 bytes, not at most 4096"),
        (json!([PATH, ["matches", 0, "(a)\\1"]]), "nodes[1]", "backreferences are not supported"),
        (json!([PATH, ["call", "lowr", 0]]), "nodes[1]", "is an unknown function: did you mean `lower`?"),
        (json!([PATH, ["call", "any", 0]]), "nodes[1]", "something other than one array of Booleans"),
        (json!([SIZE, ["call", "lower", 0]]), "nodes[1]", "calls `lower`, which does not take Integer"),
        (json!([ADDRESS, ["in_list", 0, "homes"]]), "nodes[1]", "names the list `homes`"),
        (json!([PATH, ["in_list", 0, "offices"]]), "nodes[1]", "looks for String in a list of IP address"),
        (json!([PATH, ["in", 0, {"ints": [[1, 2]]}]]), "nodes[1]", "looks for String in a set of something else"),
        (json!([ADDRESS, ["in", 0, {"ips": ["x"]}]]), "nodes[1]", "holds `x`, which is no address or network"),
        (json!([PATH, ["in", 0, {"str": []}]]), "nodes[1]", "has a set that cannot be read"),
        (json!(deep), "nodes[128]", "stands deeper than 128"),
        (json!(wide), "nodes[16]", "takes more than 65536 steps"),
    ] {
        let (found, sentence) = load(&nodes).unwrap_err();
        assert_eq!(found, place, "{sentence}");
        assert!(sentence.contains(message), "{sentence} / {message}");
    }
}

#[test]
fn what_looks_secret_is_not_shown() {
    let facts = Table(HashMap::from([(
        "http.request.headers",
        json!({"authorization": ["Bearer abc"], "x-note": ["hello", "ghp_0123456789abcdefghijklmnopqrstuvwxyz"]}),
    )]));
    let program = load(&json!([
        HEADERS,
        ["key", 0, "authorization"],
        ["index", 1, 0],
        ["call", "lower", 2],
        ["str", "Bearer abc"],
        ["eq", 2, 4]
    ]));
    let traced = format!("{:?}", program.unwrap().trace(&facts));
    assert!(!traced.contains("ghp_") && traced.contains("hello") && traced.contains("Bool(true)"), "{traced}");
    // Once: the policy's own constant.
    assert_eq!(traced.to_lowercase().matches("bearer abc").count(), 1, "{traced}");
}

#[test]
fn keys_are_read_alone_where_a_map_can_do_that() {
    let program = load(&json!([HEADERS, ["key", 0, "a"]])).unwrap();
    struct OneKey;
    impl Facts for OneKey {
        fn read(&self, _: &'static FactDef) -> Fact<'_> {
            unreachable!("the whole map is not asked")
        }

        fn read_key(&self, _: &'static FactDef, key: &MapKey) -> Fact<'_> {
            Fact::Value(Value::Integer(key.bytes().len() as i64))
        }
    }
    assert!(matches!(program.value(&OneKey), Fact::Value(Value::Integer(1))));
}

/// Counts how often each fact is read.
struct Counting(Table, std::cell::RefCell<Vec<&'static str>>);

impl Facts for Counting {
    fn read(&self, fact: &'static FactDef) -> Fact<'_> {
        self.1.borrow_mut().push(fact.name);
        self.0.read(fact)
    }
}

#[test]
fn what_programs_ask_alike_is_computed_once_and_answered_alike() {
    let lower_path = [json!(PATH), json!(["call", "lower", 0])];
    let with = |rest: &[Json]| load(&json!([&lower_path[..], rest].concat())).unwrap();
    let mut programs = [
        with(&[json!(["str", "users"]), json!(["contains", 1, 2])]),
        with(&[json!(["str", "orders"]), json!(["contains", 1, 2])]),
        with(&[json!(["str", "users"]), json!(["contains", 1, 2]), json!(["not", 3])]),
        load(&json!([HEADERS, ["key", 0, "a"], ["each", 1], ["str", "x"], ["eq", 2, 3], ["call", "any", 4]])).unwrap(),
        load(&json!([HEADERS, ["key", 0, "a"], ["each", 1], ["str", "q"], ["eq", 2, 3], ["call", "any", 4]])).unwrap(),
        load(&json!([MISSING, ["call", "lower", 0], ["str", "q"], ["ne", 1, 2], ["not", 3]])).unwrap(),
        load(&json!([MISSING, ["call", "lower", 0], ["str", "q"], ["eq", 1, 2]])).unwrap(),
    ];
    let places = share(programs.iter_mut());
    assert_eq!(places, 7, "path, its lower case, one `contains`, headers, their `a`, the missing one, its lower case");
    let facts = Counting(table(), std::cell::RefCell::default());
    let shared = Shared::new(places);
    for program in &programs {
        assert_eq!(program.truth_among(&facts, &shared), program.truth(&facts.0));
    }
    let mut asked = facts.1.borrow().clone();
    asked.sort_unstable();
    assert_eq!(asked, ["hoplon.operation.id", "http.request.headers", "http.request.uri.path"]);
}
