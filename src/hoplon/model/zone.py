"""A zone as the store knows it; what it allows is its policy."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Account:
    """The account that owns every zone of an installation."""

    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone. `version` is that of its newest policy, and its ETag."""

    id: str
    account_id: str
    name: str
    created_at: datetime
    modified_at: datetime
    version: int
