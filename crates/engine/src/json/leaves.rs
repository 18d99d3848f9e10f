//! Walking a document without recursion: each leaf with the steps from the root to it.

use super::document::{Document, Kind, Tag, Value};

/// One step of a JSON pointer.
#[derive(Clone, Copy, Debug)]
pub enum Step<'d, 'a> {
    /// Into a member; the value is its name.
    Member(Value<'d, 'a>),
    /// Into an element.
    Element(u32),
}

/// A cursor over the leaves: scalars, and empty containers when they are complete.
#[derive(Debug)]
pub struct Leaves<'d, 'a> {
    document: &'d Document<'a>,
    at: u32,
    /// Containers around the cursor, outermost first.
    around: Vec<Container>,
    steps: Vec<Step<'d, 'a>>,
    unchanged: usize,
}

#[derive(Debug)]
struct Container {
    index: u32,
    /// Index behind its last descendant.
    end: u32,
    is_array: bool,
}

impl<'d, 'a> Leaves<'d, 'a> {
    pub(super) fn new(document: &'d Document<'a>) -> Self {
        Self { document, at: 0, around: Vec::new(), steps: Vec::new(), unchanged: 0 }
    }

    /// Steps from the root to the leaf given last.
    #[must_use]
    pub fn steps(&self) -> &[Step<'d, 'a>] {
        &self.steps
    }

    /// How many of the first steps were the same for the leaf before.
    #[must_use]
    pub fn unchanged(&self) -> usize {
        self.unchanged
    }

    /// Leaves out the rest of the container that is `depth` steps from the root and holds the leaf given last.
    pub fn skip_rest_of(&mut self, depth: usize) {
        if let Some(container) = self.around.get(depth) {
            self.at = container.end;
        }
    }

    /// The container that is `depth` steps from the root and holds the leaf given last.
    #[must_use]
    pub fn container(&self, depth: usize) -> Option<Value<'d, 'a>> {
        self.around.get(depth).map(|container| Value { document: self.document, index: container.index })
    }

    /// The next leaf; None behind the last.
    #[must_use]
    pub fn next_leaf(&mut self) -> Option<Value<'d, 'a>> {
        self.unchanged = self.steps.len();
        while (self.at as usize) < self.document.nodes.len() {
            self.arrive();
            let value = Value { document: self.document, index: self.at };
            let node = self.document.nodes[self.at as usize];
            self.at += 1;
            let is_container = matches!(value.kind(), Kind::Array | Kind::Object);
            if is_container && !value.is_empty() {
                self.around.push(Container { index: value.index, end: node.next, is_array: node.tag == Tag::Array });
            } else if !is_container || value.is_complete() {
                return Some(value);
            }
        }
        None
    }

    /// Leaves the containers that end here and takes the step to the value at the cursor (past its name).
    fn arrive(&mut self) {
        while self.around.last().is_some_and(|container| self.at >= container.end) {
            self.around.pop();
        }
        let Some(&Container { is_array, .. }) = self.around.last() else { return };
        let depth = self.around.len();
        let element = match self.steps.get(depth - 1) {
            Some(Step::Element(index)) => index + 1,
            _ => 0,
        };
        self.steps.truncate(depth - 1);
        self.unchanged = self.unchanged.min(depth - 1);
        if is_array {
            self.steps.push(Step::Element(element));
        } else {
            self.steps.push(Step::Member(Value { document: self.document, index: self.at }));
            self.at += 1;
        }
    }
}
