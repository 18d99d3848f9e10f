//! What several programs ask alike is computed once: parts that mean the same get a place in a table that lives as long as one
//! stage is judged. Which parts those are is found when the policy is loaded.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::Program;
use super::node::Node;
use super::run::Gap;
use crate::value::Value;

/// Places of one stage: those parts get them that are used most.
const MAX_PLACES: usize = 64;
/// No place.
pub const ALONE: u16 = u16::MAX;

/// What a part means: equal parts have equal marks. 128 bits of a hash over everything below it.
pub type Mark = [u8; 16];

/// The mark of a node, from its operation, its constants and the marks of the nodes that it refers to.
pub fn mark(pieces: impl Iterator<Item = Piece>) -> Mark {
    let mut hasher = blake3::Hasher::new();
    for piece in pieces {
        match piece {
            Piece::Node(mark) => hasher.update(b"n").update(&mark),
            Piece::Text(text) => hasher.update(b"t").update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes()),
        };
    }
    let mut mark = Mark::default();
    hasher.finalize_xof().fill(&mut mark);
    mark
}

/// A part of what a node says.
pub enum Piece {
    Node(Mark),
    Text(String),
}

pub type Place<'f> = OnceCell<Result<Value<'f>, Gap>>;

/// The values that programs of one stage share, for one request.
#[derive(Debug)]
pub struct Shared<'f>(Vec<Place<'f>>);

impl<'f> Shared<'f> {
    /// So many places, all empty.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self((0..places).map(|_| OnceCell::new()).collect())
    }

    pub(super) fn places(&'f self) -> &'f [Place<'f>] {
        &self.0
    }
}

/// Gives the parts that stand in several of these programs, or several times in one, their places; how many there are.
pub fn share<'p>(programs: impl Iterator<Item = &'p mut Program>) -> usize {
    let mut programs: Vec<_> = programs.collect();
    let mut counts: HashMap<Mark, usize> = HashMap::new();
    let parts = |program: &Program| (0..program.nodes.len()).filter(|id| program.can_be_shared(*id)).collect::<Vec<_>>();
    for program in &programs {
        parts(program).into_iter().for_each(|id| *counts.entry(program.marks[id]).or_default() += 1);
    }
    let mut several: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    several.sort_unstable_by(|(one, count), (other, others)| others.cmp(count).then_with(|| one.cmp(other)));
    several.truncate(MAX_PLACES);
    let places: HashMap<_, _> = several.iter().zip(0..).map(|((mark, _), place)| (*mark, place)).collect();
    for program in &mut programs {
        for id in parts(program) {
            program.places[id] = places.get(&program.marks[id]).copied().unwrap_or(ALONE);
        }
    }
    places.len()
}

impl Program {
    /// Constants are there anyway, and a stream is no value.
    fn can_be_shared(&self, id: usize) -> bool {
        let is_constant = matches!(self.nodes[id], Node::Bool(_) | Node::Integer(_) | Node::Bytes(_) | Node::Ip(_));
        !is_constant && !self.shapes[id].is_stream
    }
}
