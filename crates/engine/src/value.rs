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
    Fields(Fields<'t>),
    Values(Vec<Value<'t>>),
    /// One that somebody keeps.
    View(&'t Array<'t>),
}

/// Strings of a message's headers, where they stand.
#[derive(Debug)]
pub enum Fields<'t> {
    /// The values of one header.
    Named(GetAll<'t, HeaderValue>),
    /// The names of all headers, repeated ones each time.
    Names(&'t HeaderMap),
    /// The values of all headers.
    Values(&'t HeaderMap),
}

/// Values by name.
#[derive(Debug)]
pub enum Map<'t> {
    /// Names in lower case, with all their values.
    Headers(&'t HeaderMap),
    /// In order of first appearance; each name once.
    Entries(Vec<(Cow<'t, [u8]>, Value<'t>)>),
    /// One that somebody keeps.
    View(&'t Map<'t>),
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

    /// The same value, borrowed from this one: nothing is copied.
    #[must_use]
    pub fn view<'v>(&'v self) -> Value<'v>
    where
        't: 'v,
    {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::String(value) => Value::bytes(value),
            Self::Ip(value) => Value::Ip(*value),
            Self::Array(array) => Value::Array(Array::View(array)),
            Self::Map(map) => Value::Map(Map::View(map)),
        }
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
            Self::Fields(fields) => fields.len(),
            Self::Values(values) => values.len(),
            Self::View(array) => array.len(),
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
            Self::Fields(fields) => fields.get(index),
            Self::Values(values) => values.into_iter().nth(index),
            Self::View(array) => array.view_at(index),
        }
    }

    fn view_at(&'t self, index: usize) -> Option<Value<'t>> {
        match self {
            Self::Fields(fields) => fields.get(index),
            Self::Values(values) => values.get(index).map(Value::view),
            Self::View(array) => array.view_at(index),
        }
    }

    /// Each in turn, until one breaks off.
    pub fn each<B>(self, take: impl FnMut(Value<'t>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Fields(fields) => fields.each(take),
            Self::Values(values) => values.into_iter().try_for_each(take),
            Self::View(array) => array.view_each(take),
        }
    }

    fn view_each<B>(&'t self, take: impl FnMut(Value<'t>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Fields(fields) => fields.each(take),
            Self::Values(values) => values.iter().map(Value::view).try_for_each(take),
            Self::View(array) => array.view_each(take),
        }
    }
}

impl<'t> Fields<'t> {
    fn len(&self) -> usize {
        match self {
            Self::Named(values) => values.iter().count(),
            Self::Names(headers) | Self::Values(headers) => headers.len(),
        }
    }

    fn get(&self, index: usize) -> Option<Value<'t>> {
        match self {
            Self::Named(values) => values.iter().nth(index).map(field),
            Self::Names(headers) => headers.iter().nth(index).map(|(name, _)| Value::text(name.as_str())),
            Self::Values(headers) => headers.values().nth(index).map(field),
        }
    }

    fn each<B>(&self, mut take: impl FnMut(Value<'t>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Named(values) => values.iter().map(field).try_for_each(take),
            Self::Names(headers) => headers.iter().try_for_each(|(name, _)| take(Value::text(name.as_str()))),
            Self::Values(headers) => headers.values().map(field).try_for_each(take),
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
            Self::View(map) => map.view_of(key),
        }
    }

    fn view_of(&'t self, key: &MapKey) -> Option<Value<'t>> {
        match self {
            Self::Headers(headers) => header(headers, key),
            Self::Entries(entries) => entries.iter().find(|(name, _)| **name == *key.bytes).map(|(_, value)| value.view()),
            Self::View(map) => map.view_of(key),
        }
    }

    /// Each value in turn, until one breaks off.
    pub fn each<B>(self, mut take: impl FnMut(Value<'t>) -> ControlFlow<B>) -> ControlFlow<B> {
        self.entries(|_, value| take(value))
    }

    /// Each name and value in turn, until one breaks off.
    pub fn entries<B>(self, mut take: impl FnMut(Cow<'t, [u8]>, Value<'t>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Headers(headers) => each_header(headers, take),
            Self::Entries(entries) => entries.into_iter().try_for_each(|(name, value)| take(name, value)),
            Self::View(map) => map.view_entries(take),
        }
    }

    fn view_entries<B>(&'t self, mut take: impl FnMut(Cow<'t, [u8]>, Value<'t>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Headers(headers) => each_header(headers, take),
            Self::Entries(entries) => entries.iter().try_for_each(|(name, value)| take(Cow::Borrowed(name), value.view())),
            Self::View(map) => map.view_entries(take),
        }
    }
}

fn each_header<'t, B>(
    headers: &'t HeaderMap,
    mut take: impl FnMut(Cow<'t, [u8]>, Value<'t>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    headers.keys().try_for_each(|name| {
        let values = Value::Array(Array::Fields(Fields::Named(headers.get_all(name))));
        take(name.as_str().as_bytes().into(), values)
    })
}

/// The values of a header, if the message has it.
#[must_use]
pub fn header<'t>(headers: &'t HeaderMap, key: &MapKey) -> Option<Value<'t>> {
    let values = headers.get_all(key.header()?);
    values.iter().next().is_some().then_some(Value::Array(Array::Fields(Fields::Named(values))))
}

fn field(value: &HeaderValue) -> Value<'_> {
    Value::bytes(value.as_bytes())
}
