"""A saved operation as the store knows it, and what one looks for among them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

OperationOrder = Literal["method", "host", "endpoint"]
"""What a listing is ordered by."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Method + host + path template. `path` has the user's names of variables, `template` the engine's; `host` is lower
    case, variables under the user's names, or `*`. `last_updated` moves when variables are renamed."""

    id: str
    method: str
    host: str
    path: str
    template: str
    created_at: datetime
    last_updated: datetime


@dataclass(frozen=True, slots=True)
class ShownOperation:
    """A saved operation as everybody sees it: `endpoint` has its variables as `{var1}`, `{var2}` …"""

    id: str
    method: str
    host: str
    endpoint: str

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint} on {'any host' if self.host == '*' else self.host}"


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """Which operations: of these hosts (none: of all), of these methods, with this text in the template."""

    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    endpoint: str | None = None
