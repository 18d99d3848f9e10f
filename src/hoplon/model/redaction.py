"""What may stand in the details of an audit entry: never a secret, and never without bound."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = "[redacted]"
_SECRET_NAME = re.compile(r"(?i)(secret|passw|passphrase|credential|authoriz|cookie|private|api_?key|auth_?key)")
_SECRET_VALUE = re.compile(
    r"hoplon_[0-9A-Za-z]{20,}|(?i:bearer)\s+\S+|-----BEGIN [A-Z ]*PRIVATE KEY-----|eyJ[\w-]{8,}\.[\w-]+\."
)
_LONGEST_TEXT = 500
_MOST_MEMBERS = 100
_DEEPEST = 6


def redacted_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details with whatever looks like a secret hidden, long texts cut, and long lists counted instead of kept."""
    return {str(name): _redacted(str(name), value, 1) for name, value in list(details.items())[:_MOST_MEMBERS]}


def _redacted(name: str, value: Any, depth: int) -> Any:
    if _SECRET_NAME.search(name) and value not in (None, "", True, False):
        return HIDDEN
    if isinstance(value, str):
        return HIDDEN if _SECRET_VALUE.search(value) else _cut(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        members = list(value.items())
        return {str(key): _redacted(str(key), item, depth + 1) for key, item in members[:_MOST_MEMBERS]}
    if isinstance(value, Sequence | set | frozenset):
        items = [_redacted(name, item, depth + 1) for item in list(value)[:_MOST_MEMBERS]]
        left_out = len(value) - len(items)
        return [*items, f"and {left_out:,} more"] if left_out else items
    return _cut(str(value))


def _cut(text: str) -> str:
    """At most so long, and writable as UTF-8 whatever came in."""
    writable = text[: _LONGEST_TEXT + 1].encode(errors="replace").decode()
    return writable if len(writable) <= _LONGEST_TEXT else f"{writable[:_LONGEST_TEXT]}…"
