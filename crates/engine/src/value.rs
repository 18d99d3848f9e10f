//! Values as rules see them, and their types: scalars, arrays and maps. What a transaction holds is borrowed; headers are
//! read where they stand, so that asking for one of them copies nothing.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::ops::ControlFlow;

use http::header::GetAll;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The type of a value, written as in Cloudflare's rule language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Integer,
    /// Bytes; mostly text, never promised to be.
    String,
    Ip,
    Array(&'static Type),
    Map(&'static Type),
}

impl Type {
    pub const STRINGS: Self = Self::Array(&Self::String);
    pub const FIELDS: Self = Self::Map(&Self::STRINGS);

    /// What an array or a map holds.
    #[must_use]
    pub const fn item(self) -> Option<Self> {
        match self {
            Self::Array(item) | Self::Map(item) => Some(*item),
            _ => None,
        }
    }

    /// The array of this; arrays nest twice at most.
    #[must_use]
    pub const fn array(self) -> Option<Self> {
        Some(Self::Array(match self {
            Self::Bool => &Self::Bool,
            Self::Integer => &Self::Integer,
            Self::String => &Self::String,
            Self::Ip => &Self::Ip,
            Self::Array(Self::String) => &Self::STRINGS,
            Self::Array(_) | Self::Map(_) => return None,
        }))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("Boolean"),
            Self::Integer => f.write_str("Integer"),
            Self::String => f.write_str("String"),
            Self::Ip => f.write_str("IP address"),
            Self::Array(item) => write!(f, "Array<{item}>"),
            Self::Map(item) => write!(f, "Map<{item}>"),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub enum Value<'t> {
    Bool(bool),
    Integer(i64),
    String(Cow<'t, [u8]>),
    Ip(IpAddr),
    Array(Array<'t>),
    Map(Map<'t>),
}

/// Values in order.
#[derive(Debug)]
pub enum Array<'t> {
    /// The values of one header.
    Header(GetAll<'t, HeaderValue>),
    /// The names of all headers, repeated ones each time.
    HeaderNames(&'t HeaderMap),
    /// The values of all headers.
    HeaderValues(&'t HeaderMap),
    Values(Vec<Value<'t>>),
}

/// Values by name.
#[derive(Debug)]
pub enum Map<'t> {
    /// Names in lower case, with all their values.
    Headers(&'t HeaderMap),
    /// In order of first appearance; each name once.
    Entries(Vec<(Cow<'t, [u8]>, Value<'t>)>),
}

/// A constant name in a map, prepared when the policy is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapKey {
    bytes: Box<[u8]>,
    header: Option<HeaderName>,
}

impl MapKey {
    /// A name; one that is not in lower case is no header's.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let header = HeaderName::from_bytes(bytes).ok().filter(|name| name.as_str().as_bytes() == bytes);
        Self { bytes: bytes.into(), header }
    }

    /// As written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The header of this name.
    #[must_use]
    pub fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }
}

impl<'t> Value<'t> {
    /// Borrowed text.
    #[must_use]
    pub const fn text(text: &'t str) -> Self {
        Self::String(Cow::Borrowed(text.as_bytes()))
    }

    /// Borrowed bytes.
    #[must_use]
    pub const fn bytes(bytes: &'t [u8]) -> Self {
        Self::String(Cow::Borrowed(bytes))
    }

    /// A number of bytes or items; beyond `i64` it stays there.
    #[must_use]
    pub fn count(count: u64) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Borrowed texts.
    pub fn texts(texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self::Array(Array::Values(texts.into_iter().map(Value::text).collect()))
    }
}

impl<'t> Array<'t> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Header(values) => values.iter().count(),
            Self::HeaderNames(headers) => headers.len(),
            Self::HeaderValues(headers) => headers.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The one at this place.
    #[must_use]
    pub fn get(self, index: usize) -> Option<Value<'t>> {
        match self {
            Self::Header(values) => values.iter().nth(index).map(field),
            Self::HeaderNames(headers) => headers.iter().nth(index).map(|(name, _)| Value::text(name.as_str())),
            Self::HeaderValues(headers) => headers.values().nth(index).map(field),
            Self::Values(values) => values.into_iter().nth(index),
        }
    }

    /// Each in turn, until one breaks off.
    pub fn each<B>(self, mut take: impl FnMut(Value<'t>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Header(values) => values.iter().map(field).try_for_each(take),
            Self::HeaderNames(headers) => headers.iter().try_for_each(|(name, _)| take(Value::text(name.as_str()))),
            Self::HeaderValues(headers) => headers.values().map(field).try_for_each(take),
            Self::Values(values) => values.into_iter().try_for_each(take),
        }
    }
}

impl<'t> Map<'t> {
    /// What stands under this name.
    #[must_use]
    pub fn get(self, key: &MapKey) -> Option<Value<'t>> {
        match self {
            Self::Headers(headers) => header(headers, key),
            Self::Entries(entries) => entries.into_iter().find(|(name, _)| **name == *key.bytes).map(|(_, value)| value),
        }
    }

    /// Each value in turn, until one breaks off.
    pub fn each<B>(self, mut take: impl FnMut(Value<'t>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Headers(headers) => {
                headers.keys().try_for_each(|name| take(Value::Array(Array::Header(headers.get_all(name)))))
            }
            Self::Entries(entries) => entries.into_iter().try_for_each(|(_, value)| take(value)),
        }
    }
}

/// The values of a header, if the message has it.
#[must_use]
pub fn header<'t>(headers: &'t HeaderMap, key: &MapKey) -> Option<Value<'t>> {
    let name = key.header()?;
    headers.contains_key(name).then(|| Value::Array(Array::Header(headers.get_all(name))))
}

fn field(value: &HeaderValue) -> Value<'_> {
    Value::bytes(value.as_bytes())
}
