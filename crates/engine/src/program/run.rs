//! Runs a program against facts, from its root down, no further than the answer needs. Scalars are borrowed, arrays behind `[*]`
//! are walked in place: nothing is allocated unless a function makes a new value.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::functions::{Arguments, Function};
use super::node::{Id, Node, Shape};
use super::predicate::{Predicate, compare};
use super::share::Place;
use crate::fact::{Fact, Facts};
use crate::value::{Array, Type, Value};
use crate::verdict::FactError;

/// What is there instead of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    Missing,
    NotRecorded,
    Error(FactError),
}

impl Gap {
    fn is_missing(&self) -> bool {
        *self == Self::Missing
    }
}

/// Whether a stream goes on; `Break(None)`: nobody wants more of it.
type Flow = ControlFlow<Option<Gap>>;

const ENOUGH: Flow = ControlFlow::Break(None);
const MORE: Flow = ControlFlow::Continue(());

type Conditions = SmallVec<[bool; 16]>;

/// See the module.
pub struct Run<'f, F> {
    pub nodes: &'f [Node],
    pub shapes: &'f [Shape],
    pub places: &'f [u16],
    pub shared: &'f [Place<'f>],
    pub facts: &'f F,
}

impl<'f, F: Facts> Run<'f, F> {
    fn node(&self, id: Id) -> &'f Node {
        &self.nodes[id as usize]
    }

    fn shape(&self, id: Id) -> Shape {
        self.shapes[id as usize]
    }

    /// What others share of this node; none where it stands alone.
    fn shared(&self, id: Id) -> Option<&'f Result<Value<'f>, Gap>> {
        let place = self.shared.get(usize::from(self.places[id as usize]))?;
        Some(place.get_or_init(|| self.computed(id)))
    }

    /// One condition; what is missing is false.
    pub fn truth(&self, id: Id) -> Result<bool, Gap> {
        match self.shared(id) {
            None => self.decided(id),
            Some(Ok(value)) => Ok(matches!(value, Value::Bool(true))),
            Some(Err(Gap::Missing)) => Ok(false),
            Some(Err(gap)) => Err(*gap),
        }
    }

    fn holds(&self, predicate: &Predicate, of: Id) -> Result<bool, Gap> {
        match self.shared(of) {
            Some(Ok(value)) => Ok(predicate.holds(value)),
            Some(Err(gap)) => Err(*gap),
            None => self.computed(of).map(|value| predicate.holds(&value)),
        }
    }

    fn decided(&self, id: Id) -> Result<bool, Gap> {
        let found = match self.node(id) {
            Node::Test(of, predicate) => self.holds(predicate, *of),
            Node::And(items) => self.settled(items, false),
            Node::Or(items) => self.settled(items, true),
            Node::Not(of) => self.truth(*of).map(|truth| !truth),
            Node::Xor(one, other) => self.truth(*one).and_then(|one| Ok(one ^ self.truth(*other)?)),
            Node::Compare(order, one, other) => {
                self.value(*one).and_then(|one| Ok(order.holds(compare(&one, &self.value(*other)?))))
            }
            Node::Call(Function::Any, items) => self.has(items[0], true),
            Node::Call(Function::All, items) => self.has(items[0], false).map(|has| !has),
            _ => self.computed(id).map(|value| matches!(value, Value::Bool(true))),
        };
        match found {
            Err(Gap::Missing) => Ok(false),
            found => found,
        }
    }

    /// `and`, `or`: settled by the first item that is false, or true; a gap counts only when none is (Kleene), and before all others what
    /// was not recorded, for it could have settled it.
    fn settled(&self, items: &[Id], by: bool) -> Result<bool, Gap> {
        let mut gap = None;
        for item in items {
            match self.truth(*item) {
                Ok(truth) if truth == by => return Ok(by),
                Ok(_) => {}
                Err(found) if found == Gap::NotRecorded => gap = Some(found),
                Err(found) => gap = gap.or(Some(found)),
            }
        }
        gap.map_or(Ok(!by), Err)
    }

    /// Whether one of these conditions is so.
    fn has(&self, id: Id, wanted: bool) -> Result<bool, Gap> {
        let mut has = false;
        let flow = self.conditions(id, &mut |truth| {
            has = truth == wanted;
            if has { ENOUGH } else { MORE }
        });
        ended(flow).map(|()| has)
    }

    /// One value.
    pub fn value(&self, id: Id) -> Result<Value<'f>, Gap> {
        match self.shared(id) {
            Some(Ok(value)) => Ok(value.view()),
            Some(Err(gap)) => Err(*gap),
            None => self.computed(id),
        }
    }

    fn computed(&self, id: Id) -> Result<Value<'f>, Gap> {
        match self.node(id) {
            Node::Fact(fact) => known(self.facts.read(fact)),
            Node::FactKey(fact, key) => known(self.facts.read_key(fact, key)),
            Node::Bool(value) => Ok(Value::Bool(*value)),
            Node::Integer(value) => Ok(Value::Integer(*value)),
            Node::Bytes(value) => Ok(Value::bytes(value)),
            Node::Ip(value) => Ok(Value::Ip(*value)),
            _ if self.shape(id).is_stream => self.collected(id),
            Node::Index(of, index) => match self.value(*of)? {
                Value::Array(array) => array.get(*index).ok_or(Gap::Missing),
                _ => Err(Gap::Missing),
            },
            Node::Key(of, key) => match self.value(*of)? {
                Value::Map(map) => map.get(key).ok_or(Gap::Missing),
                _ => Err(Gap::Missing),
            },
            Node::Call(function, items) if !matches!(function, Function::Any | Function::All) => {
                match items.first().is_some_and(|first| self.shape(*first).is_stream) {
                    true => self.collected(id),
                    false => self.call(*function, items, None),
                }
            }
            // Written as functions: of something missing they are missing, where a comparison is false.
            Node::Test(of, predicate @ (Predicate::StartsWith(_) | Predicate::EndsWith(_))) => {
                self.holds(predicate, *of).map(Value::Bool)
            }
            _ if self.shape(id).value_type == Type::Bool => self.decided(id).map(Value::Bool),
            _ => {
                let mut all = Vec::new();
                let flow = self.conditions(id, &mut |truth| {
                    all.push(Value::Bool(truth));
                    MORE
                });
                ended(flow).map(|()| Value::Array(Array::Values(all)))
            }
        }
    }

    /// A stream, or a call over one, as an array.
    fn collected(&self, id: Id) -> Result<Value<'f>, Gap> {
        let mut all = Vec::new();
        let mut take = |value| {
            all.push(value);
            MORE
        };
        let flow = match self.node(id) {
            Node::Call(function, items) => self.each_result(*function, items, &mut take),
            _ => self.each(id, &mut take),
        };
        ended(flow).map(|()| Value::Array(Array::Values(all)))
    }

    /// Every value of a stream; what is missing in it is left out, a stream of something missing breaks off with that.
    fn each(&self, id: Id, take: &mut dyn FnMut(Value<'f>) -> Flow) -> Flow {
        match self.node(id) {
            Node::Each(of) if self.shape(*of).is_stream => self.each(*of, &mut |value| spread(value, take)),
            Node::Each(of) => match self.node(*of) {
                Node::Call(function, items) if items.first().is_some_and(|first| self.shape(*first).is_stream) => {
                    self.each_result(*function, items, take)
                }
                _ => self.value(*of).map_or_else(|gap| ControlFlow::Break(Some(gap)), |value| spread(value, take)),
            },
            Node::Index(of, index) => self.each(*of, &mut |value| match value {
                Value::Array(array) => array.get(*index).map_or(MORE, &mut *take),
                _ => MORE,
            }),
            Node::Key(of, key) => self.each(*of, &mut |value| match value {
                Value::Map(map) => map.get(key).map_or(MORE, &mut *take),
                _ => MORE,
            }),
            _ => MORE,
        }
    }

    /// A call for each value of its first argument.
    fn each_result(&self, function: Function, items: &[Id], take: &mut dyn FnMut(Value<'f>) -> Flow) -> Flow {
        self.each(items[0], &mut |value| match self.call(function, items, Some(value)) {
            Ok(result) => take(result),
            Err(Gap::Missing) => MORE,
            Err(gap) => ControlFlow::Break(Some(gap)),
        })
    }

    fn call(&self, function: Function, items: &[Id], first: Option<Value<'f>>) -> Result<Value<'f>, Gap> {
        function.apply(&mut Given { run: self, items, first }, Gap::is_missing)?.ok_or(Gap::Missing)
    }

    /// Conditions on each value, in order.
    fn conditions(&self, id: Id, take: &mut dyn FnMut(bool) -> Flow) -> Flow {
        match self.node(id) {
            Node::Test(of, predicate) => present(self.each(*of, &mut |value| take(predicate.holds(&value)))),
            Node::Compare(order, of, other) => match self.value(*other) {
                Ok(other) => present(self.each(*of, &mut |value| take(order.holds(compare(&value, &other))))),
                Err(Gap::Missing) => present(self.each(*of, &mut |_| take(false))),
                Err(gap) => ControlFlow::Break(Some(gap)),
            },
            Node::Not(of) => self.conditions(*of, &mut |truth| take(!truth)),
            Node::And(items) => self.pairwise(items, |one, other| one && other, take),
            Node::Or(items) => self.pairwise(items, |one, other| one || other, take),
            Node::Xor(one, other) => self.pairwise(&[*one, *other], |one, other| one ^ other, take),
            _ if self.shape(id).is_stream => present(self.each(id, &mut |value| take(matches!(value, Value::Bool(true))))),
            _ => match self.value(id) {
                Ok(value) => spread(value, &mut |value| take(matches!(value, Value::Bool(true)))),
                Err(gap) => ControlFlow::Break(Some(gap)),
            },
        }
    }

    /// Element by element, as long as the shortest.
    fn pairwise(&self, items: &[Id], join: fn(bool, bool) -> bool, take: &mut dyn FnMut(bool) -> Flow) -> Flow {
        let mut joined: Option<Conditions> = None;
        for item in items {
            let mut all = Conditions::new();
            let flow = self.conditions(*item, &mut |truth| {
                all.push(truth);
                MORE
            });
            if let ControlFlow::Break(Some(gap)) = flow {
                return ControlFlow::Break(Some(gap));
            }
            joined = Some(match joined {
                None => all,
                Some(before) => before.into_iter().zip(all).map(|(one, other)| join(one, other)).collect(),
            });
        }
        joined.unwrap_or_default().into_iter().try_for_each(take)
    }
}

/// The arguments of one call; the first may be given.
struct Given<'r, 'f, F> {
    run: &'r Run<'f, F>,
    items: &'r [Id],
    first: Option<Value<'f>>,
}

impl<'f, F: Facts> Arguments<'f, Gap> for Given<'_, 'f, F> {
    fn count(&self) -> usize {
        self.items.len()
    }

    fn value(&mut self, index: usize) -> Result<Value<'f>, Gap> {
        match self.first.take_if(|_| index == 0) {
            Some(first) => Ok(first),
            None => self.run.value(self.items[index]),
        }
    }
}

fn known(fact: Fact<'_>) -> Result<Value<'_>, Gap> {
    match fact {
        Fact::Value(value) => Ok(value),
        Fact::Missing => Err(Gap::Missing),
        Fact::NotRecorded => Err(Gap::NotRecorded),
        Fact::Error(error) => Err(Gap::Error(error)),
    }
}

fn spread<'f>(value: Value<'f>, take: &mut dyn FnMut(Value<'f>) -> Flow) -> Flow {
    match value {
        Value::Array(array) => array.each(take),
        Value::Map(map) => map.each(take),
        _ => MORE,
    }
}

/// Comparing each of something missing gives no condition at all.
fn present(flow: Flow) -> Flow {
    match flow {
        ControlFlow::Break(Some(Gap::Missing)) => MORE,
        flow => flow,
    }
}

fn ended(flow: Flow) -> Result<(), Gap> {
    match flow {
        ControlFlow::Break(Some(gap)) => Err(gap),
        _ => Ok(()),
    }
}
