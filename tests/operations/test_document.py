"""Documents from elsewhere: JSON and YAML give the same, and nothing hostile costs more than its size."""

import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hoplon.errors import HoplonError
from hoplon.operations.document import MAX_ALIASES, MAX_DEPTH, read_document

NODES = st.recursive(
    st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=6), NODES, max_size=4))
def test_json_and_yaml_of_the_same_document_are_the_same(document: dict[str, object]) -> None:
    assert read_document(json.dumps(document).encode(), "f") == document
    assert read_document(yaml.safe_dump(document, default_style='"').encode(), "f") == document


def test_every_scalar_is_a_string_and_tags_build_nothing() -> None:
    assert read_document(b'{"a": [1, 2.50, null, true]}', "f") == {"a": ["1", "2.50", "", "true"]}
    assert read_document(b"a: [1, 2.50, on, 2024-01-01]", "f") == {"a": ["1", "2.50", "on", "2024-01-01"]}
    assert read_document(b"a: !!python/object/apply:os.abort []", "f") == {"a": []}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff", "not UTF-8 (byte 0)"),
        (b"a: b: c", "line 1, column 5"),
        (b'{"a":', "neither JSON nor YAML"),
        (b"\x00", "neither JSON nor YAML"),
        (b"", "not one document"),
        (b"--- a\n--- b\n", "not one document"),
        (b"[a]: b", "a key that is no text"),
        (b"a: *b", "the alias `*b` that nothing defines"),
        (b"[" * 200_000, "nested deeper"),
        (b'{"a":' * 200_000, "nested deeper"),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "nested deeper"),
        (b"a: &a 1\nb: [" + b"*a," * (MAX_ALIASES + 1) + b"]", "aliases"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(HoplonError, match=says.replace("(", r"\(").replace(")", r"\)").replace("*", r"\*")) as raised:
        read_document(data, "api.yaml")
    assert raised.value.code == "description.unreadable"


def test_a_bomb_of_aliases_is_read_in_the_time_of_its_bytes() -> None:
    levels = [f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 60)]
    began = time.monotonic()
    document = read_document("\n".join(["a0: &a0 [x]", *levels]).encode(), "f")
    assert isinstance(document, dict)
    assert len(document) == 60
    assert time.monotonic() - began < 1.0


def test_an_alias_may_lie_within_what_it_names() -> None:
    document = read_document(b"a: &a\n  b: *a", "f")
    assert isinstance(document, dict)
    assert document["a"]["b"] is document["a"]  # type: ignore[index,call-overload]
