"""The zones of an installation: listed, created, changed in their `[zone]` table, removed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from hoplon.errors import HoplonError, Problem
from hoplon.model.actor import Actor
from hoplon.model.audit import AuditEntry
from hoplon.model.policy import Upstream, ZonePolicy
from hoplon.model.zone import Zone
from hoplon.policy.difference import describe_zone
from hoplon.policy.document import FORMAT, check_policy, read_document
from hoplon.policy.zone import host_hint, is_host_pattern, write_zone
from hoplon.service.changes import (
    changing_zone,
    check_written,
    create_zone_with,
    new_zone_id,
    zone_to_change,
    zone_unknown_id,
)
from hoplon.service.features import FEATURES
from hoplon.service.policy import policy_of
from hoplon.service.stores import ZONE, load_policy, stored_zone
from hoplon.service.token_store import SECRET_KIND
from hoplon.service.workspace import Workspace
from hoplon.storage import audit, operations, policies
from hoplon.storage.database import reading, transaction
from hoplon.storage.secrets import remove_named


@dataclass(frozen=True, slots=True)
class ZoneSummary:
    """One zone: what it takes, where it sends it, how much is saved, and which policy version says so."""

    id: str
    account_id: str
    name: str
    hosts: tuple[str, ...]
    upstreams: tuple[str, ...]
    operations: int
    fallthrough: str
    version: int
    created_at: datetime
    changed_at: datetime

    @property
    def is_active(self) -> bool:
        """Whether gateways serve it; one without upstream waits."""
        return bool(self.upstreams)

    def as_json(self) -> dict[str, Any]:
        moments = {"created_at": self.created_at.isoformat(), "changed_at": self.changed_at.isoformat()}
        return {**asdict(self), **moments}


def list_zones(workspace: Workspace) -> list[ZoneSummary]:
    """Every zone, in the order of creation."""
    with reading(workspace.database) as connection:
        tables, fallthrough = (policies.read_tables(connection, name) for name in (ZONE, "operations"))
        saved = operations.counts(connection)
        return [
            _summary(zone, stored_zone(tables[zone.id]), saved.get(zone.id, 0), fallthrough[zone.id]["fallthrough"])
            for zone in policies.all_zones(connection)
        ]


def get_zone(workspace: Workspace, zone_id: str) -> ZoneSummary:
    """One zone by its id. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        zone = policies.zone_by_id(connection, zone_id)
        if zone is None:
            raise zone_unknown_id(zone_id)
        table, fallthrough = (policies.read_table(connection, zone_id, name) for name in (ZONE, "operations"))
        saved = operations.count(connection, zone_id)
    return _summary(zone, stored_zone(table), saved, fallthrough["fallthrough"])


def zone_policy(workspace: Workspace, zone_id: str) -> ZonePolicy:
    """The `[zone]` table of a zone by its id. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        table = policies.read_table(connection, zone_id, ZONE)
    if not table:
        raise zone_unknown_id(zone_id)
    return stored_zone(table)


def create_zone(workspace: Workspace, actor: Actor, name: str, upstreams: Sequence[Upstream] = ()) -> ZoneSummary:
    """A zone for the host `name` and the names right below it. Without upstreams it waits for some.

    Raises `policy.invalid` for a name that is no host name, `zone.overlap` for one that is taken.
    """
    host = name.lower()
    if "{" in host or not is_host_pattern(host):
        problem = Problem("name", f"`{name}` is no host name", host_hint(host))
        raise HoplonError("policy.invalid", "the zone cannot be created", None, (problem,))
    zone = ZonePolicy(host, tuple(upstreams), (host, f"{{hostvar1}}.{host}"))
    checked = _checked(write_zone(zone))
    check_written(workspace, checked, {})
    zone_id = new_zone_id()
    create_zone_with(workspace, actor, zone_id, policy_of(checked))
    return get_zone(workspace, zone_id)


def edit_zone(
    workspace: Workspace, actor: Actor, zone_id: str, edits: Mapping[str, Any], if_match: int | None = None
) -> ZoneSummary:
    """Replace keys of the `[zone]` table, spelled as in the policy document; the others stay.

    Raises `policy.invalid` with the path of every problem inside `edits`, `zone.overlap`, `zone.unknown`,
    `zone.last_active`, `precondition.failed`.
    """
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        old = change.load_zone()
        new = _checked({**write_zone(old), **edits})
        check_written(workspace, new, {})
        if sentences := tuple(describe_zone(old, new)):
            if old.is_active and not new.is_active:
                _check_another_is_active(change.connection, zone_id, old.name)
            if (old.hosts, old.merge_slashes) != (new.hosts, new.merge_slashes):
                _check_features(change.connection, zone_id, new)
            change.save_zone(new)
            change.describe(*sentences)
            change.audit("update", "zone", zone_id, {"changes": sentences})
    return get_zone(workspace, zone_id)


def set_upstreams(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    upstreams: Sequence[Mapping[str, Any]],
    if_match: int | None = None,
) -> ZoneSummary:
    """Say where a zone's traffic goes: the `[[zone.upstreams]]` of its document. Raises as `edit_zone` does."""
    return edit_zone(workspace, actor, zone_id, {"upstreams": list(upstreams)}, if_match)


def delete_zone(workspace: Workspace, actor: Actor, zone_id: str, if_match: int | None = None) -> None:
    """Remove a zone with its policy; its history and its audit entries stay.

    Raises `zone.unknown`, `precondition.failed`, and `zone.last_active` for the last one that gateways serve.
    """
    with transaction(workspace.database) as connection:
        zone = zone_to_change(connection, zone_id, if_match)
        if stored_zone(policies.read_table(connection, zone_id, ZONE)).is_active:
            _check_another_is_active(connection, zone_id, zone.name)
        now = datetime.now(UTC)
        policies.add_version(connection, zone_id, zone.version + 1, now, actor.name, (f"removes zone {zone.name}",))
        policies.remove_zone(connection, zone_id)
        remove_named(connection, SECRET_KIND, f"{zone_id}/")
        audit.append(connection, AuditEntry(actor, "delete", "zone", zone_id, zone_id, {"name": zone.name}))
    workspace.assembler.request()


def _summary(zone: Zone, policy: ZonePolicy, saved: int, fallthrough: str) -> ZoneSummary:
    return ZoneSummary(
        id=zone.id,
        account_id=zone.account_id,
        name=zone.name,
        hosts=policy.hosts,
        upstreams=tuple(upstream.url for upstream in policy.upstreams),
        operations=saved,
        fallthrough=fallthrough,
        version=zone.version,
        created_at=zone.created_at,
        changed_at=zone.modified_at,
    )


def _checked(table: Mapping[str, Any]) -> ZonePolicy:
    """A `[zone]` table that is not from a file: problems have their path inside the table."""
    try:
        return read_document({"format": FORMAT, "zone": table}, FEATURES, "the zone").zone
    except HoplonError as error:
        inside = tuple(replace(each, path=each.path.removeprefix("zone.")) for each in error.problems)
        raise HoplonError(error.code, error.message, error.hint, inside) from None


def _check_features(connection: Connection, zone_id: str, zone: ZonePolicy) -> None:
    """What features keep must fit the zone as it becomes: an operation's host must be one of its hosts."""
    policy = replace(load_policy(connection, zone_id), zone=zone)
    if problems := check_policy(policy, FEATURES):
        raise HoplonError("policy.invalid", "this does not fit the zone's policy", None, tuple(problems))


def _check_another_is_active(connection: Connection, zone_id: str, name: str) -> None:
    """A bundle has at least one zone: gateways would go on with the last one that they have."""
    tables = policies.read_tables(connection, ZONE)
    if not any(stored_zone(table).is_active for other, table in tables.items() if other != zone_id):
        message = f"{name} is the last zone with an upstream; gateways cannot serve none"
        raise HoplonError("zone.last_active", message, "add the zone that takes its place first")
