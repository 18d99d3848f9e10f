"""What `hoplon doctor` sees of the keys that are fetched for token configurations."""

from dataclasses import dataclass

from hoplon.model.key_sets import KeySet
from hoplon.service.workspace import Workspace
from hoplon.storage import policies
from hoplon.storage.database import reading
from hoplon.storage.key_sets import all_key_sets


@dataclass(frozen=True, slots=True)
class KeySetView:
    """The key set of one token configuration of one zone."""

    zone: str
    key_set: KeySet


def look_at_key_sets(workspace: Workspace) -> tuple[KeySetView, ...]:
    """Every key set, with the name of its zone."""
    with reading(workspace.database) as connection:
        names = {zone.id: zone.name for zone in policies.all_zones(connection)}
        return tuple(KeySetView(names[each.zone_id], each) for each in all_key_sets(connection))
