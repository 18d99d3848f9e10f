"""What was fetched from the URL of a token configuration, and how the last attempt went."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Jwk = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The last good keys of one token configuration. `keys` is None until there were some; `changed_at` is when they
    last became others, `fetched_at` when the server last gave them. `error` is why the last attempt failed, None when
    it did not; `due_at` is when the next one is made."""

    zone_id: str
    configuration_id: str
    url: str
    keys: tuple[Jwk, ...] | None
    notes: tuple[str, ...]
    changed_at: datetime | None
    fetched_at: datetime | None
    tried_at: datetime | None
    due_at: datetime
    failures: int = 0
    error: str | None = None
