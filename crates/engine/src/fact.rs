//! Facts: one typed thing known about a Transaction each, by name. A definition says what it is, when it can be known and how it
//! is read; reading is pure and happens only when a rule asks. What is dear is computed once and kept by its feature.

use std::net::IpAddr;

use crate::transaction::{Inspected, StateStep};
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

/// The type of a fact's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactType {
    Bool,
    Integer,
    String,
    Ip,
    StringArray,
}

impl FactType {
    /// The word in documentation, as in Cloudflare's rule language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "Boolean",
            Self::Integer => "Integer",
            Self::String => "String",
            Self::Ip => "IP address",
            Self::StringArray => "Array<String>",
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
    /// A counter outside is asked.
    State,
}

impl Cost {
    /// The word in documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Count => "count",
            Self::Parse => "parse",
            Self::State => "state",
        }
    }
}

/// A fact's value.
#[derive(Clone, Debug, PartialEq)]
pub enum FactValue<'t> {
    Bool(bool),
    Integer(u64),
    Text(&'t str),
    Ip(IpAddr),
    Texts(Vec<&'t str>),
}

/// A fact about one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<'t> {
    Value(FactValue<'t>),
    /// The transaction has no such thing.
    Missing,
    /// It could not be found out: the rule's fail mode applies.
    Error(FactError),
    /// Only in replays: the record does not hold it.
    NotRecorded,
}

impl Fact<'_> {
    pub(crate) const fn bool(value: bool) -> Self {
        Fact::Value(FactValue::Bool(value))
    }
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
    pub fact_type: FactType,
    /// From which phase on it is known.
    pub phase: Phase,
    pub cost: Cost,
    /// Whose definition it follows.
    pub source: &'static str,
    pub doc: &'static str,
    pub(crate) read: for<'t> fn(&'t Inspected) -> Fact<'t>,
    pub(crate) body: fn(&Inspected) -> BodyUse,
    pub(crate) state: Option<fn(&Inspected) -> StateStep>,
}

impl FactDef {
    /// A fact that the request's or response's head tells.
    pub(crate) const fn head(
        name: &'static str,
        fact_type: FactType,
        source: &'static str,
        doc: &'static str,
        read: for<'t> fn(&'t Inspected) -> Fact<'t>,
    ) -> Self {
        Self {
            name,
            fact_type,
            phase: Phase::RequestHead,
            cost: Cost::Free,
            source,
            doc,
            read,
            body: |_| BodyUse::Nothing,
            state: None,
        }
    }
}

impl PartialEq for FactDef {
    /// Names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
