"""A part of a zone's configuration together with the zone's version that it belongs to."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Versioned(Generic[Value]):
    """What was read or written, and the zone's version at that moment (its ETag)."""

    value: Value
    version: int
