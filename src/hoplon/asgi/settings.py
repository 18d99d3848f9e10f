"""What a Shield is told, what it counts, and the shapes of ASGI (https://asgi.readthedocs.io/en/latest/specs/)."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from hoplon._native import Inspection

Mode = Literal["enforce", "log", "off"]
FailMode = Literal["open", "closed"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
"""Frameworks spell the three types each in their own way."""

Clock = Callable[[], int]
"""Microseconds since 1970."""
OnEnd = Callable[["Inspection"], None]
"""What an application does with each transaction that ended: called in its event loop, so it must be quick."""


@dataclass(slots=True)
class Counts:
    """What a Shield has done since it was made. `failed_open` and `failed_closed`: requests that the engine could not
    judge, by what became of them."""

    requests: int = 0
    logged: int = 0
    blocked: int = 0
    refused: int = 0
    failed_open: int = 0
    failed_closed: int = 0
    bundles_loaded: int = 0
    bundles_refused: int = 0
