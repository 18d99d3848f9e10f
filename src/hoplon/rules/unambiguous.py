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

_NOWHERE = Span(0, 0)
"""The place of what nobody wrote."""
_HEADERS = "http.request.headers"
_MEDIA_TYPES = syntax.Path(_NOWHERE, syntax.Field(_NOWHERE, _HEADERS), (syntax.Key(_NOWHERE, b"content-type"),))
_SEVERAL = (_HEADERS, "http.request.cookies")


def tests(leaf: Expression) -> tuple[Expression, ...]:
    """What has to hold for everything that a leaf reads to be read in one way. Raises Refusal."""
    found = [test for value in _values(leaf) for test in _tests_of(value)]
    return tuple(test for index, test in enumerate(found) if test not in found[:index])


def _values(expression: object) -> Iterator[syntax.Call | syntax.Path]:
    match expression:
        case syntax.Call(arguments=arguments):
            yield expression
            for argument in arguments:
                yield from _values(argument)
        case syntax.Compare(left=left, right=right):
            yield from _values(left)
            yield from _values(right)
        case syntax.Path(base=base):
            yield expression
            yield from _values(base)


def _tests_of(value: syntax.Call | syntax.Path) -> Iterator[Expression]:
    match value:
        case syntax.Call(name="query"):
            yield _is_once("http.request.uri.query", _argument(value), value.arguments[0].at)
        case syntax.Call(name="body"):
            yield _is_json()
        case syntax.Path(base=syntax.Field(name=name), steps=(syntax.Key(name=key, at=at) as step, syntax.Index(), *_)):
            yield from _one_of_several(name, key, at, step)


def _one_of_several(name: str, key: bytes, at: Span, step: syntax.Key) -> Iterator[Expression]:
    """`[0]` of what may stand several times: which of them the upstream reads is unknown."""
    if name in _SEVERAL:
        yield _is_one(syntax.Path(_NOWHERE, syntax.Field(_NOWHERE, name), (step,)))
    if name == "http.request.uri.args":
        yield _is_once("http.request.uri.query", key, at)
    if name == "http.request.body.form":
        yield _is_once("http.request.body.raw", key, at)
        yield _is_one(_MEDIA_TYPES)


def _argument(call: syntax.Call) -> bytes:
    (argument,) = call.arguments
    if not isinstance(argument, syntax.Text):
        raise AssertionError("the checker takes literals only")
    return argument.value


def _is_once(field: str, name: bytes, at: Span) -> Expression:
    pattern = _twice(name)
    if not name or len(pattern) > MAX_PATTERN:
        raise Refusal(at.start, "the name of a parameter has 1 to about 100 letters here")
    text = syntax.Field(_NOWHERE, field)
    return syntax.Not(_NOWHERE, syntax.Compare(_NOWHERE, "matches", text, syntax.Pattern(_NOWHERE, pattern)))


def _is_one(values: syntax.Path) -> Expression:
    return syntax.Compare(_NOWHERE, "eq", syntax.Call(_NOWHERE, "len", (values,)), syntax.Number(_NOWHERE, 1))


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


def _is_json() -> Expression:
    only = syntax.Call(_NOWHERE, "only", (_MEDIA_TYPES,))
    return syntax.Compare(_NOWHERE, "matches", only, syntax.Pattern(_NOWHERE, _JSON))
