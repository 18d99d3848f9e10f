"""One entry of the audit log, before the store numbers and chains it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hoplon.model.actor import Actor


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
