"""Who changes something: a person at the command line, the bearer of a token, or Hoplon itself."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `id` is a login name or the id of a token; `address` and `request_id` are known over HTTP only."""

    kind: Literal["user", "token", "system"]
    id: str
    name: str
    address: str | None = None
    request_id: str | None = None


SYSTEM = Actor("system", "hoplon", "Hoplon")
"""Hoplon on its own behalf."""
