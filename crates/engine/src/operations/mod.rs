//! Saved operations of a zone: from method, host and path to the one operation that they call, or none. Compiled once per bundle;
//! a look-up allocates nothing.
//!
//! Literal beats variable at every level: host labels first (from the last to the first; an exact host beats one with variables, and that beats `*`), then path
//! segments from left to right, then the same trailing slash. HEAD is GET where no HEAD operation fits.

pub(crate) mod recorded;
pub(crate) mod template;
mod trie;

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::host::{HostPattern, host_labels};
use crate::observe::PathPlan;
use crate::url::segments;
use template::{MAX_SEGMENTS, PathTemplate};
use trie::{Node, Trie};

/// Method + host + path template.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: Arc<str>,
    pub method: Arc<str>,
    pub host: HostPattern,
    /// As saved: `/users/{var1}`.
    pub path: Arc<str>,
    /// The path as records need it.
    pub(crate) plan: PathPlan,
}

/// All operations of a zone, compiled.
#[derive(Debug, Default)]
pub struct Operations {
    list: Vec<Operation>,
    methods: Vec<Arc<str>>,
    hosts: HostTable,
    /// Roots of the path tries, by the host table's values.
    roots: Vec<Node>,
    paths: Trie,
    /// By node of `paths`.
    leaves: Vec<Leaf>,
}

type MethodIndex = u16;
type Leaf = SmallVec<[Entry; 1]>;

#[derive(Clone, Copy, Debug)]
struct Entry {
    method: MethodIndex,
    has_trailing_slash: bool,
    operation: u32,
}

impl Operations {
    /// The operations, in the order of the bundle.
    #[must_use]
    pub fn list(&self) -> &[Operation] {
        &self.list
    }

    /// Whether none is saved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds one.
    ///
    /// # Errors
    /// The index of the operation that is the same one.
    pub(crate) fn insert(&mut self, operation: Operation, template: &PathTemplate) -> Result<(), usize> {
        let method = self.method_of(&operation.method);
        let root = self.root_of(&operation.host);
        let node = self.paths.insert(root, template.segments.iter().map(Option::as_deref)) as usize;
        self.leaves.resize_with(self.leaves.len().max(node + 1), Leaf::new);
        let has_trailing_slash = template.has_trailing_slash;
        let leaf = &mut self.leaves[node];
        if let Some(same) = leaf.iter().find(|e| e.method == method && e.has_trailing_slash == has_trailing_slash) {
            return Err(same.operation as usize);
        }
        leaf.push(Entry { method, has_trailing_slash, operation: self.list.len() as u32 });
        self.list.push(operation);
        Ok(())
    }

    fn method_of(&mut self, method: &Arc<str>) -> MethodIndex {
        let known = self.method_index(method);
        known.unwrap_or_else(|| {
            self.methods.push(method.clone());
            (self.methods.len() - 1) as MethodIndex
        })
    }

    fn method_index(&self, method: &str) -> Option<MethodIndex> {
        self.methods.iter().position(|known| **known == *method).map(|index| index as MethodIndex)
    }

    fn root_of(&mut self, host: &HostPattern) -> Node {
        let next = self.roots.len() as u32;
        match self.hosts.insert(host, next) {
            Err(index) => self.roots[index as usize],
            Ok(()) => {
                let root = self.paths.add_root();
                self.roots.push(root);
                root
            }
        }
    }

    /// The operation that is called. `host` as `parse_host` gives it, `path` normalised.
    #[must_use]
    pub fn find(&self, method: &str, host: &str, path: &str) -> Option<(usize, &Operation)> {
        if self.list.is_empty() {
            return None;
        }
        let path = Path::split(path)?;
        let index = self.find_method(method, host, &path);
        let index = if method == "HEAD" { index.or_else(|| self.find_method("GET", host, &path)) } else { index };
        index.map(|index| (index, &self.list[index]))
    }

    fn find_method(&self, method: &str, host: &str, path: &Path<'_>) -> Option<usize> {
        let method = self.method_index(method)?;
        self.hosts.find_by(host, |index| {
            let root = self.roots[index as usize];
            self.paths.find(root, &path.segments, &mut |node| self.entry(node, method, path.has_trailing_slash))
        })
    }

    fn entry(&self, node: Node, method: MethodIndex, has_trailing_slash: bool) -> Option<usize> {
        let leaf = self.leaves.get(node as usize)?;
        let of_method = || leaf.iter().filter(|entry| entry.method == method);
        let same = of_method().find(|entry| entry.has_trailing_slash == has_trailing_slash);
        same.or_else(|| of_method().next()).map(|entry| entry.operation as usize)
    }
}

/// A request's path, as the trie takes it.
struct Path<'a> {
    segments: SmallVec<[&'a str; 16]>,
    has_trailing_slash: bool,
}

impl<'a> Path<'a> {
    /// None: not a path, or one with more segments than any template.
    fn split(path: &'a str) -> Option<Self> {
        let inner = path.strip_prefix('/')?;
        let (inner, has_trailing_slash) = match inner.strip_suffix('/') {
            Some(before) => (before, true),
            None => (inner, false),
        };
        if inner.is_empty() && !has_trailing_slash {
            return Some(Self { segments: SmallVec::new(), has_trailing_slash });
        }
        let segments: SmallVec<_> = segments(inner).take(MAX_SEGMENTS + 1).collect();
        (segments.len() <= MAX_SEGMENTS).then_some(Self { segments, has_trailing_slash })
    }
}

/// From hosts to numbers: an exact host, then patterns with the literals further right first, then any host.
#[derive(Debug)]
pub struct HostTable {
    exact: HashMap<Box<str>, Option<u32>>,
    trie: Trie,
    root: Node,
    /// By node of `trie`.
    values: Vec<Option<u32>>,
    any: Option<u32>,
}

impl Default for HostTable {
    fn default() -> Self {
        let mut trie = Trie::default();
        let root = trie.add_root();
        Self { exact: HashMap::new(), trie, root, values: Vec::new(), any: None }
    }
}

impl HostTable {
    /// Adds a pattern.
    ///
    /// # Errors
    /// The number of the same pattern that is already there.
    pub fn insert(&mut self, pattern: &HostPattern, value: u32) -> Result<(), u32> {
        let place = match pattern {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(host) => self.exact.entry(host.as_str().into()).or_default(),
            HostPattern::Labels(labels) => {
                let labels = labels.iter().rev().map(Option::as_deref);
                let node = self.trie.insert(self.root, labels) as usize;
                self.values.resize(self.values.len().max(node + 1), None);
                &mut self.values[node]
            }
        };
        match *place {
            Some(existing) => Err(existing),
            None => {
                *place = Some(value);
                Ok(())
            }
        }
    }

    /// The number of the most literal pattern that fits.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<u32> {
        self.find_by(host, Some)
    }

    /// What `accept` gives for the most literal pattern that fits and that it accepts.
    pub fn find_by<T>(&self, host: &str, mut accept: impl FnMut(u32) -> Option<T>) -> Option<T> {
        if let Some(found) = self.exact.get(host).copied().flatten().and_then(&mut accept) {
            return Some(found);
        }
        let named = if self.values.is_empty() { None } else { self.find_named(host, &mut accept) };
        named.or_else(|| self.any.and_then(accept))
    }

    fn find_named<T>(&self, host: &str, accept: &mut impl FnMut(u32) -> Option<T>) -> Option<T> {
        let labels: SmallVec<[&str; 8]> = host_labels(host).collect();
        self.trie.find(self.root, &labels, &mut |node| self.values.get(node as usize).copied().flatten().and_then(&mut *accept))
    }
}
