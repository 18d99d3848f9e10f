"""Tests that a parameter or a body says the same to every server, beside each leaf of a condition that reads one.

`?owner=me&%6Fwner=victim` has the parameter `owner` once for the engine and twice for an upstream that decodes names; a
body that is JSON and an urlencoded form at once is one or the other by its `Content-Type`. What could be read in two
ways does not allow.
"""

from collections.abc import Iterator

from hoplon.rules import syntax
from hoplon.rules.refusal import Refusal
from hoplon.rules.syntax import Expression, Span

MAX_PATTERN = 4_096
"""Bytes that the engine takes of a pattern. Those below hold each letter of a name in all its spellings, twice."""
_JSON = (
    r"(?i)^[ \t]*(?:application|text)/(?:[a-z0-9!#$&^_.+-]+\+)?json"
    r"(?:[ \t]*;[ \t]*(?:charset=\x22?utf-?8\x22?|(?:[abd-z]|c[a-gi-z])[^;,]*))*[ \t;]*$"
)
"""The media type JSON, in UTF-8 (RFC 8259 §8.1), alone in its field."""
_BLANK = r"(?:\x2b|%20|%09)"
_UNDERSCORE = r"(?:_|%5f|\.|%2e|\x2b|%20|\[|%5b)"
"""PHP reads blanks, dots and an open bracket in a name as underscores."""
_CUT = r"(?:(?:\[|%5b|%00)[^=&;]*)?"
"""PHP, Rails and qs read `x[]` and `x[0]` as parts of `x`."""


def tests(leaf: Expression) -> tuple[Expression, ...]:
    """What has to hold for everything that a leaf reads to be read in one way. Raises Refusal."""
    found = {(call.name, _argument(call)): call for call in _calls(leaf) if call.name in ("query", "body")}
    parameters = (_one_parameter(call) for (name, _), call in found.items() if name == "query")
    bodies = [call for (name, _), call in found.items() if name == "body"]
    return (*parameters, *(_json_body(call.at) for call in bodies[:1]))


def _calls(expression: object) -> Iterator[syntax.Call]:
    match expression:
        case syntax.Call(arguments=arguments):
            yield expression
            for argument in arguments:
                yield from _calls(argument)
        case syntax.Compare(left=left, right=right):
            yield from _calls(left)
            yield from _calls(right)
        case syntax.Path(base=base):
            yield from _calls(base)


def _argument(call: syntax.Call) -> bytes:
    (argument,) = call.arguments
    if not isinstance(argument, syntax.Text):
        raise AssertionError("the checker takes literals only")
    return argument.value


def _one_parameter(call: syntax.Call) -> Expression:
    name, nowhere = _argument(call), Span(call.at.start, call.at.start)
    pattern = _twice(name)
    if not name or len(pattern) > MAX_PATTERN:
        raise Refusal(call.arguments[0].at.start, "the name of a parameter has 1 to about 100 letters here")
    query = syntax.Field(nowhere, "http.request.uri.query")
    return syntax.Not(nowhere, syntax.Compare(nowhere, "matches", query, syntax.Pattern(nowhere, pattern)))


def _twice(name: bytes) -> str:
    """A query that names the parameter more than once in some server's eyes, or gives it a value with a `;` in it."""
    one = f"{_BLANK}*{''.join(map(_spellings, name))}{_CUT}"
    return f"(?i)(?:^|[&;]){one}(?:=[^&;]*)?(?:;|&(?:[^&;]*[&;])*{one}(?:[=&;]|$))"


def _spellings(byte: int) -> str:
    letter = bytes((byte,))
    if letter in b"_. ":
        return _UNDERSCORE
    codes = sorted({byte, *letter.upper(), *letter.lower()})
    return f"(?:\\x{byte:02x}|{'|'.join(f'%{code:02x}' for code in codes)})"


def _json_body(at: Span) -> Expression:
    nowhere = Span(at.start, at.start)
    headers = syntax.Field(nowhere, "http.request.headers")
    types = syntax.Path(nowhere, headers, (syntax.Key(nowhere, b"content-type"),))
    only = syntax.Call(nowhere, "only", (types,))
    return syntax.Compare(nowhere, "matches", only, syntax.Pattern(nowhere, _JSON))
