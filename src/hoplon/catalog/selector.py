"""An operation named in words: `GET /users/{id}`, or `GET /users/{id} on api.example.com`."""

import re
from typing import NamedTuple

_SPELLED = re.compile(r"\s*(?P<method>[A-Za-z_-]{1,32})\s+(?P<path>/\S*)(?:\s+on\s+(?P<host>\S+))?\s*")


class SpelledOperation(NamedTuple):
    """What the words say: `host` is lower case, `*` where none is named; variables have the names that were written."""

    method: str
    host: str
    path: str


def read_spelled(text: str) -> SpelledOperation | None:
    """The operation that `text` spells; None when it is something else (an operation's id)."""
    match = _SPELLED.fullmatch(text)
    if match is None:
        return None
    return SpelledOperation(match["method"].upper(), (match["host"] or "*").lower(), match["path"])
