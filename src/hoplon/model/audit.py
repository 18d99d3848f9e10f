"""Entries of the audit log: one before the store numbers and chains it, one as it is stored, and what is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from hoplon.model.actor import Actor
from hoplon.model.api_token import Network, parse_client


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to which resource. `details` is JSON and holds no secret."""

    actor: Actor
    action: str
    resource_type: str
    resource_id: str
    zone_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One stored entry. `hash` covers everything else, and so, through `previous_hash`, every entry before."""

    sequence: int
    id: str
    time: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    address: str | None
    action: str
    resource_type: str
    resource_id: str
    zone_id: str | None
    request_id: str | None
    details: Mapping[str, Any]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditFault:
    """A place where the log is not what was appended. Sequence 0: the log as a whole."""

    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: from `since` on, before `before`, from an address inside `network`, about a
    zone or not.

    `including` and `excluding` are pairs of a member of `AuditRecord` and the values that it must, or must not, have.
    """

    since: datetime | None = None
    before: datetime | None = None
    including: Sequence[tuple[str, Sequence[str]]] = ()
    excluding: Sequence[tuple[str, Sequence[str]]] = ()
    network: Network | None = None
    has_zone: bool | None = None
    direction: Literal["asc", "desc"] = "desc"

    def admits_address(self, address: str) -> bool:
        """Whether an address lies inside the network that is asked for."""
        found = parse_client(address)
        return self.network is None or (found is not None and found in self.network)
