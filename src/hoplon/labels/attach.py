"""Which label people may attach to an operation."""

from collections.abc import Collection

from hoplon.labels.managed import MANAGED, MANAGED_PREFIX
from hoplon.labels.names import Fault
from hoplon.spelling import did_you_mean


def attach_fault(name: str, known: Collection[str]) -> Fault | None:
    """Why a label cannot be attached (`known`: the zone's own labels), None when it can."""
    if not name.startswith(MANAGED_PREFIX):
        if name in known:
            return None
        return f"there is no label `{name[:80]}`", did_you_mean(name, known) if known else "make it first"
    if name not in MANAGED:
        return f"there is no managed label `{name[:80]}`", did_you_mean(name, MANAGED)
    if not MANAGED[name].is_attachable:
        return f"`{name}` follows from traffic", "Hoplon gives and takes the labels of risks"
    return None
