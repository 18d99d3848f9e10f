//! What can be wrong with a JSON text: errors, after which there is no document, and issues, which a document may have.

use std::fmt;

/// Why a text is not (acceptable) JSON, and at which byte this was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub kind: ErrorKind,
    pub offset: usize,
}

/// The reasons for refusing a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Longer than `Limits::bytes`.
    TooLong,
    /// Nested deeper than `Limits::depth`.
    TooDeep,
    /// More values and names than `Limits::nodes`.
    TooManyNodes,
    /// Not UTF-8 (RFC 8259 section 8.1).
    InvalidUtf8,
    /// The text ends inside a value, or has none.
    UnexpectedEnd,
    /// A byte that the grammar does not allow here.
    UnexpectedByte,
    /// A number that is not in the grammar's form (leading zero, bare point …).
    InvalidNumber,
    /// A backslash followed by what is no escape.
    InvalidEscape,
    /// A control character inside a string.
    ControlCharacter,
    /// Something other than blanks after the value.
    TrailingData,
}

impl ErrorKind {
    /// A stable word for records and violations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::TooManyNodes => "too_many_nodes",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::UnexpectedEnd => "unexpected_end",
            Self::UnexpectedByte => "unexpected_byte",
            Self::InvalidNumber => "invalid_number",
            Self::InvalidEscape => "invalid_escape",
            Self::ControlCharacter => "control_character",
            Self::TrailingData => "trailing_data",
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.as_str(), self.offset)
    }
}

impl std::error::Error for ParseError {}

/// Something in valid JSON that parsers read in different ways, and the byte where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issue {
    pub kind: IssueKind,
    pub offset: usize,
}

/// The kinds of [`Issue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueKind {
    /// A name that stood in the same object before, escapes resolved: some parsers take the first value, most the last.
    DuplicateKey,
    /// An integer beyond ±2^53: a parser with doubles changes its last digits.
    IntegerBeyond53Bits,
    /// An integer that fits neither `i64` nor `u64`.
    IntegerBeyond64Bits,
    /// A number that a double cannot hold: it becomes infinity.
    NumberOverflow,
    /// A number that is not zero and becomes zero in a double.
    NumberUnderflow,
    /// More significant digits than the 17 that a double keeps.
    PrecisionLost,
    /// An escaped UTF-16 surrogate without its partner: no Unicode text.
    LoneSurrogate,
    /// The text began with a byte order mark, which RFC 8259 section 8.1 lets a parser ignore or refuse.
    ByteOrderMark,
}

impl IssueKind {
    /// A stable word for records and violations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateKey => "duplicate_key",
            Self::IntegerBeyond53Bits => "integer_beyond_53_bits",
            Self::IntegerBeyond64Bits => "integer_beyond_64_bits",
            Self::NumberOverflow => "number_overflow",
            Self::NumberUnderflow => "number_underflow",
            Self::PrecisionLost => "precision_lost",
            Self::LoneSurrogate => "lone_surrogate",
            Self::ByteOrderMark => "byte_order_mark",
        }
    }
}
