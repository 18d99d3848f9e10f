//! A parsed text: the tape of nodes, and views of it. A node's children follow it; `next` is the index behind its last descendant.

use std::borrow::Cow;

use super::issues::Issue;
use super::leaves::Leaves;
use super::number::Number;
use super::string;

/// A parsed JSON text; borrows it. Has at least a root.
#[derive(Debug)]
pub struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) nodes: Vec<Node>,
    pub(super) unclosed: Vec<u32>,
    pub(super) issues: Vec<Issue>,
    pub(super) issues_dropped: usize,
}

/// One entry of the tape. The span is the content: of a string without its quotes, of a container with its brackets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub start: u32,
    pub end: u32,
    pub next: u32,
    pub tag: Tag,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    True,
    False,
    Integer,
    Number,
    String,
    EscapedString,
    Array,
    Object,
    Name,
    EscapedName,
}

/// The kinds of JSON values. `Integer` is a number written without fraction and exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl<'a> Document<'a> {
    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_, 'a> {
        Value { document: self, index: 0 }
    }

    /// What other parsers may read differently; at most `Limits::issues`.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// How many issues were beyond the bound.
    #[must_use]
    pub fn issues_dropped(&self) -> usize {
        self.issues_dropped
    }

    /// Values, names and containers.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Every scalar and every empty container, in the order of the text, each with the steps that lead to it.
    #[must_use]
    pub fn leaves(&self) -> Leaves<'_, 'a> {
        Leaves::new(self)
    }

    /// The value at a JSON pointer (RFC 6901); of members with the same name the last.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<Value<'_, 'a>> {
        if pointer.is_empty() {
            return Some(self.root());
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self.root(), |value, step| {
            let step = step.replace("~1", "/").replace("~0", "~");
            match value.kind() {
                Kind::Object => value.get(&step),
                Kind::Array => array_index(&step).and_then(|index| value.elements().nth(index)),
                _ => None,
            }
        })
    }
}

/// RFC 6901 section 4: digits without a leading zero.
fn array_index(step: &str) -> Option<usize> {
    let canonical = step == "0" || step.starts_with(|c: char| c.is_ascii_digit() && c != '0');
    canonical.then(|| step.parse().ok()).flatten()
}

/// One value of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'d, 'a> {
    pub(super) document: &'d Document<'a>,
    pub(super) index: u32,
}

impl<'d, 'a> Value<'d, 'a> {
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.node().tag {
            Tag::Null => Kind::Null,
            Tag::True | Tag::False => Kind::Boolean,
            Tag::Integer => Kind::Integer,
            Tag::Number => Kind::Number,
            Tag::String | Tag::EscapedString | Tag::Name | Tag::EscapedName => Kind::String,
            Tag::Array => Kind::Array,
            Tag::Object => Kind::Object,
        }
    }

    /// The value as it stands in the text: a string without its quotes and with its escapes.
    #[must_use]
    pub fn raw(self) -> &'a str {
        let node = self.node();
        &self.document.text[node.start as usize..node.end as usize]
    }

    /// Byte where the value begins in the text.
    #[must_use]
    pub fn offset(self) -> usize {
        self.node().start as usize
    }

    /// False for a container that the text was cut off in.
    #[must_use]
    pub fn is_complete(self) -> bool {
        !self.document.unclosed.contains(&self.index)
    }

    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.node().tag {
            Tag::True => Some(true),
            Tag::False => Some(false),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_number(self) -> Option<Number> {
        let tag = self.node().tag;
        matches!(tag, Tag::Integer | Tag::Number).then(|| Number::read(self.raw(), tag == Tag::Integer))
    }

    /// The string with its escapes resolved; copied only when it has some. A lone surrogate becomes U+FFFD.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        match self.node().tag {
            Tag::String | Tag::Name => Some(Cow::Borrowed(self.raw())),
            Tag::EscapedString | Tag::EscapedName => Some(string::decode(self.raw())),
            _ => None,
        }
    }

    /// Elements of an array or members of an object; 0 for a scalar.
    #[must_use]
    pub fn len(self) -> usize {
        self.elements().count() + self.members().count()
    }

    /// Nothing inside: an empty container, or a scalar.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.node().next == self.index + 1
    }

    /// The elements of an array; nothing for other values.
    #[must_use]
    pub fn elements(self) -> Elements<'d, 'a> {
        let node = self.node();
        let end = if node.tag == Tag::Array { node.next } else { 0 };
        Elements { document: self.document, at: self.index + 1, end }
    }

    /// The names and values of an object; nothing for other values.
    #[must_use]
    pub fn members(self) -> Members<'d, 'a> {
        let node = self.node();
        let end = if node.tag == Tag::Object { node.next } else { 0 };
        Members { document: self.document, at: self.index + 1, end }
    }

    /// The member of that name; of several the last.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'d, 'a>> {
        self.members().filter(|(member, _)| member == name).last().map(|(_, value)| value)
    }

    fn node(self) -> Node {
        self.document.nodes[self.index as usize]
    }
}

/// Iterates over the elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'d, 'a> {
    document: &'d Document<'a>,
    at: u32,
    end: u32,
}

impl<'d, 'a> Iterator for Elements<'d, 'a> {
    type Item = Value<'d, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.at < self.end).then(|| {
            let value = Value { document: self.document, index: self.at };
            self.at = value.node().next;
            value
        })
    }
}

/// Iterates over the members of an object.
#[derive(Clone, Debug)]
pub struct Members<'d, 'a> {
    document: &'d Document<'a>,
    at: u32,
    end: u32,
}

impl<'d, 'a> Iterator for Members<'d, 'a> {
    type Item = (Cow<'a, str>, Value<'d, 'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let name = Value { document: self.document, index: self.at };
        let value = Value { document: self.document, index: self.at + 1 };
        self.at = value.node().next;
        Some((name.as_str().unwrap_or_default(), value))
    }
}
