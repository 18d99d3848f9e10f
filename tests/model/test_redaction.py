"""Details of an audit entry: no secret, no end."""

from typing import Any

import pytest

from hoplon.model.redaction import HIDDEN, redacted_details


@pytest.mark.parametrize(
    "details",
    [
        {"secret": "planted"},
        {"client_secret": "planted"},
        {"Password": "planted"},
        {"nested": {"private_key": "planted"}},
        {"list": [{"api_key": "planted"}]},
        {"credentials": ["planted"]},
        {"note": "use hoplon_plantedplantedplantedplanted now"},
        {"note": "Authorization: Bearer planted"},
        {"note": "-----BEGIN EC PRIVATE KEY----- planted"},
        {"note": "eyJhbGciOiJIUzI1NiJ9.planted.x"},
    ],
)
def test_what_looks_like_a_secret_is_hidden(details: dict[str, Any]) -> None:
    assert "planted" not in repr(redacted_details(details))
    assert HIDDEN in repr(redacted_details(details))


def test_what_is_none_stays() -> None:
    details = {"name": "shop", "count": 3, "share": 0.5, "on": True, "off": None, "tags": ["a", "b"], "in": {"x": 1}}
    assert redacted_details(details) == details
    assert redacted_details({"has_secret": True}) == {"has_secret": True}


def test_details_are_bounded_and_can_always_be_written() -> None:
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"a": deep}
    found = redacted_details({"long": "x" * 100_000, "many": list(range(10_000)), "deep": deep, "half": "\ud800"})
    assert len(repr(found)) < 3_000
    assert found["many"][-1] == "and 9,900 more"
    assert repr(found).encode()
    assert found["half"] == "?"
    assert len(redacted_details({str(number): 1 for number in range(1000)})) == 100
