"""Labels of a zone and which operation carries which."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hoplon.model.operation import Operation

Source = Literal["user", "managed"]
"""Whose label it is: the zone's own, or one of Hoplon's catalogue."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label. `metadata` is any JSON value; `operation_count` how many operations carry it, where that is known."""

    source: Source
    name: str
    description: str
    metadata: Any
    created_at: datetime
    last_updated: datetime
    operation_count: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """An operation carries a label."""

    operation_id: str
    source: Source
    label: str


@dataclass(frozen=True, slots=True)
class LabelledOperation:
    """An operation and the labels it carries, managed ones first, by name."""

    operation: Operation
    labels: Sequence[Label]
