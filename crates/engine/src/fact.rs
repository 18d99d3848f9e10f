//! Facts: one typed thing known about a Transaction each, by name. A definition says what it is, when it can be known and how it
//! is read; reading is pure and happens only when a rule asks. What is dear is computed once and kept by its feature.

use crate::transaction::{Inspected, Scene};
use crate::value::{MapKey, Type, Value};
use crate::verdict::FactError;

/// When something can be known. Rules run at the end of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    RequestHead,
    RequestBody,
    ResponseHead,
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: [Self; 3] = [Self::RequestHead, Self::RequestBody, Self::ResponseHead];

    /// The word in the bundle and in documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestHead => "request_head",
            Self::RequestBody => "request_body",
            Self::ResponseHead => "response_head",
        }
    }
}

/// What asking for a fact costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// It is known anyway.
    Free,
    /// The body is counted as it passes.
    Count,
    /// The body is held back whole and parsed.
    Parse,
    /// A signature may have to be verified.
    Verify,
}

impl Cost {
    /// The word in documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Count => "count",
            Self::Parse => "parse",
            Self::Verify => "verify",
        }
    }
}

/// A fact about one transaction.
#[derive(Debug)]
pub enum Fact<'t> {
    Value(Value<'t>),
    /// The transaction has no such thing.
    Missing,
    /// It could not be found out: the rule's fail mode applies.
    Error(FactError),
    /// Only in replays: the record does not hold it.
    NotRecorded,
}

impl<'t> Fact<'t> {
    pub(crate) const fn bool(value: bool) -> Self {
        Fact::Value(Value::Bool(value))
    }

    pub(crate) const fn text(value: &'t str) -> Self {
        Fact::Value(Value::text(value))
    }

    pub(crate) fn some(value: Option<Value<'t>>) -> Self {
        value.map_or(Fact::Missing, Fact::Value)
    }
}

/// Where facts are read from: a transaction as it passes, or what a record holds of one.
pub trait Facts {
    /// The whole of it.
    fn read(&self, fact: &'static FactDef) -> Fact<'_>;

    /// What a map holds under this name; by default, of the whole.
    fn read_key(&self, fact: &'static FactDef, key: &MapKey) -> Fact<'_> {
        match self.read(fact) {
            Fact::Value(Value::Map(map)) => Fact::some(map.get(key)),
            Fact::Value(_) => Fact::Missing,
            other => other,
        }
    }
}

/// Which headers reading a fact takes: they are kept as long as a rule may still ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderUse {
    Nothing,
    Request,
    Response,
}

/// How much of the request's body a fact needs of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyUse {
    Nothing,
    Pieces,
    Whole,
}

/// The definition of a fact.
#[derive(Clone, Copy, Debug)]
pub struct FactDef {
    /// As in the rule language: Cloudflare's name where it has one, else `hoplon.…`.
    pub name: &'static str,
    pub fact_type: Type,
    /// From which phase on it is known.
    pub phase: Phase,
    pub cost: Cost,
    /// Whose definition it follows.
    pub source: &'static str,
    pub doc: &'static str,
    pub(crate) read: Read,
    /// Of a map: what stands under one name, where that is cheaper than the whole.
    pub(crate) key: Option<ReadKey>,
    /// Its value itself is a secret: never shown.
    pub(crate) is_secret: bool,
    pub(crate) headers: HeaderUse,
    pub(crate) body: fn(&Inspected) -> BodyUse,
}

pub(crate) type Read = for<'t> fn(&Scene<'t>) -> Fact<'t>;
pub(crate) type ReadKey = for<'t> fn(&Scene<'t>, &MapKey) -> Fact<'t>;

impl FactDef {
    /// A fact that the request's head tells, beside its headers.
    pub(crate) const fn head(name: &'static str, fact_type: Type, source: &'static str, doc: &'static str, read: Read) -> Self {
        Self {
            name,
            fact_type,
            phase: Phase::RequestHead,
            cost: Cost::Free,
            source,
            doc,
            read,
            key: None,
            is_secret: false,
            headers: HeaderUse::Nothing,
            body: |_| BodyUse::Nothing,
        }
    }

    /// Read from the request's headers.
    pub(crate) const fn of_request_headers(self) -> Self {
        Self { headers: HeaderUse::Request, ..self }
    }

    /// Read from the response's headers.
    pub(crate) const fn of_response_headers(self) -> Self {
        Self { headers: HeaderUse::Response, phase: Phase::ResponseHead, ..self }
    }

    /// A value that is never shown.
    pub(crate) const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// A map of which one name can be asked alone.
    pub(crate) const fn by_key(self, key: ReadKey) -> Self {
        Self { key: Some(key), ..self }
    }
}

impl PartialEq for FactDef {
    /// Names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
