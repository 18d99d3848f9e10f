"""Whatever is written compiles, or is refused with a place in the text: soon, and in little memory."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.rules.compile import Compiled, compile_expression
from hoplon.rules.dialects import AUTHORIZATION, COUNTING, CUSTOM, LIMITS, TOKENS, Dialect
from hoplon.rules.parser import MAX_CHARACTERS, MAX_DEPTH
from hoplon.rules.refusal import ExpressionError
from support.rules import FIELDS

check_program = pytest.importorskip("hoplon._native").check_program

DIALECTS = st.sampled_from((CUSTOM, LIMITS, COUNTING, TOKENS, AUTHORIZATION))
WORDS = (
    *("and", "or", "xor", "not", "eq", "ne", "lt", "in", "contains", "matches", "wildcard", "strict", "bitwise_and"),
    *("==", "!=", "<", ">=", "~", "&", "&&", "||", "^^", "!", "(", ")", "{", "}", "[", "]", "[*]", ",", "$a", "$", "|"),
    *(
        "1",
        "-1",
        "0x1f",
        "007",
        "1..5",
        "9..1",
        "10.0.0.1",
        "10.0.0.0/8",
        "::1",
        "fe80::/10",
        "1.5",
        "99999999999999999999",
    ),
    *('"a"', r'"\xff"', r'"\q"', '"', 'r"a"', 'r#"a"#', 'r#"a"', '"[a"', '"(?i)["]x"', '"a*b"', '"**"', '"€"'),
    *("true", "false", "ssl", "http.host", "ip.src", "http.request.headers", "http.request.body.raw", "nosuch.field"),
    *("http.request.uri.args", "ip.src.country", "hoplon.token.valid", "len", "any", "all", "lower", "concat", "cidr"),
    *("lookup_json_string", "substring", "url_decode", "split", "is_jwt_valid", "claim", "query", "session", "body"),
)
VALID = (
    'http.host eq "a" and (ssl or not ip.src in {10.0.0.0/8 ::1})',
    'any(lower(http.request.headers["x"][*])[*] contains r#"a"b"#)',
    r'http.request.uri.path matches "^/[a-z\"]+\.x$" xor len(http.host) in {1..5 9}',
    'lookup_json_integer(http.request.body.raw, "a", 0) gt -5',
)


def outcome(text: str, dialect: Dialect = CUSTOM) -> Compiled | ExpressionError:
    try:
        return compile_expression(text, dialect, fields=FIELDS)
    except ExpressionError as error:
        return error


def assert_told(text: str, dialect: Dialect) -> None:
    """A refusal names a place in the text, says something, and shows nothing that a terminal would obey."""
    found = outcome(text, dialect)
    if isinstance(found, ExpressionError):
        lines = text.split("\n")
        assert 1 <= found.line <= len(lines)
        assert 1 <= found.column <= len(lines[found.line - 1]) + 1
        assert found.message and found.message.isprintable()
        assert found.hint is None or found.hint.isprintable()


@given(st.text(max_size=200), DIALECTS)
def test_any_text(text: str, dialect: Dialect) -> None:
    assert_told(text, dialect)


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(("", " ", "\n", "\t"))), max_size=30), DIALECTS)
def test_any_words(words: list[tuple[str, str]], dialect: Dialect) -> None:
    assert_told("".join(word + blank for word, blank in words), dialect)


@given(st.sampled_from(VALID), st.integers(0, 100), st.integers(0, 3), st.sampled_from((*WORDS, "\x00", "\ud800", "…")))
def test_an_expression_with_a_piece_replaced(text: str, at: int, length: int, piece: str) -> None:
    place = at % len(text)
    assert_told(text[:place] + piece + text[place + length :], CUSTOM)


HOSTILE = {
    "parentheses": "(" * 100_000,
    "closed parentheses": "(" * 8_000 + "ssl" + ")" * 8_000,
    "nots": "not " * 4_000 + "ssl",
    "exclamation marks": "!" * 16_000 + "ssl",
    "calls": "lower(" * 2_700,
    "steps": "http.request.headers" + "[*]" * 5_000,
    "ors": " or ".join(["ssl"] * 2_300),
    "xors": " xor ".join(["ssl"] * 2_000),
    "ands of nots": " and ".join(["!!!!!!!!!!ssl"] * 900),
    "claims": " or ".join(['!(claim("a","c")eq claim("b","c"))'] * 430),
    "mixed operators": " or ssl and ssl xor ".join(["ssl"] * 800),
    "a name": "a" * 16_000,
    "a dotted name": "a." * 8_000 + "a",
    "a near name": "http.host" * 1_800,
    "a string that does not end": '"' + "a" * 16_000,
    "a string of escapes": 'http.host eq "' + r"\xff" * 4_000 + '"',
    "a pattern that does not end": 'http.host matches "' + "[" * 16_000,
    "hashes": "r" + "#" * 16_000,
    "raw strings that do not end": 'http.host eq r#"' + '"' * 16_000,
    "a number": "len(http.host) eq " + "9" * 16_000,
    "colons": "ip.src eq " + ":" * 16_000,
    "a set of numbers": "len(http.host) in {" + "1 " * 8_000 + "}",
    "a set of ranges": "ip.src in {" + " ".join(f"::{n:x}:1..::{n:x}:ffff:ffff:fffe" for n in range(1, 480)) + "}",
    "stars": 'http.host wildcard "' + "*a" * 8_000 + '"',
    "blanks": " " * 16_000,
    "arguments": "concat(" + "http.host," * 1_500 + ")",
    "a rule of 64 KB": 'http.host eq "' + "a" * 65_536 + '"',
    "a megabyte": "ssl and " * 131_072,
}
MAX_SECONDS = 2.0
"""On a busy machine; the slowest of them takes a tenth of it on an idle one."""
MAX_BYTES = 32 * 2**20


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_soon_done_with(name: str) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        assert_told(HOSTILE[name], CUSTOM)
        assert time.process_time() - began < MAX_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "name", ["nots", "ors", "xors", "ands of nots", "claims", "mixed operators", "a set of ranges"]
)
def test_what_compiles_loads(name: str) -> None:
    """However long: the engine bounds nodes and depth as well."""
    for dialect in (CUSTOM, AUTHORIZATION):
        found = outcome(HOSTILE[name], dialect)
        if isinstance(found, Compiled):
            assert check_program(json.dumps(found.program)) is None


def test_what_is_too_long_or_too_deep_says_so() -> None:
    long, deep = outcome(HOSTILE["a rule of 64 KB"]), outcome(HOSTILE["closed parentheses"])
    assert isinstance(long, ExpressionError)
    assert long.message == f"an expression has at most {MAX_CHARACTERS:,} characters, this one has 65,551"
    assert long.hint == "put long sets into a list (`in $name`), or write several rules"
    assert isinstance(deep, ExpressionError)
    assert deep.message == f"parentheses, `not` and calls nest deeper than {MAX_DEPTH}"
    assert deep.column == MAX_DEPTH + 1


def test_as_deep_as_it_may_be() -> None:
    assert isinstance(outcome("(" * MAX_DEPTH + "ssl" + ")" * MAX_DEPTH), Compiled)
    assert isinstance(outcome("(" * (MAX_DEPTH + 1) + "ssl" + ")" * (MAX_DEPTH + 1)), ExpressionError)
