//! What each node of a program comes to for given facts, for `explain`: every node is run by itself, so that parts which the
//! answer did not need are shown too. Slow on purpose; values that look secret are not shown.

use std::ops::ControlFlow;

use super::Program;
use super::node::{Id, Node};
use super::run::Gap;
use crate::fact::Facts;
use crate::observe::{Charset, describe, detect, kinds_of_name};
use crate::value::{Array, Value};

/// What is shown of one value.
const MAX_SHOWN_BYTES: usize = 256;
const MAX_SHOWN_ITEMS: usize = 16;

/// A node's value as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    Bool(bool),
    Integer(i64),
    /// Text, cut off and with what is no UTF-8 replaced.
    Text(String),
    /// Stands under a name that looks secret, or looks secret itself: what kind of text it is.
    Redacted(String),
    Array(Vec<Traced>),
    Map(Vec<(String, Traced)>),
    Missing,
    NotRecorded,
    /// The word of the error.
    Error(&'static str),
}

impl Program {
    /// The value of every node, by its number.
    #[must_use]
    pub fn trace(&self, facts: &impl Facts) -> Vec<Traced> {
        let run = self.run(facts, &[]);
        let secret = self.secret_nodes();
        let shown = |id: Id| match run.value(id) {
            Ok(value) => shown(value, secret[id as usize]),
            Err(Gap::Missing) => Traced::Missing,
            Err(Gap::NotRecorded) => Traced::NotRecorded,
            Err(Gap::Error(error)) => Traced::Error(error.as_str()),
        };
        (0..=self.root()).map(shown).collect()
    }

    /// Which nodes hand on what stands under a secret name; conditions tell nothing of it but themselves.
    fn secret_nodes(&self) -> Vec<bool> {
        let mut secret: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let is_secret = match node {
                Node::Fact(fact) => fact.is_secret,
                Node::FactKey(fact, key) => fact.is_secret || is_secret_name(key.bytes()),
                Node::Key(of, key) => secret[*of as usize] || is_secret_name(key.bytes()),
                Node::Index(of, _) | Node::Each(of) => secret[*of as usize],
                Node::Call(_, items) => items.iter().any(|item| secret[*item as usize]),
                _ => false,
            };
            secret.push(is_secret);
        }
        secret
    }
}

fn is_secret_name(name: &[u8]) -> bool {
    !kinds_of_name(&String::from_utf8_lossy(name)).is_empty()
}

fn shown(value: Value<'_>, is_secret: bool) -> Traced {
    match value {
        Value::Bool(value) => Traced::Bool(value),
        Value::Integer(value) => Traced::Integer(value),
        Value::Ip(value) => Traced::Text(value.to_string()),
        Value::String(value) if is_secret => Traced::Redacted(describe(&value)),
        Value::String(value) => text(&value),
        Value::Array(array) => Traced::Array(some(array, is_secret)),
        Value::Map(map) => {
            let mut entries = Vec::new();
            let _ = map.entries(|name, value| {
                entries.push((cut(&name), shown(value, is_secret || is_secret_name(&name))));
                if entries.len() < MAX_SHOWN_ITEMS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            Traced::Map(entries)
        }
    }
}

fn text(value: &[u8]) -> Traced {
    let looks_secret = std::str::from_utf8(value).is_ok_and(|text| !detect(text, Charset::of(value)).is_empty());
    if looks_secret { Traced::Redacted(describe(value)) } else { Traced::Text(cut(value)) }
}

fn cut(value: &[u8]) -> String {
    String::from_utf8_lossy(&value[..value.len().min(MAX_SHOWN_BYTES)]).into_owned()
}

fn some(array: Array<'_>, is_secret: bool) -> Vec<Traced> {
    let mut items = Vec::new();
    let _ = array.each(|item| {
        items.push(shown(item, is_secret));
        if items.len() < MAX_SHOWN_ITEMS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    items
}
