"""The zones of an installation, at a glance."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from hoplon.service.policy import all_zones
from hoplon.service.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ZoneSummary:
    """One zone: what it takes, where it sends it, how much is saved, and which policy version says so."""

    id: str
    name: str
    hosts: tuple[str, ...]
    upstreams: tuple[str, ...]
    operations: int
    fallthrough: str
    version: int
    changed_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "changed_at": self.changed_at.isoformat()}


def list_zones(workspace: Workspace) -> list[ZoneSummary]:
    """Every zone, in the order of creation."""
    return [
        ZoneSummary(
            id=version.zone_id,
            name=version.zone_name,
            hosts=policy.zone.hosts,
            upstreams=tuple(upstream.url for upstream in policy.zone.upstreams),
            operations=len(policy.features["operations"].saved),
            fallthrough=policy.features["operations"].fallthrough,
            version=version.version,
            changed_at=version.committed_at,
        )
        for version, policy in all_zones(workspace)
    ]
