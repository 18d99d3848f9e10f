"""The functions of expressions: what each takes and gives; and those of Cloudflare's that are refused, with the reason.

What they do is Cloudflare's page "Functions" (developers.cloudflare.com/ruleset-engine/rules-language/functions).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hoplon.rules.types import ADDRESS, BOOLEAN, BOOLEANS, INTEGER, STRING, Type, array

STRINGS = array(STRING)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: its types, and whether it is read from the request (`value`) or written out (`literal`)."""

    name: str
    types: tuple[Type, ...]
    given: Literal["value", "literal", "any"] = "any"
    within: tuple[int, int] | None = None
    """A literal number's bounds, both included."""
    words: tuple[str, ...] | None = None
    """A literal string's only values."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function. The parameters behind `required` may be left out; the last one repeats if `repeats`."""

    name: str
    parameters: tuple[Parameter, ...]
    required: int
    result: Callable[[Sequence[Type]], Type]
    doc: str
    repeats: bool = False

    @property
    def signature(self) -> str:
        """As it is written: `[…]` may be left out, `…` may be repeated."""
        names = [parameter.name for parameter in self.parameters]
        needed = ", ".join(names[: self.required])
        optional = "".join(f"[, {name}]" for name in names[self.required :])
        return f"{self.name}({needed}{optional}{', …' if self.repeats else ''})"

    def parameter(self, position: int) -> Parameter:
        """What stands at a position, from 0; positions behind the last are those of the one that repeats."""
        return self.parameters[min(position, len(self.parameters) - 1)]


def _gives(kind: Type) -> Callable[[Sequence[Type]], Type]:
    return lambda _: kind


def _value(*types: Type, name: str = "source") -> Parameter:
    return Parameter(name, types, "value")


def _text(name: str, *words: str) -> Parameter:
    return Parameter(name, (STRING,), "literal", words=words or None)


def _bits(name: str, most: int) -> Parameter:
    return Parameter(name, (INTEGER,), "literal", (1, most))


def _joined(types: Sequence[Type]) -> Type:
    return STRINGS if STRINGS in types else STRING


_CONFIGURATION = Parameter("token configuration", (STRING,), "literal")
_PART = Parameter("substring", (STRING,))
_MEASURED = (STRING, STRINGS, array(INTEGER), BOOLEANS, array(ADDRESS))
_KEY = Parameter("key", (STRING, INTEGER), "literal")
_POSITION = (-(2**31), 2**31 - 1)
_URL_DECODE_OPTIONS = ("", "r", "u", "ru", "ur")


def _table(*functions: Function) -> Mapping[str, Function]:
    return {function.name: function for function in functions}


GENERAL = _table(
    Function(
        "any", (_value(BOOLEANS, name="array"),), 1, _gives(BOOLEAN), "one of the array is true; of none, none is"
    ),
    Function(
        "all", (_value(BOOLEANS, name="array"),), 1, _gives(BOOLEAN), "all of the array are true; of none, all are"
    ),
    Function(
        "cidr",
        (_value(ADDRESS, name="address"), _bits("ipv4_network_bits", 32), _bits("ipv6_network_bits", 128)),
        3,
        _gives(ADDRESS),
        "the first address of the network that the address is in",
    ),
    Function(
        "cidr6",
        (_value(ADDRESS, name="address"), _bits("ipv6_network_bits", 128)),
        2,
        _gives(ADDRESS),
        "the same for IPv6; an IPv4 address stays as it is",
    ),
    Function(
        "concat",
        (Parameter("part", (STRING, INTEGER, STRINGS)), Parameter("part", (STRING, INTEGER, STRINGS))),
        2,
        _joined,
        "the parts that are there, behind one another: strings (and numbers that are written out), or arrays",
        repeats=True,
    ),
    Function(
        "decode_base64",
        (_value(STRING),),
        1,
        _gives(STRING),
        "RFC 4648 §4; `=` at the end may be left out, anything else that is not Base64 gives a missing value",
    ),
    Function("ends_with", (_value(STRING), _PART), 2, _gives(BOOLEAN), "the source ends with the substring"),
    Function("starts_with", (_value(STRING), _PART), 2, _gives(BOOLEAN), "the source begins with the substring"),
    Function(
        "join",
        (_value(STRINGS, name="items"), Parameter("separator", (STRING,))),
        2,
        _gives(STRING),
        "the items with the separator between them",
    ),
    Function("len", (_value(*_MEASURED),), 1, _gives(INTEGER), "bytes of a String, elements of an Array"),
    Function(
        "lookup_json_string",
        (_value(STRING, name="field"), _KEY),
        2,
        _gives(STRING),
        "the string that names and positions lead to in a JSON text; of a name that stands twice, the last",
        repeats=True,
    ),
    Function(
        "lookup_json_integer",
        (_value(STRING, name="field"), _KEY),
        2,
        _gives(INTEGER),
        "the same for a whole number; `42.0` is none",
        repeats=True,
    ),
    Function("lower", (_value(STRING),), 1, _gives(STRING), "ASCII letters in lower case"),
    Function("upper", (_value(STRING),), 1, _gives(STRING), "ASCII letters in upper case"),
    Function("remove_bytes", (_value(STRING), _text("bytes")), 2, _gives(STRING), "the source without these bytes"),
    Function(
        "substring",
        (
            _value(STRING, name="field"),
            Parameter("start", (INTEGER,), "literal", _POSITION),
            Parameter("end", (INTEGER,), "literal", _POSITION),
        ),
        2,
        _gives(STRING),
        "bytes from `start` to before `end`; negative ones count from the end, what is outside is cut off",
    ),
    Function(
        "url_decode",
        (_value(STRING), _text("options", *_URL_DECODE_OPTIONS)),
        1,
        _gives(STRING),
        "`+` and `%XX` decoded; option `u`: `%uXXXX` too, `r`: again until nothing changes, 16 times at most",
    ),
)
"""Those of custom rules and rate limiting rules."""

TOKEN = _table(
    Function("is_jwt_valid", (_CONFIGURATION,), 1, _gives(BOOLEAN), "the request carries a valid token"),
    Function("is_jwt_present", (_CONFIGURATION,), 1, _gives(BOOLEAN), "the request carries a token, valid or not"),
)
"""Those of token rules."""

CLAIMS = _table(
    Function(
        "claim",
        (_text("claim"), _CONFIGURATION),
        1,
        _gives(STRING),
        "a claim of the verified token, as text: a name, or a place like `$.realm.id`",
    ),
    Function(
        "claim_has",
        (_text("claim"), _text("word"), _CONFIGURATION),
        2,
        _gives(BOOLEAN),
        "the claim holds the word: between blanks of a string, or as an element of an array",
    ),
    Function("path_variable", (_text("variable"),), 1, _gives(STRING), "a variable of the operation's path, decoded"),
    Function(
        "query",
        (_text("parameter"),),
        1,
        _gives(STRING),
        "a parameter of the query, decoded; missing when it stands there twice",
    ),
    Function(
        "body",
        (_text("place"),),
        1,
        _gives(STRING),
        "a value of the JSON body as text: a name, or a place like `$.user.id`; missing when a name stands twice",
    ),
    Function("session", (), 0, _gives(STRING), "the value that identifies the session"),
)
"""Those of authorization on claims, beside the general ones."""

_REWRITES = "changes a request on its way; rules here decide about requests and change none"
_ONLY_CLAIMS = "reads what authorization on claims (`[[tokens.authorization]]`) compares"

REFUSED: Mapping[str, str] = {
    "regex_replace": f"`regex_replace` {_REWRITES}",
    "wildcard_replace": f"`wildcard_replace` {_REWRITES}",
    "remove_query_args": f"`remove_query_args` {_REWRITES}",
    "uuidv4": f"`uuidv4` {_REWRITES}",
    "to_string": "`to_string` is Cloudflare's for rewrites only: compare the value itself",
    "split": "`split` is Cloudflare's for response headers and error pages only: use `contains` or `matches`",
    "sha256": f"`sha256` {_REWRITES}",
    "encode_base64": f"`encode_base64` {_REWRITES}",
    "bit_slice": "`bit_slice` reads packets; Hoplon sees requests",
    "is_timed_hmac_valid_v0": (
        "`is_timed_hmac_valid_v0` keeps its secret in the rule, where every reader of the policy sees it; "
        "Hoplon has no such function"
    ),
    **{
        name: f"`{name}` stands in token rules (`[[tokens.rules]]`) only; read the verified claims instead"
        for name in TOKEN
    },
    **{name: f"`{name}` {_ONLY_CLAIMS}" for name in CLAIMS},
}
"""Known functions that no rule, or not every rule, may call; a dialect that offers one looks there first."""
