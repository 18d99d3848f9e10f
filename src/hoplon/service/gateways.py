"""The gateways that follow this control plane: noting that one was heard, and listing them."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from hoplon.model.gateway import RemoteGateway
from hoplon.service.workspace import Workspace
from hoplon.storage import gateways
from hoplon.storage.database import reading, transaction

NOTE_SECONDS = 10.0
"""What is known of a gateway is written at most so often while nothing about it changes."""
MISSED_SECONDS = 90.0
"""A gateway asks at least every 45 seconds (its long poll and a pause); one not heard for twice that is away."""


def note_gateway(workspace: Workspace, seen: RemoteGateway) -> None:
    """Remember that a gateway has asked."""
    with reading(workspace.database) as connection:
        known = gateways.gateway_of(connection, seen.token_id, seen.name)
    if known is None or _is_news(known, seen):
        with transaction(workspace.database) as connection:
            gateways.put_gateway(connection, seen)


def list_gateways(workspace: Workspace) -> list[RemoteGateway]:
    """Every gateway that was heard within `FORGOTTEN_DAYS` and whose credential is still there, by name."""
    since = datetime.now(UTC) - timedelta(days=FORGOTTEN_DAYS)
    with reading(workspace.database) as connection:
        return gateways.gateways_since(connection, since)


FORGOTTEN_DAYS = 30.0
"""Who has been silent for longer was taken down: nobody shall look for it for ever."""
State = Literal["current", "behind", "away"]


def state_of(gateway: RemoteGateway, current: str | None, now: datetime) -> State:
    """In one word how a gateway is: `away`, `behind` (it serves another bundle than `current`), or `current`."""
    if now - gateway.last_seen_at > timedelta(seconds=MISSED_SECONDS):
        return "away"
    return "current" if gateway.bundle == current else "behind"


def _is_news(known: RemoteGateway, seen: RemoteGateway) -> bool:
    """Whether it says something else than before, or has been silent in our books for a while."""
    same = (known.address, known.bundle, known.mode) == (seen.address, seen.bundle, seen.mode)
    return not same or datetime.now(UTC) - known.last_seen_at > timedelta(seconds=NOTE_SECONDS)
