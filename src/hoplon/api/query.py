"""What a query string may hold: declared per route as Parameters, each of which reads its values and describes itself.

Lists come as repeated keys, as the SDKs send them, or comma-joined. Names that a route does not know are ignored, as at
Cloudflare; a value that it cannot take is an error which says what it takes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl

from hoplon.errors import HoplonError

_WHOLE_NUMBER = re.compile(r"(-?[0-9]{1,18})(?:\.0+)?")
_MAX_TEXT = 4096


class Parameter(Protocol):
    """One parameter of a query."""

    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    def read(self, values: Sequence[str]) -> Any:
        """The value meant by what was sent for it (none: its default). Raises ValueError: what it takes instead."""

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""


@dataclass(frozen=True, slots=True)
class Text:
    """Any text, or None."""

    name: str
    about: str
    max_length: int = _MAX_TEXT

    def read(self, values: Sequence[str]) -> str | None:
        value = _single(values)
        if value and len(value) > self.max_length:
            raise ValueError(f"it is longer than {self.max_length} characters")
        return value or None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.max_length}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words, else `default`."""

    name: str
    about: str
    choices: tuple[str, ...]
    default: str | None = None

    def read(self, values: Sequence[str]) -> str | None:
        value = _single(values)
        if value is not None and value not in self.choices:
            raise ValueError(f"it is one of {', '.join(self.choices)}")
        return value if value is not None else self.default

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices), **_default(self.default)}


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number; `2.0` is one, since Cloudflare declares some of them as floats."""

    name: str
    about: str
    minimum: int
    maximum: int
    default: int | None = None

    def read(self, values: Sequence[str]) -> int | None:
        value = _single(values)
        if value is None:
            return self.default
        match = _WHOLE_NUMBER.fullmatch(value)
        if match is None or not self.minimum <= int(match[1]) <= self.maximum:
            raise ValueError(f"it is a whole number from {self.minimum} to {self.maximum}")
        return int(match[1])

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum, **_default(self.default)}


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`."""

    name: str
    about: str
    default: bool | None = None

    def read(self, values: Sequence[str]) -> bool | None:
        value = _single(values)
        if value not in (None, "true", "false"):
            raise ValueError("it is true or false")
        return value == "true" if value is not None else self.default

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean", **_default(self.default)}


@dataclass(frozen=True, slots=True)
class Several:
    """A list of texts, or of some words; empty when it was not sent."""

    name: str
    about: str
    choices: tuple[str, ...] = ()
    max_items: int = 1000

    def read(self, values: Sequence[str]) -> tuple[str, ...]:
        given = [item for value in values for item in value.split(",")]
        if len(given) > self.max_items:
            raise ValueError(f"it has at most {self.max_items} items")
        items = tuple(dict.fromkeys(item for item in given if item))
        if self.choices and any(item not in self.choices for item in items):
            raise ValueError(f"each is one of {', '.join(self.choices)}")
        return items

    def schema(self) -> dict[str, Any]:
        # an empty one counts as not sent
        item: dict[str, Any] = {"type": "string", **({"enum": [*self.choices, ""]} if self.choices else {})}
        return {"type": "array", "items": item, "maxItems": self.max_items}


DIRECTION = Choice("direction", "Ascending or descending.", ("asc", "desc"), "asc")
PAGE = Integer("page", "Which page, from 1; beyond the last one the result is empty.", 1, 10**9, 1)
PER_PAGE = Integer("per_page", "How many items a page has.", 5, 50, 20)
PAGING: tuple[Parameter, ...] = (PAGE, PER_PAGE)


def read_query(text: bytes, parameters: Sequence[Parameter]) -> Mapping[str, Any]:
    """The value of every declared parameter by its name. Raises `request.query` for the first that cannot be taken."""
    sent: dict[str, list[str]] = {}
    if text:
        for name, value in _pairs(text):
            sent.setdefault(name, []).append(value)
    values: dict[str, Any] = {}
    for parameter in parameters:
        try:
            values[parameter.name] = parameter.read(sent.get(parameter.name, ()))
        except ValueError as error:
            raise HoplonError("request.query", f"the parameter `{parameter.name}` cannot be taken: {error}") from error
    return values


def _pairs(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=2000)
    except ValueError as error:
        raise HoplonError("request.query", "the query is not percent-encoded UTF-8 of at most 2000 fields") from error


def _single(values: Sequence[str]) -> str | None:
    if len(values) > 1:
        raise ValueError("it is given more than once")
    return values[0] if values else None


def _default(value: Any) -> dict[str, Any]:
    return {} if value is None else {"default": value}
