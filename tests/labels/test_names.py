"""Names, descriptions and metadata of user labels; the catalogue of managed ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.labels.attach import attach_fault
from hoplon.labels.managed import MANAGED, MANAGED_PREFIX
from hoplon.labels.names import (
    MAX_DESCRIPTION,
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    description_fault,
    metadata_fault,
    metadata_text,
    name_fault,
    parse_metadata,
)


@pytest.mark.parametrize("name", ["a", "login", "Team.Payments_v2-beta", "7", "x" * 64])
def test_names_that_are_taken(name: str) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a/b", "é", "x" * 65, "a\n", "cf-log-in", "CF-mine"])
def test_names_that_are_refused(name: str) -> None:
    assert name_fault(name) is not None


def test_no_managed_label_could_be_a_user_label() -> None:
    assert all(name.startswith(MANAGED_PREFIX) and name_fault(name) for name in MANAGED)
    assert len(MANAGED) == 25


def test_descriptions() -> None:
    assert description_fault("two\nlines, tabs\tand ümläuts") is None
    assert description_fault("x" * MAX_DESCRIPTION) is None
    assert description_fault("x" * (MAX_DESCRIPTION + 1)) is not None
    assert description_fault("bell\x07") is not None


def test_metadata_is_bounded_in_size_and_depth() -> None:
    assert metadata_fault("x" * (MAX_METADATA_BYTES - 2)) is None
    assert metadata_fault("x" * (MAX_METADATA_BYTES - 1)) is not None
    assert metadata_fault(nested(MAX_METADATA_DEPTH)) is None
    assert metadata_fault(nested(MAX_METADATA_DEPTH + 1)) is not None
    assert metadata_fault(nested(100_000)) is not None
    assert metadata_fault(float("nan")) is not None


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_metadata_comes_back_as_it_was(value: Any) -> None:
    text = metadata_text(value)
    assert parse_metadata(text) == value
    assert metadata_text(parse_metadata(text)) == text


@pytest.mark.parametrize("text", ["", "NaN", "[Infinity]", "{", "'a'"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_metadata(text)


def test_people_attach_their_own_labels_and_those_of_a_use() -> None:
    assert attach_fault("login", ["login"]) is None
    assert attach_fault("cf-log-in", []) is None
    assert attach_fault("logn", ["login"]) == ("there is no label `logn`", "did you mean `login`?")
    assert attach_fault("login", []) == ("there is no label `login`", "make it first")
    assert attach_fault("cf-login", []) == ("there is no managed label `cf-login`", "did you mean `cf-log-in`?")
    fault = attach_fault("cf-risk-zombie", [])
    assert fault is not None
    assert "follows from traffic" in fault[0]


def test_every_risk_follows_from_traffic_and_every_use_can_be_attached() -> None:
    for name, label in MANAGED.items():
        assert label.is_attachable == (not name.startswith("cf-risk-")), name
        assert len(label.description) > 20
