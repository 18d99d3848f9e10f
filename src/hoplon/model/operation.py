"""A saved operation as the store knows it."""

from dataclasses import dataclass
from datetime import datetime


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
