"""The syntax tree of an expression: what was written, and where. It knows nothing of types, facts or programs.

Offsets count characters from the beginning of the text; `at.end` is behind the last one.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

IpAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false`."""

    at: Span
    value: bool


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted or raw string, its escapes read."""

    at: Span
    value: bytes


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number of 64 bits."""

    at: Span
    value: int


@dataclass(frozen=True, slots=True)
class Address:
    """One address."""

    at: Span
    value: IpAddress


@dataclass(frozen=True, slots=True)
class Numbers:
    """`low..high`, both included."""

    at: Span
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Network:
    """`address/bits` or `first..last`, both included."""

    at: Span
    first: IpAddress
    last: IpAddress


Literals = Truth | Text | Number | Address | Numbers | Network


@dataclass(frozen=True, slots=True)
class Choice:
    """`{a b c}`."""

    at: Span
    items: tuple[Literals, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """`$name`, a list of the account."""

    at: Span
    name: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression: a string read by the rules for `matches`."""

    at: Span
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """A name that stands for a value of the request or response."""

    at: Span
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`name(argument, …)`."""

    at: Span
    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Index:
    """`[3]`."""

    at: Span
    number: int


@dataclass(frozen=True, slots=True)
class Key:
    """`["name"]`."""

    at: Span
    name: bytes


@dataclass(frozen=True, slots=True)
class Each:
    """`[*]`."""

    at: Span


Step = Index | Key | Each


@dataclass(frozen=True, slots=True)
class Path:
    """A field or call with at least one step into it."""

    at: Span
    base: Field | Call
    steps: tuple[Step, ...]


Operator = Literal[
    "eq", "ne", "lt", "le", "gt", "ge", "contains", "matches", "wildcard", "strict_wildcard", "bitand", "in"
]


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right`."""

    at: Span
    operator: Operator
    left: "Expression"
    right: "Expression | Choice | Named | Pattern"


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    at: Span
    operand: "Expression"


LogicOperator = Literal["and", "or", "xor"]


@dataclass(frozen=True, slots=True)
class Logic:
    """`operand and operand and …`: at least two operands of one operator."""

    at: Span
    operator: LogicOperator
    operands: tuple["Expression", ...]


Value = Field | Call | Path
Expression = Literals | Value | Compare | Not | Logic
