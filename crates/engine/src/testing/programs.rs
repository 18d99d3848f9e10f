//! Programs of the rule language made of bytes, for fuzzing and for properties, and what must hold of every one of them: it is refused
//! with a reason or runs; what it says while some facts were not recorded it also says when all are known (unknown is never a guess);
//! sharing values with another program changes nothing; it asks no fact that it did not announce.

use std::borrow::Cow;
use std::cell::RefCell;

use serde_json::{Value as Json, json};

use crate::fact::{Fact, FactDef, Facts};
use crate::program::{Function, Lists, ListsPart, Program, ProgramEntry, Shared, Truth, share};
use crate::value::{Array, Map, Type, Value};

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
const MAX_NODES: usize = 24;

/// Whatever bytes come, they are refused with a reason or run: JSON as it is (the first byte is divisible by four), else nodes that are
/// made of the bytes.
///
/// # Panics
/// Something that must hold of every program does not.
pub fn check(input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    if how % 4 == 0 { raw(rest) } else { structured(&mut Bytes(rest)) }
}

/// The rest of the input; behind its end there are zeros.
struct Bytes<'i>(&'i [u8]);

impl<'i> Bytes<'i> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn take(&mut self, count: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }

    fn word(&mut self) -> String {
        let length = usize::from(self.byte() % 12);
        String::from_utf8_lossy(self.take(length)).into_owned()
    }
}

/// The loader alone, over any JSON.
fn raw(text: &[u8]) {
    let Ok(entry) = serde_json::from_slice::<ProgramEntry>(text) else { return };
    match Program::load(&entry, &lists()) {
        Ok(program) => run([program, again(&entry, &lists())], &mut Bytes(text)),
        Err((place, message)) => assert!(!place.is_empty() && !message.is_empty(), "a refusal has a reason"),
    }
}

/// Nodes that are refused are left out, so that most inputs become a program.
fn structured(input: &mut Bytes<'_>) {
    let lists = lists();
    let mut nodes: Vec<Json> = Vec::new();
    while nodes.len() < MAX_NODES && !input.0.is_empty() {
        nodes.push(node(input, nodes.len()));
        if is_refused(&nodes, &lists) {
            nodes.pop();
        }
    }
    if let Some(entry) = entry(&nodes)
        && let Ok(program) = Program::load(&entry, &lists)
    {
        run([program, again(&entry, &lists)], input);
    }
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

fn node(input: &mut Bytes<'_>, count: usize) -> Json {
    // Mostly the nodes just before: chains, not stars.
    let of = |input: &mut Bytes<'_>| count.saturating_sub(usize::from(input.byte() % 4) + 1);
    match input.byte() % 20 {
        0..=4 => json!(["fact", input.choose(&FACTS)]),
        5 => json!(["str", input.word()]),
        6 => json!(["int", input.byte() as i8]),
        7 => json!(["index", of(input), input.byte() % 3]),
        8 => json!(["key", of(input), input.choose(&["a", "b", "c"])]),
        9 => json!(["each", of(input)]),
        10 => json!(["not", of(input)]),
        11 => json!([input.choose(&["and", "or", "xor"]), of(input), of(input)]),
        12 => json!([input.choose(&["eq", "ne", "lt", "le", "gt", "ge"]), of(input), of(input)]),
        13 => json!(["contains", of(input), of(input)]),
        14 => json!([input.choose(&["matches", "wildcard", "strict_wildcard"]), of(input), input.word()]),
        15 => json!(["in", of(input), {"strs": [input.word(), input.word()]}]),
        16 => json!(["in_list", of(input), "hosts"]),
        17 => json!(["call", function(input), of(input)]),
        18 => json!(["call", function(input), of(input), of(input)]),
        _ => json!(["call", function(input), of(input), of(input), of(input)]),
    }
}

fn function(input: &mut Bytes<'_>) -> &'static str {
    let names: Vec<_> = Function::names().collect();
    input.choose(&names)
}

fn lists() -> Lists {
    let part = json!({"lists": [{"name": "hosts", "kind": "hostname", "items": ["a.b", "*.c"]}]});
    let part: ListsPart = serde_json::from_value(part).expect("a lists part");
    part.load().expect("a good list")
}

/// One program twice, so that all it computes can be shared.
fn run(mut programs: [Program; 2], input: &mut Bytes<'_>) {
    let seed = input.take(8).iter().fold(7, |seed: u64, byte| seed << 8 | u64::from(*byte));
    let text = input.take(512);
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
        if salt.is_multiple_of(5) { Fact::Missing } else { Fact::Value(self.value(fact.fact_type, &mut salt)) }
    }
}

impl Table<'_> {
    fn value(&self, of: Type, salt: &mut u64) -> Value<'_> {
        *salt = salt.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let count = (*salt >> 60) as usize % 4;
        match of {
            Type::Bool => Value::Bool(count.is_multiple_of(2)),
            Type::Integer => Value::Integer(i64::from((*salt >> 40) as i8)),
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
