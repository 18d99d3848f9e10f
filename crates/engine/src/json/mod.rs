//! The one bounded JSON parser (RFC 8259): from bytes to a [`Document`], a flat tape of spans over the input, read by every feature
//! that needs a body. Strict in what it accepts; what is allowed but read differently by different parsers (duplicate keys, numbers
//! that lose digits, lone surrogates, a byte order mark) is reported as an [`Issue`]. No recursion, no copy of a string until asked.

mod document;
mod issues;
mod leaves;
mod number;
mod parser;
mod string;

pub use document::{Document, Elements, Kind, Members, Value};
pub use issues::{ErrorKind, Issue, IssueKind, ParseError};
pub use leaves::{Leaves, Step};
pub use number::Number;
pub use parser::{Limits, Prefix, parse, parse_prefix};
