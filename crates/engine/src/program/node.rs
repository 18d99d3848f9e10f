//! The nodes of a program, as they are run. Their numbers are those of the bundle, so that a trace can be laid over the source.

use std::net::IpAddr;

use super::functions::Function;
use super::predicate::{Order, Predicate};
use crate::fact::FactDef;
use crate::value::{MapKey, Type};

/// A node by its number; always an earlier one.
pub type Id = u32;

/// See the module.
#[derive(Debug)]
pub enum Node {
    Bool(bool),
    Integer(i64),
    Bytes(Box<[u8]>),
    Ip(IpAddr),
    Fact(&'static FactDef),
    /// What a map holds under a name, asked for alone.
    FactKey(&'static FactDef, MapKey),
    Index(Id, usize),
    Key(Id, MapKey),
    Each(Id),
    Not(Id),
    And(Box<[Id]>),
    Or(Box<[Id]>),
    Xor(Id, Id),
    /// A comparison with a constant.
    Test(Id, Predicate),
    /// A comparison of two values that are both asked for.
    Compare(Order, Id, Id),
    Call(Function, Box<[Id]>),
}

/// What a node gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Of one value, or of each value of a stream.
    pub value_type: Type,
    /// A stream: behind `[*]`, until a comparison or a call makes an array of it.
    pub is_stream: bool,
}

impl Shape {
    pub const BOOL: Self = Self::one(Type::Bool);

    pub const fn one(value_type: Type) -> Self {
        Self { value_type, is_stream: false }
    }

    /// Whether it can stand where conditions on each element are.
    pub fn is_conditions(self) -> bool {
        match self.value_type {
            Type::Bool => self.is_stream,
            Type::Array(Type::Bool) => !self.is_stream,
            _ => false,
        }
    }

    /// Whether it is one condition.
    pub fn is_condition(self) -> bool {
        self == Self::BOOL
    }
}
