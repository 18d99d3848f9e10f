"""What a restarting `hoplon up` gets from the program that its process was before, through the environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hoplon.errors import HoplonError

VARIABLE = "HOPLON_HANDED_OVER"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Open sockets by listener, pids by part, and pids of replaced processes that end what they have under way."""

    listeners: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    leaving: tuple[int, ...] = ()
    format: int = _FORMAT

    @property
    def is_restart(self) -> bool:
        return bool(self.parts)


NOTHING = HandedOver()
"""What an ordinary start is given."""


def take_handed_over() -> HandedOver:
    """What this process was given, once; nothing at an ordinary start."""
    document = os.environ.pop(VARIABLE, None)
    if document is None:
        return NOTHING
    given: dict[str, Any] = json.loads(document)
    if given.get("format") != _FORMAT:
        raise HoplonError(
            "restart.format", "the program before handed over in a format that this version does not read"
        )
    return HandedOver(given["listeners"], given["parts"], tuple(given["leaving"]))
