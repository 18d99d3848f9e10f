"""A gateway that fetches its bundles from this control plane, as it was last heard."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RemoteGateway:
    """`credential` names the token that it shows, `bundle` is what it said that it serves (None: nothing yet)."""

    name: str
    credential: str
    token_id: str
    last_seen_at: datetime
    address: str | None = None
    bundle: str | None = None
    mode: str | None = None
