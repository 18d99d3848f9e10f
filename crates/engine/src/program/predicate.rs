//! What a comparison asks of one value: the right-hand side, compiled when the policy is loaded.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

use super::sets::{Addresses, List, Ranges, Strings};
use super::wildcard::Wildcard;
use crate::value::Value;

/// Bytes of a regular expression as written.
pub const MAX_PATTERN_BYTES: usize = 4_096;
/// Bytes of a compiled one, and of what its automaton may keep in each thread while it runs.
const MAX_COMPILED_BYTES: usize = 256 << 10;
const MAX_CACHE_BYTES: usize = 256 << 10;

/// `eq ne lt le gt ge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Order {
    /// The operator of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "lt" => Self::Less,
            "le" => Self::LessEqual,
            "gt" => Self::Greater,
            "ge" => Self::GreaterEqual,
            _ => return None,
        })
    }

    /// Of values that cannot be compared, only `ne` is true: an IPv4 and an IPv6 address.
    #[must_use]
    pub fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub enum Predicate {
    Integer(Order, i64),
    String(Order, Box<[u8]>),
    Ip(Order, IpAddr),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Contains(Box<Finder<'static>>),
    Matches(Box<Regex>),
    Wildcard(Box<Wildcard>),
    /// Whether a bit of these is set.
    Bits(i64),
    Integers(Ranges<i64>),
    Strings(Strings),
    Addresses(Addresses),
    List(Arc<List>),
}

impl Predicate {
    /// Whether it holds for this value; never for one of another type, which the loader lets nobody ask.
    pub fn holds(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Integer(order, other), Value::Integer(value)) => order.holds(Some(value.cmp(other))),
            (Self::String(Order::Equal, other), Value::String(value)) => **value == **other,
            (Self::String(order, other), Value::String(value)) => order.holds(Some((**value).cmp(other))),
            (Self::Ip(order, other), Value::Ip(value)) => order.holds(compare_addresses(*value, *other)),
            (Self::StartsWith(part), Value::String(value)) => value.starts_with(part),
            (Self::EndsWith(part), Value::String(value)) => value.ends_with(part),
            (Self::Contains(needle), Value::String(value)) => needle.find(value).is_some(),
            (Self::Matches(regex), Value::String(value)) => regex.is_match(value),
            (Self::Wildcard(pattern), Value::String(value)) => pattern.matches(value),
            (Self::Bits(bits), Value::Integer(value)) => value & bits != 0,
            (Self::Integers(set), Value::Integer(value)) => set.contains(*value),
            (Self::Strings(set), Value::String(value)) => set.contains(value),
            (Self::Addresses(set), Value::Ip(value)) => set.contains(*value),
            (Self::List(list), value) => list.contains(value),
            _ => false,
        }
    }
}

/// Two values of one type; addresses of two families cannot be compared, nor can arrays.
#[must_use]
pub fn compare(one: &Value<'_>, other: &Value<'_>) -> Option<Ordering> {
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => Some(one.cmp(other)),
        (Value::String(one), Value::String(other)) => Some((**one).cmp(other)),
        (Value::Ip(one), Value::Ip(other)) => compare_addresses(*one, *other),
        _ => None,
    }
}

fn compare_addresses(one: IpAddr, other: IpAddr) -> Option<Ordering> {
    (one.is_ipv4() == other.is_ipv4()).then(|| one.cmp(&other))
}

/// A regular expression over bytes, in time linear in the value. Without Unicode classes, as wirefilter compiles them.
///
/// # Errors
/// A sentence.
pub fn compile_regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("is a regular expression of {} bytes, not at most {MAX_PATTERN_BYTES}", pattern.len()));
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.unicode(false).size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_CACHE_BYTES);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            format!("is a regular expression that compiles to more than {} KiB", MAX_COMPILED_BYTES >> 10)
        }
        // Its last line says what is wrong; those before it draw where.
        error => format!("is no regular expression: {}", last_line(&error.to_string())),
    })
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
