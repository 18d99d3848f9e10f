"""From seen operations to policy: which would be saved, and the policy document that saves them."""

from collections.abc import Sequence
from dataclasses import replace

from hoplon.catalog import SavedTemplate
from hoplon.operations.policy import SavedOperation
from hoplon.policy.document import write_policy
from hoplon.service.features import FEATURES
from hoplon.service.policy import all_zones, find_zone
from hoplon.service.records import ZoneOperations
from hoplon.service.workspace import Workspace

ANY_HOST = "*"


def new_operations(found: ZoneOperations, min_sessions: int = 2) -> list[SavedTemplate]:
    """Seen operations that are not saved and that at least `min_sessions` distinct sessions called successfully, by
    host and path: nobody teaches Hoplon alone, not by inventing tokens at one address either. Where all traffic has one
    host, the operation is for any host of the zone."""
    is_one_host = len(found.catalogue.hosts) <= 1
    return sorted(
        (
            SavedTemplate(each.method, ANY_HOST if is_one_host else each.host, each.path)
            for each in found.catalogue.operations
            if not each.is_saved and each.callers >= min_sessions
        ),
        key=lambda each: (each.host, each.path, each.method),
    )


def saved_tables(operations: Sequence[SavedTemplate]) -> str:
    """`operations` as `[[operations.saved]]` tables, ready to paste into a policy."""
    return "\n".join(_saved_table(each) for each in operations)


def _saved_table(each: SavedTemplate) -> str:
    members = {"method": each.method, "host": each.host, "path": each.path}
    return "[[operations.saved]]\n" + "".join(f"{name} = {_quoted(text)}\n" for name, text in members.items())


def policy_with(workspace: Workspace, zone: str | None, operations: Sequence[SavedTemplate]) -> str:
    """The zone's whole policy with `operations` saved too."""
    zone_id = find_zone(workspace, zone).zone_id
    policy = next(policy for version, policy in all_zones(workspace) if version.zone_id == zone_id)
    current = policy.features["operations"]
    added = tuple(SavedOperation(host=each.host, path=each.path, method=each.method) for each in operations)
    features = {**policy.features, "operations": replace(current, saved=(*current.saved, *added))}
    return write_policy(replace(policy, features=features), FEATURES)


def _quoted(text: str) -> str:
    """A TOML basic string; methods, hosts and paths hold no control characters."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
