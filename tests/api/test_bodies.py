"""Bodies: strict JSON, bounded, and every problem with its place."""

import time
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from pydantic_core import to_json

from hoplon.api.bodies import MAX_DEPTH, Lenient, Strict, read_body, read_json
from hoplon.api.errors import error_messages
from hoplon.errors import HoplonError


class Loose(Lenient):
    name: Annotated[str, Field(max_length=5)]


class Tight(Strict):
    name: str
    parts: tuple[Loose, ...] = ()


def refused(content: bytes, form: Any = dict[str, Any]) -> HoplonError:
    with pytest.raises(HoplonError) as caught:
        read_body(content, form)
    return caught.value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b"\xff{}", "UTF-8"),
        (b"\xef\xbb\xbf{}", "JSON"),
        (b'{"a": 1} x', "JSON"),
        (b"", "JSON"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\uDFFF": 1}', "surrogate"),
        (b"[" * 100_000, "JSON"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "deeper"),
        (b"[" * 5000 + b"]" * 5000, "deeper"),
        (b"1" * 5000, "JSON"),
    ],
)
def test_what_is_no_strict_json_is_refused(content: bytes, reason: str) -> None:
    error = refused(content)
    assert error.code == "request.not_json"
    assert reason in error.message


def test_a_member_that_is_there_twice_among_many_is_found_at_once() -> None:
    """Compared pair by pair, this body of 400 KB would keep a thread busy for a minute."""
    members = ",".join(f'"{number}":0' for number in range(40_000))
    begun = time.process_time()
    assert "`39999` is there twice" in refused(f'{{{members},"39999":1}}'.encode()).message
    assert time.process_time() - begun < 5


def test_a_surrogate_pair_is_a_character() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


def test_unknown_members_are_ignored_or_refused_as_the_model_says() -> None:
    assert read_body(b'{"name": "a", "more": 1}', Loose) == Loose(name="a")
    error = refused(b'{"name": "a", "more": 1, "parts": [{"name": "abcdef"}, {"name": 1}]}', Tight)
    places = [message["source"]["pointer"] for message in error_messages(error)]
    assert sorted(places) == ["/more", "/parts/0/name", "/parts/1/name"]


def test_types_are_not_guessed() -> None:
    for content in (b'{"name": 1}', b'{"name": null}', b'{"name": ["a"]}', b'"name"'):
        assert refused(content, Loose).code == "request.body"


def test_many_problems_are_counted_not_listed() -> None:
    messages = error_messages(refused(to_json([{}] * 100), list[Loose]))
    assert len(messages) == 21
    assert messages[-1]["message"] == "and 80 more"


_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT


@given(st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner), max_leaves=20))
def test_every_other_document_is_read_as_it_is(document: Any) -> None:
    assert read_json(to_json(document)) == document
