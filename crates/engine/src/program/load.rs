//! Loading a program: from the JSON of a bundle to nodes that can be run, with the type of each. What cannot be run is refused
//! here, each mistake with its place; nothing is checked again later.

use serde::Deserialize;
use serde_json::Value as Json;

use super::Program;
use super::constants::{bytes, integer, set_predicate, text};
use super::functions::Function;
use super::node::{Id, Node, Shape};
use super::predicate::{Order, Predicate, compile_regex};
use super::sets::{Lists, shown};
use super::share::{ALONE, Mark, Piece, mark};
use super::wildcard::Wildcard;
use crate::fact::FactDef;
use crate::features;
use crate::value::{MapKey, Type};

/// Nodes of one program, and how often they are run at most in all (a node may be used several times).
pub const MAX_NODES: usize = 16_384;
const MAX_STEPS: u64 = 65_536;
/// How deep nodes stand in one another.
const MAX_DEPTH: u32 = 128;

/// A program as a bundle holds it: `[op, …]` each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramEntry {
    pub nodes: Vec<Vec<Json>>,
}

/// Where in the program (`nodes[3]`), and a sentence.
pub type Mistake = (String, String);

struct Loader<'l> {
    lists: &'l Lists,
    nodes: Vec<Node>,
    shapes: Vec<Shape>,
    sizes: Vec<Size>,
    marks: Vec<Mark>,
    facts: Vec<&'static FactDef>,
}

/// What running a node takes, with everything below it.
#[derive(Clone, Copy)]
struct Size {
    steps: u64,
    depth: u32,
}

impl Program {
    /// Loads a program that may name these lists.
    ///
    /// # Errors
    /// The first mistake: where, and a sentence.
    pub fn load(entry: &ProgramEntry, lists: &Lists) -> Result<Self, Mistake> {
        let count = entry.nodes.len();
        if !(1..=MAX_NODES).contains(&count) {
            return Err(("nodes".into(), format!("has {count} entries, not 1 to {MAX_NODES}")));
        }
        let mut loader =
            Loader { lists, nodes: Vec::new(), shapes: Vec::new(), sizes: Vec::new(), marks: Vec::new(), facts: Vec::new() };
        for (index, node) in entry.nodes.iter().enumerate() {
            loader.add(node).map_err(|message| (format!("nodes[{index}]"), message))?;
        }
        if loader.shapes.last().is_some_and(|shape| shape.is_stream) {
            return Err((format!("nodes[{}]", count - 1), "is a stream: it stands in no function that takes it together".into()));
        }
        let Loader { nodes, shapes, facts, marks, .. } = loader;
        let places = vec![ALONE; count].into();
        Ok(Self { nodes: nodes.into(), shapes: shapes.into(), facts: facts.into(), marks: marks.into(), places })
    }

    /// Loads a condition.
    ///
    /// # Errors
    /// The first mistake: where, and a sentence.
    pub fn load_condition(entry: &ProgramEntry, lists: &Lists) -> Result<Self, Mistake> {
        let program = Self::load(entry, lists)?;
        match program.result() {
            Type::Bool => Ok(program),
            other => Err((format!("nodes[{}]", program.root()), format!("is of type {other}: a condition is a Boolean"))),
        }
    }
}

type Loaded = Result<(Node, Shape), String>;

impl Loader<'_> {
    fn add(&mut self, node: &[Json]) -> Result<(), String> {
        let Some((op, rest)) = node.split_first() else { return Err("is empty".into()) };
        let op = op.as_str().ok_or("does not begin with the name of an operation")?;
        let (node, shape) = self.node(op, rest)?;
        let size = self.size(&node)?;
        self.marks.push(self.mark(op, rest));
        self.nodes.push(node);
        self.shapes.push(shape);
        self.sizes.push(size);
        Ok(())
    }

    fn node(&mut self, op: &str, rest: &[Json]) -> Loaded {
        match (op, rest) {
            ("fact", [name]) => {
                let fact = features::fact(text(name)?)?;
                self.asks(fact);
                Ok((Node::Fact(fact), Shape::one(fact.fact_type)))
            }
            ("bool", [Json::Bool(value)]) => Ok((Node::Bool(*value), Shape::BOOL)),
            ("int", [value]) => Ok((Node::Integer(integer(value)?), Shape::one(Type::Integer))),
            ("str", [value]) => Ok((Node::Bytes(text(value)?.as_bytes().into()), Shape::one(Type::String))),
            ("bytes", [value]) => Ok((Node::Bytes(bytes(value)?.into()), Shape::one(Type::String))),
            ("ip", [value]) => {
                let address = text(value)?.parse().map_err(|_| "is no IP address".to_owned())?;
                Ok((Node::Ip(address), Shape::one(Type::Ip)))
            }
            ("index", [of, index]) => self.index(self.id(of)?, integer(index)?),
            ("key", [of, key]) => self.key(self.id(of)?, key),
            ("each", [of]) => {
                let (of, shape) = self.of(of)?;
                let item = shape.value_type.item().ok_or_else(|| format!("is of {}, which has no elements", shape.value_type))?;
                Ok((Node::Each(of), Shape { value_type: item, is_stream: true }))
            }
            ("not", [of]) => {
                let (of, _) = self.of(of)?;
                Ok((Node::Not(of), self.conditions(&[of])?))
            }
            ("and" | "or", items) if items.len() >= 2 => {
                let items = self.ids(items)?;
                let shape = self.conditions(&items)?;
                Ok((if op == "and" { Node::And(items) } else { Node::Or(items) }, shape))
            }
            ("xor", [one, other]) => {
                let (one, other) = (self.id(one)?, self.id(other)?);
                Ok((Node::Xor(one, other), self.conditions(&[one, other])?))
            }
            ("call", [name, items @ ..]) => self.call(text(name)?, items),
            ("in", [of, set]) => self.test(of, |shape| set_predicate(set, shape.value_type)),
            ("in_list", [of, name]) => self.in_list(of, text(name)?),
            ("contains", [of, part]) => self.contains(of, part),
            ("matches", [of, pattern]) => {
                let pattern = text(pattern)?;
                self.test_string(of, || Ok(Predicate::Matches(Box::new(compile_regex(pattern)?))))
            }
            ("wildcard" | "strict_wildcard", [of, pattern]) => {
                let (pattern, is_strict) = (text(pattern)?, op == "strict_wildcard");
                self.test_string(of, || Ok(Predicate::Wildcard(Box::new(Wildcard::new(pattern.as_bytes(), is_strict)?))))
            }
            ("bitand", [of, bits]) => {
                let bits = integer(bits)?;
                self.test(of, |shape| match shape.value_type {
                    Type::Integer => Ok(Predicate::Bits(bits)),
                    other => Err(format!("takes an Integer, not {other}")),
                })
            }
            (op, [one, other]) if Order::parse(op).is_some() => {
                self.compare(Order::parse(op).unwrap_or(Order::Equal), one, other)
            }
            _ => Err(match OPERATIONS.contains(&op) {
                true => format!("gives `{op}` other arguments than it takes"),
                false => features::unknown("operation", op, OPERATIONS.into_iter()),
            }),
        }
    }

    /// Only of nodes that were loaded: their references are good.
    fn mark(&self, op: &str, rest: &[Json]) -> Mark {
        let piece = |(place, part): (usize, &Json)| match part.as_u64().filter(|_| is_reference(op, place)) {
            Some(id) => Piece::Node(self.marks[id as usize]),
            None => Piece::Text(part.to_string()),
        };
        mark(std::iter::once(Piece::Text(op.to_owned())).chain(rest.iter().enumerate().map(piece)))
    }

    fn asks(&mut self, fact: &'static FactDef) {
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }

    /// An earlier node.
    fn id(&self, reference: &Json) -> Result<Id, String> {
        let id = reference.as_u64().filter(|id| *id < self.nodes.len() as u64);
        id.map(|id| id as Id).ok_or_else(|| format!("refers to {}, which is no earlier node", shown(&reference.to_string())))
    }

    fn ids(&self, references: &[Json]) -> Result<Box<[Id]>, String> {
        references.iter().map(|reference| self.id(reference)).collect()
    }

    fn shape(&self, id: Id) -> Shape {
        self.shapes[id as usize]
    }

    fn of(&self, reference: &Json) -> Result<(Id, Shape), String> {
        let id = self.id(reference)?;
        Ok((id, self.shape(id)))
    }

    fn index(&self, of: Id, index: i64) -> Loaded {
        let shape = self.shape(of);
        let index = usize::try_from(index).map_err(|_| "has a negative index".to_owned())?;
        match shape.value_type {
            Type::Array(item) => Ok((Node::Index(of, index), Shape { value_type: *item, ..shape })),
            other => Err(format!("takes an index of {other}: only arrays have places")),
        }
    }

    fn key(&self, of: Id, key: &Json) -> Loaded {
        let shape = self.shape(of);
        let key = MapKey::new(text(key)?.as_bytes());
        let Type::Map(item) = shape.value_type else {
            return Err(format!("takes a key of {}: only maps have names", shape.value_type));
        };
        let node = match &self.nodes[of as usize] {
            Node::Fact(fact) => Node::FactKey(fact, key),
            _ => Node::Key(of, key),
        };
        Ok((node, Shape { value_type: *item, ..shape }))
    }

    /// Either one condition each, or arrays of them.
    fn conditions(&self, items: &[Id]) -> Result<Shape, String> {
        let mut shapes = items.iter().map(|item| self.shape(*item));
        if shapes.clone().all(Shape::is_condition) {
            Ok(Shape::BOOL)
        } else if shapes.all(Shape::is_conditions) {
            Ok(Shape::one(Type::Array(&Type::Bool)))
        } else {
            Err("joins what is not all Booleans, nor all arrays of them".into())
        }
    }

    fn test(&self, of: &Json, predicate: impl FnOnce(Shape) -> Result<Predicate, String>) -> Loaded {
        let (of, shape) = self.of(of)?;
        Ok((Node::Test(of, predicate(shape)?), compared(shape)))
    }

    fn test_string(&self, of: &Json, predicate: impl FnOnce() -> Result<Predicate, String>) -> Loaded {
        self.test(of, |shape| match shape.value_type {
            Type::String => predicate(),
            other => Err(format!("takes a String, not {other}")),
        })
    }

    fn in_list(&self, of: &Json, name: &str) -> Loaded {
        let list = self.lists.get(name).ok_or_else(|| format!("names the list `{}`, which is not in the bundle", shown(name)))?;
        self.test(of, |shape| match list.item_type() {
            item if item == shape.value_type => Ok(Predicate::List(list.clone())),
            item => Err(format!("looks for {} in a list of {item}", shape.value_type)),
        })
    }

    fn contains(&self, of: &Json, part: &Json) -> Loaded {
        let part = self.id(part)?;
        let Node::Bytes(part) = &self.nodes[part as usize] else {
            return Err("looks for something other than a constant".into());
        };
        let finder = || memchr::memmem::Finder::new(part).into_owned();
        self.test_string(of, || Ok(Predicate::Contains(Box::new(finder()))))
    }

    fn compare(&self, order: Order, one: &Json, other: &Json) -> Loaded {
        let ((one, shape), (other, with)) = (self.of(one)?, self.of(other)?);
        if shape.value_type != with.value_type || with.is_stream {
            return Err(format!("compares {} with {}", shape.value_type, with.value_type));
        }
        let node = match (&self.nodes[other as usize], shape.value_type) {
            (Node::Integer(constant), _) => Node::Test(one, Predicate::Integer(order, *constant)),
            (Node::Bytes(constant), _) => Node::Test(one, Predicate::String(order, constant.clone())),
            (Node::Ip(constant), _) => Node::Test(one, Predicate::Ip(order, *constant)),
            (_, Type::Integer | Type::String | Type::Ip) => Node::Compare(order, one, other),
            (_, other) => return Err(format!("compares values of type {other}, which have no order")),
        };
        Ok((node, compared(shape)))
    }

    fn call(&self, name: &str, items: &[Json]) -> Loaded {
        let function = Function::parse(name).ok_or_else(|| features::unknown("function", name, Function::names()))?;
        let items = self.ids(items)?;
        let shapes: Vec<_> = items.iter().map(|item| self.shape(*item)).collect();
        if matches!(function, Function::Any | Function::All) {
            return match shapes[..] {
                [shape] if shape.is_conditions() => Ok((Node::Call(function, items), Shape::BOOL)),
                _ => Err(format!("gives `{name}` something other than one array of Booleans")),
            };
        }
        if shapes.iter().skip(1).any(|shape| shape.is_stream) {
            return Err(format!("gives `{name}` a stream behind its first argument"));
        }
        let types: Vec<_> = shapes.iter().map(|shape| shape.value_type).collect();
        let result = function.result(&types).map_err(|message| format!("calls `{name}`, which {message}"))?;
        let result = match shapes.first() {
            Some(Shape { is_stream: true, .. }) => result.array().ok_or("makes arrays of arrays of arrays")?,
            _ => result,
        };
        let node = self.tested(function, &items, &shapes);
        Ok((node.unwrap_or(Node::Call(function, items)), Shape::one(result)))
    }

    /// A call that only asks something of one value, with a constant, is a test like any other.
    fn tested(&self, function: Function, items: &[Id], shapes: &[Shape]) -> Option<Node> {
        let [of, part] = items else { return None };
        let Node::Bytes(part) = &self.nodes[*part as usize] else { return None };
        let predicate = match function {
            Function::StartsWith => Predicate::StartsWith(part.clone()),
            Function::EndsWith => Predicate::EndsWith(part.clone()),
            _ => return None,
        };
        // Over a stream of something missing a call is missing, and a test an empty array.
        (!shapes[0].is_stream).then_some(Node::Test(*of, predicate))
    }

    /// Everything that is run for a node, were no part of it shared.
    fn size(&self, node: &Node) -> Result<Size, String> {
        let below = |items: &[Id]| {
            let sizes = items.iter().map(|item| self.sizes[*item as usize]);
            sizes.fold(Size { steps: 1, depth: 1 }, |all, one| Size {
                steps: all.steps.saturating_add(one.steps),
                depth: all.depth.max(one.depth + 1),
            })
        };
        let size = match node {
            Node::Index(of, _) | Node::Key(of, _) | Node::Each(of) | Node::Not(of) | Node::Test(of, _) => below(&[*of]),
            Node::Xor(one, other) | Node::Compare(_, one, other) => below(&[*one, *other]),
            Node::And(items) | Node::Or(items) | Node::Call(_, items) => below(items),
            _ => below(&[]),
        };
        match size {
            Size { steps, .. } if steps > MAX_STEPS => Err(format!("takes more than {MAX_STEPS} steps")),
            Size { depth, .. } if depth > MAX_DEPTH => Err(format!("stands deeper than {MAX_DEPTH}")),
            size => Ok(size),
        }
    }
}

const OPERATIONS: [&str; 26] = [
    "fact",
    "bool",
    "int",
    "str",
    "bytes",
    "ip",
    "index",
    "key",
    "each",
    "not",
    "and",
    "or",
    "xor",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "contains",
    "matches",
    "wildcard",
    "strict_wildcard",
    "bitand",
    "in",
    "in_list",
];

/// Whether a node stands at this place behind the operation.
fn is_reference(op: &str, place: usize) -> bool {
    match op {
        "fact" | "bool" | "int" | "str" | "bytes" | "ip" => false,
        "call" => place > 0,
        "and" | "or" | "xor" | "contains" => true,
        _ => place == 0 || Order::parse(op).is_some(),
    }
}

pub(super) fn mark_of_fact(fact: &FactDef) -> Mark {
    mark([Piece::Text("fact".to_owned()), Piece::Text(Json::from(fact.name).to_string())].into_iter())
}

/// A comparison of one value, or of each of a stream.
fn compared(shape: Shape) -> Shape {
    if shape.is_stream { Shape::one(Type::Array(&Type::Bool)) } else { Shape::BOOL }
}
