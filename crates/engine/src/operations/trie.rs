//! A trie over keys of texts and variables: host labels from the last to the first, or path segments from the first to the last.
//! A literal beats a variable at every level, with backtracking. Knows nothing of hosts and paths.

use hashbrown::HashMap;

/// A place in the trie.
pub type Node = u32;

/// Many tries in one arena: each root that was asked for is one.
#[derive(Debug, Default)]
pub struct Trie {
    nodes: Vec<Branches>,
}

#[derive(Debug, Default)]
struct Branches {
    literals: HashMap<Box<str>, Node>,
    variable: Option<Node>,
}

impl Trie {
    /// A new empty trie.
    pub fn add_root(&mut self) -> Node {
        self.nodes.push(Branches::default());
        (self.nodes.len() - 1) as Node
    }

    /// The node of this key under `root`; created where it was not there. `None` in a key is a variable.
    pub fn insert<'k>(&mut self, root: Node, key: impl IntoIterator<Item = Option<&'k str>>) -> Node {
        key.into_iter().fold(root, |node, part| self.child(node, part))
    }

    fn child(&mut self, node: Node, part: Option<&str>) -> Node {
        let branches = &self.nodes[node as usize];
        let known = part.map_or(branches.variable, |text| branches.literals.get(text).copied());
        known.unwrap_or_else(|| {
            let new = self.add_root();
            let branches = &mut self.nodes[node as usize];
            match part {
                Some(text) => drop(branches.literals.insert(text.into(), new)),
                None => branches.variable = Some(new),
            }
            new
        })
    }

    /// The literals below every node, in the order of nodes.
    pub fn literals(&self) -> impl Iterator<Item = Vec<&str>> {
        self.nodes.iter().map(|node| node.literals.keys().map(|literal| &**literal).collect())
    }

    /// Where this part of a key leads: to the same literal, and to the variable.
    pub fn children(&self, node: Node, part: &str) -> impl Iterator<Item = Node> {
        let branches = &self.nodes[node as usize];
        branches.literals.get(part).copied().into_iter().chain(branches.variable.filter(|_| !part.is_empty()))
    }

    /// What `accept` gives for the first node that fits the whole key and that it accepts, the most literal first. A variable
    /// fits any text but the empty one. Visits no node twice.
    pub fn find<T>(&self, node: Node, key: &[&str], accept: &mut impl FnMut(Node) -> Option<T>) -> Option<T> {
        let Some((first, rest)) = key.split_first() else { return accept(node) };
        let branches = &self.nodes[node as usize];
        if let Some(child) = branches.literals.get(*first)
            && let Some(found) = self.find(*child, rest, accept)
        {
            return Some(found);
        }
        let child = branches.variable.filter(|_| !first.is_empty())?;
        self.find(child, rest, accept)
    }
}
