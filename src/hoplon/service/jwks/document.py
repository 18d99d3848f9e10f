"""The content of a key set: bytes that anybody may have written to keys, or the reason why there are none."""

import json
from collections import Counter
from typing import Any

from hoplon.errors import HoplonError
from hoplon.tokens.keys import Intake, take_keys

MAX_LISTED = 100
"""So many keys a set may list, whatever is of use among them."""


def read_key_set(content: bytes) -> Intake:
    """The keys of a set (RFC 7517 §5). Raises `jwks.invalid` with what is wrong; nothing of the content is quoted."""
    try:
        document = json.loads(content.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _invalid("it is not one JSON document in UTF-8, without a member twice") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise _invalid("it has no list `keys` of JSON Web Keys")
    if len(listed) > MAX_LISTED:
        raise _invalid(f"it lists more than {MAX_LISTED} keys")
    intake = take_keys(listed, origin="fetched")
    if intake.problems:
        raise _invalid(intake.problems[0].message)
    if not intake.keys:
        raise _invalid("it has no key that verifies a token")
    return intake


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if max(Counter(name for name, _ in pairs).values(), default=1) > 1:
        raise ValueError
    return dict(pairs)


def _no_constant(word: str) -> None:
    raise ValueError(word)


def _invalid(why: str) -> HoplonError:
    return HoplonError("jwks.invalid", f"what it gives is no key set: {why}")
