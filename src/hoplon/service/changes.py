"""One change of one zone's configuration: rows, version and audit entries in one transaction, or nothing at all.

Whoever changes something opens `changing_zone`, writes through the ZoneChange and says in words what changed. What
has not been said has not happened: without a sentence the transaction is undone and the version stays.
"""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from hoplon.errors import HoplonError, Problem
from hoplon.model.actor import Actor
from hoplon.model.audit import AuditEntry
from hoplon.model.policy import Policy, Upstream, ZonePolicy
from hoplon.model.versions import PolicyBundle
from hoplon.model.zone import Zone
from hoplon.policy.assembly import ZoneVersion, check_zones, compile_version, join
from hoplon.service import stores
from hoplon.service.features import FEATURES
from hoplon.service.rule_lists import RuleLists
from hoplon.service.workspace import Workspace
from hoplon.spelling import did_you_mean
from hoplon.storage import audit, policies
from hoplon.storage.database import reading, transaction

MAX_ZONES = 1000
"""As many as a bundle holds."""
_NOWHERE = Upstream("http://127.0.0.1:9")
"""What stands for the upstreams of a zone that has none yet, when the engine is asked about the rest of it."""
UNCOMMITTED = "0" * 32
"""The id of the zone in a bundle that only the engine is asked about."""


@dataclass(slots=True)
class ZoneChange:
    """A zone's configuration while it changes from `old_version` to `new_version`, inside one write transaction."""

    connection: Connection
    actor: Actor
    zone_id: str
    zone_name: str
    old_version: int
    now: datetime
    changes: list[str] = field(default_factory=list)
    entries: list[AuditEntry] = field(default_factory=list)
    keeps_rows: bool = False
    """Commit what was written even without a sentence, as no new version: it is no policy (when something was seen)."""

    @property
    def new_version(self) -> int:
        return self.old_version + 1

    def load(self, feature: str) -> Any:
        """The feature's policy value as it is."""
        return stores.store_of(feature).load(self.connection, self.zone_id)

    def save(self, feature: str, policy: Any) -> None:
        """Make `policy` the feature's value from the new version on."""
        stores.store_of(feature).save(self.connection, self.zone_id, self.new_version, self.now, policy)

    def load_zone(self) -> ZonePolicy:
        """The `[zone]` table as it is."""
        return stores.load_zone(self.connection, self.zone_id)

    def save_zone(self, zone: ZonePolicy) -> None:
        """Make `zone` the `[zone]` table from the new version on, after a look at the hosts of all other zones."""
        check_beside_others(self.connection, self.zone_id, zone)
        stores.save_zone(self.connection, self.zone_id, self.new_version, zone)
        self.zone_name = zone.name

    def describe(self, *sentences: str) -> None:
        """Say what changes; this is what the history shows."""
        self.changes.extend(sentences)

    def audit(
        self, action: str, resource_type: str, resource_id: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Write an entry of the audit log when the change is committed."""
        entry = AuditEntry(self.actor, action, resource_type, resource_id, self.zone_id, details or {})
        self.entries.append(entry)


@contextmanager
def changing_zone(
    workspace: Workspace, actor: Actor, zone_id: str, if_match: int | None = None
) -> Iterator[ZoneChange]:
    """Change one zone: committed as its next version when the block ends, undone when it raises.

    Raises `zone.unknown`, or `precondition.failed` when the zone is not at version `if_match` any more.
    """
    with transaction(workspace.database) as connection:
        zone = zone_to_change(connection, zone_id, if_match)
        change = ZoneChange(connection, actor, zone.id, zone.name, zone.version, datetime.now(UTC))
        yield change
        if not change.changes:
            if not change.keeps_rows:
                connection.rollback()
            return
        _commit_version(change)
    workspace.assembler.request()


def known_zone(connection: Connection, zone_id: str) -> Zone:
    """The zone with this id. Raises `zone.unknown`."""
    zone = policies.zone_by_id(connection, zone_id)
    if zone is None:
        raise zone_unknown_id(zone_id)
    return zone


def zone_to_change(connection: Connection, zone_id: str, if_match: int | None) -> Zone:
    """The zone with this id, at the version that the caller has seen. Raises as `changing_zone` does."""
    zone = known_zone(connection, zone_id)
    if if_match not in (None, zone.version):
        raise HoplonError(
            "precondition.failed",
            f"zone {zone.name} is at version {zone.version}, not {if_match}; nothing was changed",
            "read it again, and repeat the change with the version that you read",
        )
    return zone


def create_zone_with(workspace: Workspace, actor: Actor, zone_id: str, policy: Policy) -> None:
    """Commit a new zone with its first version. Raises `zone.overlap`."""
    with transaction(workspace.database) as connection:
        now = datetime.now(UTC)
        check_beside_others(connection, zone_id, policy.zone)
        policies.add_zone(connection, zone_id, policy.zone.name, now)
        stores.save_policy(connection, zone_id, 1, now, policy)
        change = ZoneChange(connection, actor, zone_id, policy.zone.name, 0, now)
        change.describe(f"creates zone {policy.zone.name}")
        change.audit("create", "zone", zone_id, {"name": policy.zone.name})
        _commit_version(change)
    workspace.assembler.request()


def check_beside_others(connection: Connection, zone_id: str, zone: ZonePolicy) -> None:
    """Raise `zone.overlap` when another zone has the name or one of the hosts, `zone.too_many` for one too many."""
    tables = policies.read_tables(connection, stores.ZONE)
    others = [_claims(table) for other, table in tables.items() if other != zone_id]
    if len(others) >= MAX_ZONES:
        message = f"an installation has at most {MAX_ZONES} zones"
        raise HoplonError("zone.too_many", message, "remove one, or set up another installation")
    if problems := check_zones([*others, zone]):
        raise HoplonError(
            "zone.overlap", f"zone {zone.name} collides with another zone; nothing was changed", None, problems
        )


def _claims(table: Mapping[str, Any]) -> ZonePolicy:
    """What another zone claims; the rest of its table is not looked at, there may be hundreds."""
    return ZonePolicy(table["name"], (), tuple(table["hosts"]))


def check_written(workspace: Workspace, zone: ZonePolicy, features: Mapping[str, Any]) -> PolicyBundle:
    """Ask the engine about these policy values alone, the other features at their defaults; the bundle that it saw.

    Raises `policy.invalid` with what the engine says.
    """
    defaults = {each.name: each.read(each.table()) for each in FEATURES}
    policy = Policy(zone if zone.is_active else replace(zone, upstreams=(_NOWHERE,)), {**defaults, **features})
    version = ZoneVersion(UNCOMMITTED, 1, datetime.fromtimestamp(0, UTC), policy)
    with reading(workspace.database) as connection:
        bundle = join([compile_version(version, FEATURES, RuleLists(connection))])
    if refused := workspace.check_bundle(bundle.manifest, bundle.parts):
        problems = tuple(Problem(path, message) for path, message in refused)
        raise HoplonError("policy.invalid", "the engine refuses this; nothing was changed", None, problems)
    return bundle


def new_zone_id() -> str:
    """32 hexadecimal digits that no zone had before."""
    return uuid4().hex


def local_actor() -> Actor:
    """Who is logged in; in a container without a user data base, the number."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return Actor("user", name, name)


def zone_unknown_id(zone_id: str) -> HoplonError:
    """The error for the id of a zone that does not exist."""
    return HoplonError("zone.unknown", f"there is no zone with the id `{zone_id}`", "`hoplon zones` lists them")


def zone_unknown(name: str, known: list[str]) -> HoplonError:
    """The error for the name of a zone that does not exist."""
    hint = f"{did_you_mean(name, known)} " if known else ""
    return HoplonError(
        "zone.unknown", f"there is no zone `{name}`", f"{hint}`hoplon policy apply --create` creates a new zone"
    )


def _commit_version(change: ZoneChange) -> None:
    connection, version = change.connection, change.new_version
    policies.add_version(connection, change.zone_id, version, change.now, change.actor.name, change.changes)
    policies.update_zone(connection, change.zone_id, change.zone_name, version, change.now)
    for entry in change.entries:
        audit.append(connection, entry)
