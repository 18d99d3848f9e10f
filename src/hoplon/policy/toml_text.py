"""A document as TOML in one fixed layout: plain keys first, then tables; one line per entry of a list,
so that a thousand operations stay readable and their differences small."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def write_toml(document: Mapping[str, Any]) -> str:
    """The text of nested mappings, lists of mappings, lists of scalars, and scalars (str, bool, int, finite float)."""
    return "".join(f"{line}\n" for line in _table(document, ())).lstrip("\n")


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    if path:
        yield f"\n[{'.'.join(path)}]"
    for key, value in table.items():
        if not isinstance(value, Mapping):
            yield from _entry(key, value)
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _table(value, (*path, key))


def _entry(key: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list) or not value:
        yield f"{key} = {_inline(value)}"
        return
    yield f"{key} = ["
    yield from (f"    {_inline(item)}," for item in value)
    yield "]"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, str):
        return _string(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _string(text: str) -> str:
    """A basic string. JSON's escapes are TOML's, except that TOML also wants DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
