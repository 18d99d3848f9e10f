"""When a key set is fetched, and what an attempt makes of it: pure functions from a KeySet to the next one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from hoplon.errors import HoplonError
from hoplon.model.key_sets import KeySet
from hoplon.tokens.keys import Intake

USUAL_SECONDS = 600
BOUNDS_SECONDS = (60, 86_400)
"""Between these what a server says about its cache is followed."""
RETRY_SECONDS = 15
MAX_RETRY_SECONDS = 600
JITTER = 0.1
"""So many gateways and zones do not ask one server at the same moment."""
Chance = Callable[[], float]
"""A number from 0 to 1."""


def after_success(before: KeySet, taken: Intake, holds_seconds: int | None, now: datetime, chance: Chance) -> KeySet:
    """The key set after its server gave it."""
    keys = tuple(key.as_jwk() for key in taken.keys)
    least, most = BOUNDS_SECONDS
    pause = min(max(USUAL_SECONDS if holds_seconds is None else holds_seconds, least), most)
    return replace(
        before,
        keys=keys,
        notes=tuple(note.message for note in taken.notes),
        changed_at=before.changed_at if keys == before.keys else now,
        fetched_at=now,
        tried_at=now,
        due_at=now + _spread(pause, chance),
        failures=0,
        error=None,
    )


def after_failure(before: KeySet, error: HoplonError, now: datetime, chance: Chance) -> KeySet:
    """The key set after an attempt that failed: its last good keys stay, and the pause doubles."""
    pause = min(RETRY_SECONDS * 2 ** min(before.failures, 10), MAX_RETRY_SECONDS)
    said = f"{error.message}; {error.hint}" if error.hint else error.message
    due_at = now + _spread(pause, chance)
    return replace(before, tried_at=now, due_at=due_at, failures=before.failures + 1, error=said)


def _spread(seconds: float, chance: Chance) -> timedelta:
    return timedelta(seconds=seconds * (1 + JITTER * (2 * chance() - 1)))
