//! Programs of the rule language: whatever nodes come, they are refused with a reason or run. What a program says while some facts
//! were not recorded it also says when all are known: unknown is never a guess.

#![no_main]

use std::borrow::Cow;
use std::cell::RefCell;

use arbitrary::{Arbitrary, Unstructured};
use engine::fact::{Fact, FactDef, Facts};
use engine::program::{Lists, ListsPart, Program, ProgramEntry, Shared, Truth, share};
use engine::value::{Array, Map};
use engine::{Type, Value};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};

const FACTS: [&str; 12] = [
    "ssl",
    "ip.src",
    "http.host",
    "http.user_agent",
    "http.request.uri.path",
    "http.request.body.raw",
    "http.request.timestamp.sec",
    "http.request.headers",
    "http.request.headers.names",
    "http.request.uri.args",
    "hoplon.operation.variables",
    "http.response.code",
];
const FUNCTIONS: [&str; 20] = [
    "any",
    "all",
    "cidr",
    "cidr6",
    "concat",
    "decode_base64",
    "ends_with",
    "starts_with",
    "join",
    "len",
    "lookup_json_string",
    "lookup_json_integer",
    "lookup_json_text",
    "json_has_word",
    "lower",
    "upper",
    "only",
    "remove_bytes",
    "substring",
    "url_decode",
];
const MAX_NODES: usize = 24;

fuzz_target!(|input: &[u8]| {
    let Some((how, rest)) = input.split_first() else { return };
    if how % 4 == 0 {
        raw(rest);
    } else {
        let _ = structured(&mut Unstructured::new(rest));
    }
});

/// The loader alone, over any JSON.
fn raw(text: &[u8]) {
    let Ok(entry) = serde_json::from_slice::<ProgramEntry>(text) else { return };
    match Program::load(&entry, &lists()) {
        Ok(program) => run([program, again(&entry, &lists())], &mut Unstructured::new(text)),
        Err((place, message)) => assert!(!place.is_empty() && !message.is_empty(), "a refusal has a reason"),
    }
}

/// Nodes that are refused are left out, so that most inputs become a program.
fn structured(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let lists = lists();
    let mut nodes: Vec<Json> = Vec::new();
    while nodes.len() < MAX_NODES && !input.is_empty() {
        nodes.push(node(input, nodes.len())?);
        if is_refused(&nodes, &lists) {
            nodes.pop();
        }
    }
    if let Some(entry) = entry(&nodes)
        && let Ok(program) = Program::load(&entry, &lists)
    {
        run([program, again(&entry, &lists)], input);
    }
    Ok(())
}

fn again(entry: &ProgramEntry, lists: &Lists) -> Program {
    Program::load(entry, lists).expect("what loads once loads twice")
}

/// A stream is only refused where nothing follows it.
fn is_refused(nodes: &[Json], lists: &Lists) -> bool {
    let mut nodes = nodes.to_vec();
    nodes.push(json!(["bool", true]));
    entry(&nodes).is_none_or(|entry| Program::load(&entry, lists).is_err())
}

fn entry(nodes: &[Json]) -> Option<ProgramEntry> {
    serde_json::from_value(json!({"nodes": nodes})).ok()
}

fn node(input: &mut Unstructured<'_>, count: usize) -> arbitrary::Result<Json> {
    // Mostly the nodes before: chains, not stars.
    let mut of = |input: &mut Unstructured<'_>| -> arbitrary::Result<usize> {
        let back = usize::from(input.arbitrary::<u8>()? % 4) + 1;
        Ok(count.saturating_sub(back))
    };
    Ok(match input.int_in_range(0..=19)? {
        0..=4 => json!(["fact", input.choose(&FACTS)?]),
        5 => json!(["str", word(input)?]),
        6 => json!(["int", input.arbitrary::<i8>()?]),
        7 => json!(["index", of(input)?, input.int_in_range(0..=2)?]),
        8 => json!(["key", of(input)?, input.choose(&["a", "b", "c"])?]),
        9 => json!(["each", of(input)?]),
        10 => json!(["not", of(input)?]),
        11 => json!([input.choose(&["and", "or", "xor"])?, of(input)?, of(input)?]),
        12 => json!([input.choose(&["eq", "ne", "lt", "le", "gt", "ge"])?, of(input)?, of(input)?]),
        13 => json!(["contains", of(input)?, of(input)?]),
        14 => json!([input.choose(&["matches", "wildcard", "strict_wildcard"])?, of(input)?, word(input)?]),
        15 => json!(["in", of(input)?, {"strs": [word(input)?, word(input)?]}]),
        16 => json!(["in_list", of(input)?, "hosts"]),
        17 => json!(["call", input.choose(&FUNCTIONS)?, of(input)?]),
        18 => json!(["call", input.choose(&FUNCTIONS)?, of(input)?, of(input)?]),
        _ => json!(["call", input.choose(&FUNCTIONS)?, of(input)?, of(input)?, of(input)?]),
    })
}

fn word(input: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let length = usize::from(input.arbitrary::<u8>()? % 12);
    Ok(String::from_utf8_lossy(input.bytes(length.min(input.len()))?).into_owned())
}

fn lists() -> Lists {
    let part = json!({"lists": [{"name": "hosts", "kind": "hostname", "items": ["a.b", "*.c"]}]});
    let part: ListsPart = serde_json::from_value(part).expect("a lists part");
    part.load().expect("a good list")
}

/// One program twice, so that all it computes can be shared.
fn run(mut programs: [Program; 2], input: &mut Unstructured<'_>) {
    let seed = u64::arbitrary(input).unwrap_or(7);
    let text = input.bytes(input.len().min(512)).unwrap_or_default();
    let places = share(programs.iter_mut());
    let [program, other] = &programs;
    let known = Table { text, seed, unrecorded: 0, asked: RefCell::default() };
    let partly = Table { text, seed, unrecorded: seed as u16, asked: RefCell::default() };
    assert!(!program.trace(&known).is_empty());
    if program.result() == Type::Bool {
        let (all, some) = (program.truth(&known), program.truth(&partly));
        assert!(matches!(all, Truth::True | Truth::False), "nothing is unknown where everything is known");
        let shared = Shared::new(places);
        assert_eq!(program.truth_among(&partly, &shared), some, "sharing changes nothing");
        assert_eq!(other.truth_among(&partly, &shared), some, "for nobody");
        assert!(some == Truth::Unknown || some == all, "{some:?} was a guess: it is {all:?}");
    }
    assert!(known.asked.borrow().iter().all(|name| program.facts().iter().any(|fact| fact.name == *name)), "facts are announced");
    drop(program.value(&known));
}

/// Facts made of the input; one bit each says whether it was recorded.
struct Table<'i> {
    text: &'i [u8],
    seed: u64,
    unrecorded: u16,
    asked: RefCell<Vec<&'static str>>,
}

impl Facts for Table<'_> {
    fn read(&self, fact: &'static FactDef) -> Fact<'_> {
        self.asked.borrow_mut().push(fact.name);
        let place = FACTS.iter().position(|name| *name == fact.name).unwrap_or(0);
        if self.unrecorded >> place & 1 == 1 {
            return Fact::NotRecorded;
        }
        let mut salt = self.seed.rotate_left(place as u32 * 5);
        if salt % 5 == 0 { Fact::Missing } else { Fact::Value(self.value(fact.fact_type, &mut salt)) }
    }
}

impl Table<'_> {
    fn value(&self, of: Type, salt: &mut u64) -> Value<'_> {
        *salt = salt.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let count = (*salt >> 60) as usize % 4;
        match of {
            Type::Bool => Value::Bool(count % 2 == 0),
            Type::Integer => Value::Integer((*salt >> 40) as i8 as i64),
            Type::Ip => Value::Ip([203, 0, 113, *salt as u8].into()),
            Type::String => {
                let from = (*salt >> 32) as usize % (self.text.len() + 1);
                let rest = &self.text[from..];
                Value::bytes(&rest[..rest.len().min(count * 8)])
            }
            Type::Array(item) => Value::Array(Array::Values((0..count).map(|_| self.value(*item, salt)).collect())),
            Type::Map(item) => {
                let names = [&b"a"[..], b"b", b"c"].into_iter().take(count);
                Value::Map(Map::Entries(names.map(|name| (Cow::Borrowed(name), self.value(*item, salt))).collect()))
            }
        }
    }
}
