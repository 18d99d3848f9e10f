"""The installation at a glance: which parts run, what is in place, what the gateway says."""

from dataclasses import dataclass

from hoplon.service.gateway import gateway_status
from hoplon.service.workspace import Workspace
from hoplon.storage import policies
from hoplon.storage.bundles import manifest_hash
from hoplon.storage.database import reading
from hoplon.storage.locks import part_holder
from hoplon.storage.state import PARTS


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part; `pid` is None when it does not run."""

    name: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class InstallationStatus:
    """`bundle` is in place, `serving` what the gateway here serves, `error` why the committed policy is not."""

    zones: int
    bundle: str | None
    serving: str | None
    error: str | None
    parts: tuple[PartStatus, ...]


def installation_status(workspace: Workspace) -> InstallationStatus:
    """The installation as it is now."""
    with reading(workspace.database) as connection:
        zones = len(policies.all_zones(connection))
    gateway, error = gateway_status(workspace.state), workspace.assembler.error
    parts = tuple(PartStatus(part, part_holder(workspace.state, part)) for part in PARTS)
    runs = any(part.name == "gateway" and part.pid is not None for part in parts)
    return InstallationStatus(
        zones=zones,
        bundle=manifest_hash(workspace.state.current),
        serving=gateway.serving if gateway is not None and runs else None,
        error=error.message if error is not None else None,
        parts=parts,
    )
