"""Lists: named sets of values of one kind, for the rules of every zone. Account data, in no policy version."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

Kind = Literal["ip", "redirect", "hostname", "asn"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class ListItem:
    """What an item says: its canonical `value`, and the `key` by which two items of a list are the same."""

    value: Any
    key: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as it stands in a list."""

    id: str
    item: ListItem
    created_on: datetime
    modified_on: datetime


@dataclass(frozen=True, slots=True)
class ValueList:
    """One list, without its items."""

    id: str
    kind: Kind
    name: str
    description: str
    created_on: datetime
    modified_on: datetime
    item_count: int = 0
    reference_count: int = 0
    """How many custom rules and limits name it."""


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """One change to the items of a list, for looking back: done, or not done and why."""

    id: str
    list_id: str
    completed: datetime
    error: str | None = None

    @property
    def status(self) -> Literal["completed", "failed"]:
        return "completed" if self.error is None else "failed"


@dataclass(frozen=True, slots=True)
class ItemSearch:
    """Which items of a list are asked for: those whose key begins with, contains or is `text`."""

    how: Literal["prefix", "part", "exact"]
    text: str
