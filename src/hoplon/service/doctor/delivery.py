"""What `hoplon doctor` sees of bundle delivery: how this gateway follows a control plane, and who follows this one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hoplon.delivery.status import DeliveryStatus, read_status
from hoplon.service.gateways import list_gateways, state_of
from hoplon.service.workspace import Workspace
from hoplon.storage.bundles import manifest_hash
from hoplon.storage.locks import part_holder
from hoplon.storage.state import StateDirectory

LATE_SECONDS = 60.0
"""A following gateway hears something at least every 30 seconds."""

LateGateway = tuple[str, Literal["away", "behind"]]


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """`following`: what this gateway last heard, None when it follows nobody. `late`: gateways elsewhere, by name, that
    are `away` or `behind`."""

    following: DeliveryStatus | None = None
    late: tuple[LateGateway, ...] = ()


def look_at_following(state: StateDirectory) -> DeliveryStatus | None:
    """How the gateway that runs here follows; None when it does not."""
    holder = part_holder(state, "gateway")
    status = read_status(state)
    return status if status is not None and holder in (0, status.pid) else None


def look_at_gateways(workspace: Workspace, now: datetime) -> tuple[LateGateway, ...]:
    """The gateways elsewhere that do not serve the current bundle, as far as is known."""
    bundle = manifest_hash(workspace.state.current)
    states = [(each.name, state_of(each, bundle, now)) for each in list_gateways(workspace)]
    return tuple((name, state) for name, state in states if state != "current")


def age_in_words(seconds: float) -> str:
    """`90` as `90 seconds`, `7200` as `2 hours`: whole units, of which there are at least two."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
