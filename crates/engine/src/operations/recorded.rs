//! Which operation a *recorded* path calls. Segments that looked secret were replaced, so what stood there is not known: where it
//! could have been a literal of some template, the answer is "unknown", never a guess.

use smallvec::SmallVec;

use super::trie::{Node, Trie};
use super::{Operations, Path};
use crate::observe::{Redacted, redacted};

/// Which operation a record's request calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    None,
    Operation(u32),
    /// The record does not tell.
    Unknown,
}

/// For every node of the trie of paths: whether a literal below it can have been replaced in a record, and by what.
#[derive(Debug, Default)]
pub(crate) struct ReplacedLiterals(Vec<[bool; 2]>);

impl Operations {
    /// What [`Operations::find_recorded`] needs, computed once.
    pub(crate) fn replaced_literals(&self) -> ReplacedLiterals {
        let flags = |literals: Vec<&str>| {
            [Redacted::Announced, Redacted::Detected].map(|kind| literals.iter().any(|literal| kind.may_stand_for(literal)))
        };
        ReplacedLiterals(self.paths.literals().map(flags).collect())
    }

    /// As [`Operations::find`], of a path as a record holds it.
    pub(crate) fn find_recorded(&self, replaced: &ReplacedLiterals, method: &str, host: &str, path: &str) -> Called {
        if self.list.is_empty() {
            return Called::None;
        }
        if path.contains('<') && self.is_ambiguous(replaced, host, path) {
            return Called::Unknown;
        }
        self.find(method, host, path).map_or(Called::None, |(index, _)| Called::Operation(index as u32))
    }

    fn is_ambiguous(&self, replaced: &ReplacedLiterals, host: &str, path: &str) -> bool {
        if path.ends_with("/<more>") {
            return true;
        }
        let Some(path) = Path::split(path) else { return false };
        let segments: SmallVec<[_; 16]> = path.segments.iter().map(|segment| (*segment, redacted(segment))).collect();
        let found =
            self.hosts.find_by(host, |root| replaced.reached(&self.paths, self.roots[root as usize], &segments).then_some(()));
        found.is_some()
    }
}

impl ReplacedLiterals {
    /// Whether a replaced segment meets a node where it can have been a literal.
    fn reached(&self, trie: &Trie, node: Node, segments: &[(&str, Option<Redacted>)]) -> bool {
        let Some(((segment, redacted), rest)) = segments.split_first() else { return false };
        let may_be_literal = redacted.is_some_and(|kind| self.0[node as usize][kind as usize]);
        may_be_literal || trie.children(node, segment).any(|child| self.reached(trie, child, rest))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Called;
    use crate::testing::BundleText;

    fn called(templates: &[&str], path: &str) -> Called {
        let operations: Vec<_> = templates.iter().map(|template| ["GET", "*", *template]).collect();
        let bundle = BundleText::of(&operations, &json!([])).load().unwrap();
        let operations = &bundle.zones()[0].operations;
        operations.find_recorded(&operations.replaced_literals(), "GET", "api.example.com", path)
    }

    #[test]
    fn a_replaced_segment_is_a_variable_unless_it_can_have_been_a_literal() {
        let templates = ["/users/{id}", "/users/orders", "/keys/{key}", "/keys/sk_live_abcdefghijklmnopqrstuvwx"];
        for (path, expected) in [
            ("/users/7", Called::Operation(0)),
            ("/users/orders", Called::Operation(1)),
            ("/users/<email:01234567>", Called::Operation(0)),
            ("/users/<secret>", Called::Unknown),
            ("/keys/<api_key:01234567>", Called::Unknown),
            ("/others/<secret>", Called::None),
            ("/users/7/<secret>", Called::None),
        ] {
            assert_eq!(called(&templates, path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_was_cut_off_calls_nobody_knows_what() {
        assert_eq!(called(&["/users/{id}"], "/a/b/<more>"), Called::Unknown);
        assert_eq!(called(&[], "/a/b/<more>"), Called::None);
    }
}
