"""A zone's policy as one document: apply, export, compare, roll back, look back.

The document is a view of the rows that every other change writes too, so there is one history for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.page import Page
from hoplon.model.policy import Policy, Upstream, ZonePolicy
from hoplon.model.versions import PolicyVersion
from hoplon.model.zone import Zone
from hoplon.policy.difference import describe_change, unified
from hoplon.policy.document import read_policy, write_policy
from hoplon.policy.zone import url_fault
from hoplon.service.agreement import disagreements_beside
from hoplon.service.changes import (
    ZoneChange,
    changing_zone,
    check_beside_others,
    check_written,
    create_zone_with,
    local_actor,
    new_zone_id,
    zone_unknown,
)
from hoplon.service.claims import MayTakeFrom, check_claims, from_all
from hoplon.service.features import FEATURES
from hoplon.service.rule_lists import RuleLists
from hoplon.service.stores import load_policy, save_policy
from hoplon.service.workspace import Workspace
from hoplon.storage import policies
from hoplon.storage.bundles import stage_parts
from hoplon.storage.database import reading

DEFAULT_ZONE = "default"
AUDITED = 20
"""So many sentences of one change are in the audit log; the history has more."""


class Named(Protocol):
    """Anything that is known by its name."""

    @property
    def name(self) -> str: ...


Item = TypeVar("Item", bound=Named)


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of a change of the whole policy: the zone's version now, what changed (nothing: no new version), and
    the bundle of all zones (None while no zone has an upstream)."""

    zone_id: str
    zone_name: str
    version: int
    changes: tuple[str, ...]
    bundle: str | None


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """What applying a document would change: in words, and as a unified diff of the canonical texts."""

    zone_name: str
    changes: tuple[str, ...]
    unified: str
    is_new: bool = False
    """There is no such zone yet."""


def apply_policy(
    workspace: Workspace,
    text: str,
    origin: str = "the policy",
    zone: str | None = None,
    create: bool = False,
    actor: Actor | None = None,
    if_match: int | None = None,
    may_take_from: MayTakeFrom = from_all,
) -> Applied:
    """Make `text` the policy of its zone and put the bundle of all zones in place.

    `zone` names the zone when the document renames it; `create` allows a zone that does not exist yet; hosts are taken
    over only from zones of which `may_take_from` says so. When it raises
    `policy.invalid` (with every problem), `zone.unknown`, `zone.overlap` or `precondition.failed`, nothing has changed.
    """
    policy = _read(workspace, text, origin)
    target = _target(workspace, zone or policy.zone.name, create)
    _check_and_stage(workspace, policy)
    who = actor or local_actor()
    if target is not None:
        return _replace(workspace, who, target.id, policy, "policy.apply", if_match, may_take_from)
    zone_id = new_zone_id()
    create_zone_with(workspace, who, zone_id, policy)
    return _applied(workspace, zone_id, (f"creates zone {policy.zone.name}",))


def rollback_policy(
    workspace: Workspace,
    zone: str | None = None,
    to_version: int | None = None,
    actor: Actor | None = None,
    if_match: int | None = None,
    may_take_from: MayTakeFrom = from_all,
) -> Applied:
    """Make an old version (by default the one before) the zone's policy again, as a new version.

    Raises `policy.version_unknown`, and whatever applying its document now would raise.
    """
    version = find_zone(workspace, zone)
    wanted = version.version - 1 if to_version is None else to_version
    policy = _policy_at(workspace, version, wanted)
    _check_and_stage(workspace, policy)
    who, action = actor or local_actor(), "policy.rollback"
    return _replace(workspace, who, version.zone_id, policy, action, if_match, may_take_from, wanted)


def create_first_zone(workspace: Workspace, upstream: str) -> Applied | None:
    """The zone `default` (any host) in front of `upstream`; None when there already is a zone: nothing is changed."""
    if fault := url_fault(upstream):
        raise HoplonError("settings.invalid", f"--upstream: {fault}", "for example --upstream http://127.0.0.1:9000")
    if _zones(workspace):
        return None
    zone_id = new_zone_id()
    create_zone_with(workspace, local_actor(), zone_id, default_policy(upstream))
    return _applied(workspace, zone_id, (f"creates zone {DEFAULT_ZONE}",))


def default_policy(upstream: str) -> Policy:
    """What a zone begins with: any host, everything forwarded, nothing blocked."""
    return policy_of(ZonePolicy(DEFAULT_ZONE, (Upstream(upstream),)))


def policy_of(zone: ZonePolicy) -> Policy:
    """A zone with every feature at its default."""
    return Policy(zone, {feature.name: feature.read(feature.table()) for feature in FEATURES})


def ensure_bundle(workspace: Workspace) -> str | None:
    """Put the bundle of the committed versions in place where a crash or a hand has left another; its hash."""
    return workspace.assembler.settle()


def export_policy(workspace: Workspace, zone: str | None = None, version: int | None = None) -> str:
    """The canonical text of a zone's policy, newest or as it was: applying the newest changes nothing."""
    current = find_zone(workspace, zone)
    return write_policy(_policy_at(workspace, current, version), FEATURES)


def diff_policy(
    workspace: Workspace, text: str, origin: str = "the policy", zone: str | None = None
) -> PolicyDifference:
    """What `apply_policy` would change. Raises as it does for a document that could not be applied."""
    policy = _read(workspace, text, origin)
    target = _target(workspace, zone or policy.zone.name, create=True)
    check_written(workspace, policy.zone, policy.features)
    with reading(workspace.database) as connection:
        check_beside_others(connection, target.id if target else new_zone_id(), policy.zone)
        old = load_policy(connection, target.id) if target else None
    name = target.name if target else policy.zone.name
    old_name = f"{name} (version {target.version})" if target else "(no such zone)"
    old_text = write_policy(old, FEATURES) if old else ""
    changes = describe_change(old, policy, FEATURES)
    text = unified(old_text, write_policy(policy, FEATURES), old_name, origin)
    return PolicyDifference(name, changes, text, is_new=target is None)


def policy_history(workspace: Workspace, zone: str | None = None, limit: int = 50) -> list[PolicyVersion]:
    """The last versions of a zone's policy, newest first."""
    with reading(workspace.database) as connection:
        return policies.versions_of(connection, choose_zone(policies.all_zones(connection), zone), limit)


def bundle_history(workspace: Workspace, page: int, per_page: int) -> Page[PolicyVersion]:
    """The versions of all zones, newest first, each with the bundle that it led to."""
    with reading(workspace.database) as connection:
        versions, total = policies.versions_of_all(connection, per_page, (page - 1) * per_page)
    return Page(versions, page, per_page, total)


def find_zone(workspace: Workspace, name: str | None) -> PolicyVersion:
    """The newest version of the zone called `name`; without a name, of the only one."""
    with reading(workspace.database) as connection:
        return _newest(connection, choose_zone(policies.all_zones(connection), name))


def all_zones(workspace: Workspace) -> list[tuple[PolicyVersion, Policy]]:
    """Every zone with its policy, in the order of creation."""
    with reading(workspace.database) as connection:
        zones = policies.all_zones(connection)
        return [(_newest(connection, zone), load_policy(connection, zone.id)) for zone in zones]


def no_zone() -> HoplonError:
    """The error for an installation without any zone."""
    return HoplonError("zone.missing", "there is no zone yet", "`hoplon up --upstream URL` creates the first one")


def _read(workspace: Workspace, text: str, origin: str) -> Policy:
    with reading(workspace.database) as connection:
        lists = RuleLists(connection).types
    return read_policy(text, FEATURES, origin, disagreements_beside(lists))


def _replace(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    policy: Policy,
    action: str,
    if_match: int | None,
    may_take_from: MayTakeFrom,
    rolled_back_to: int | None = None,
) -> Applied:
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        check_claims(change.connection, zone_id, policy.zone.hosts, may_take_from)
        old = load_policy(change.connection, zone_id)
        changes = describe_change(old, policy, FEATURES)
        if changes:
            _save(change, policy, changes, action, rolled_back_to)
    return _applied(workspace, zone_id, changes)


def _save(change: ZoneChange, policy: Policy, changes: Sequence[str], action: str, rolled_back_to: int | None) -> None:
    change.save_zone(policy.zone)
    save_policy(change.connection, change.zone_id, change.new_version, change.now, policy)
    details: dict[str, object] = {"version": change.new_version, "changes": list(changes[:AUDITED])}
    if rolled_back_to is not None:
        change.describe(f"rolls back to version {rolled_back_to}")
        details["to"] = rolled_back_to
    change.describe(*changes)
    change.audit(action, "policy", change.zone_id, details)


def _applied(workspace: Workspace, zone_id: str, changes: tuple[str, ...]) -> Applied:
    bundle = workspace.assembler.settle()
    with reading(workspace.database) as connection:
        zone = policies.zone_by_id(connection, zone_id)
    if zone is None:
        raise HoplonError("zone.unknown", "the zone was removed meanwhile", "`hoplon zones` lists those there are")
    return Applied(zone_id, zone.name, zone.version, changes, bundle)


def _check_and_stage(workspace: Workspace, policy: Policy) -> None:
    """Ask the engine, and write the parts down: a full disk is noticed here, before anything is committed."""
    stage_parts(workspace.state, check_written(workspace, policy.zone, policy.features).parts)


def _policy_at(workspace: Workspace, current: PolicyVersion, version: int | None) -> Policy:
    if version is not None and not 1 <= version <= current.version:
        message = f"zone {current.zone_name} has no version {version}"
        raise HoplonError("policy.version_unknown", message, f"it has 1 to {current.version}: `hoplon policy history`")
    with reading(workspace.database) as connection:
        return load_policy(connection, current.zone_id, version)


def _target(workspace: Workspace, name: str, create: bool) -> Zone | None:
    """The zone that a policy is for; None when it shall be created."""
    zones = _zones(workspace)
    if create and name not in [zone.name for zone in zones]:
        return None
    return _named(zones, name)


def choose_zone(zones: Sequence[Item], name: str | None) -> Item:
    """The zone called `name`; without a name, the only one. Raises `zone.unknown`, `zone.missing`."""
    if name is not None:
        return _named(zones, name)
    if len(zones) == 1:
        return zones[0]
    if not zones:
        raise no_zone()
    names = ", ".join(zone.name for zone in zones)
    raise HoplonError("zone.missing", "there are several zones", f"say which: --zone NAME (one of {names})")


def _named(zones: Sequence[Item], name: str) -> Item:
    for zone in zones:
        if zone.name == name:
            return zone
    raise zone_unknown(name, [zone.name for zone in zones])


def _zones(workspace: Workspace) -> list[Zone]:
    with reading(workspace.database) as connection:
        return policies.all_zones(connection)


def _newest(connection: Connection, zone: Zone) -> PolicyVersion:
    version = policies.version_of(connection, zone, zone.version)
    if version is None:
        raise HoplonError("database.unusable", f"zone {zone.name} has no version {zone.version}", "restore a backup")
    return version
