"""Policy changes from text to traffic: check everything, commit one version, put its bundle in place, keep history.

A change either is committed and in place, or changed nothing. All changes of an installation happen one after another.
"""

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from hoplon.errors import HoplonError, Problem
from hoplon.model.policy import Policy, Upstream, ZonePolicy
from hoplon.model.versions import PolicyBundle, PolicyVersion
from hoplon.policy.assembly import ZoneVersion, assemble, check_zones
from hoplon.policy.difference import describe_change, unified
from hoplon.policy.document import read_policy, write_policy
from hoplon.policy.zone import url_fault
from hoplon.service.features import FEATURES
from hoplon.service.workspace import Workspace
from hoplon.spelling import did_you_mean
from hoplon.storage import policies
from hoplon.storage.bundles import activate_bundle, manifest_hash, stage_bundle
from hoplon.storage.database import transaction
from hoplon.storage.locks import changing_policy

DEFAULT_ZONE = "default"


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of `apply_policy`: the zone's version now, what changed (nothing: no new version), the bundle."""

    zone_id: str
    zone_name: str
    version: int
    changes: tuple[str, ...]
    bundle: str


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """What applying a document would change: in words, and as a unified diff of the canonical texts."""

    zone_name: str
    changes: tuple[str, ...]
    unified: str


def apply_policy(
    workspace: Workspace, text: str, origin: str = "the policy", zone: str | None = None, create: bool = False
) -> Applied:
    """Make `text` the policy of its zone and the bundle of all zones the current one.

    `zone` names the zone when the document renames it; `create` allows a zone that does not exist yet. Raises
    `policy.invalid` with every problem, `zone.unknown`, `zone.overlap`; then nothing has changed.
    """
    with changing_policy(workspace.state):
        current = _current(workspace)
        policy = read_policy(text, FEATURES, origin)
        target = _target(current, policy, zone, create)
        document = write_policy(policy, FEATURES)
        if target is not None and target.document == document:
            return _unchanged(workspace, target, current)
        return _commit(workspace, current, target, policy, document)


def create_first_zone(workspace: Workspace, upstream: str) -> Applied | None:
    """The zone `default` (any host) in front of `upstream`; None when there already is a zone: nothing is changed."""
    if fault := url_fault(upstream):
        raise HoplonError("settings.invalid", f"--upstream: {fault}", "for example --upstream http://127.0.0.1:9000")
    with changing_policy(workspace.state):
        current = _current(workspace)
        if current:
            return None
        policy = default_policy(upstream)
        return _commit(workspace, current, None, policy, write_policy(policy, FEATURES))


def default_policy(upstream: str) -> Policy:
    """What a zone begins with: any host, everything forwarded, nothing blocked."""
    zone = ZonePolicy(DEFAULT_ZONE, (Upstream(upstream),))
    return Policy(zone, {feature.name: feature.read(feature.table()) for feature in FEATURES})


def ensure_bundle(workspace: Workspace) -> str | None:
    """Put the bundle of the committed versions in place where a crash or a hand has left another; its hash."""
    with changing_policy(workspace.state):
        current = _current(workspace)
        return _install(workspace, _assemble(current)) if current else None


def export_policy(workspace: Workspace, zone: str | None = None) -> str:
    """The canonical text of a zone's policy: applying it changes nothing."""
    return find_zone(workspace, zone).document


def diff_policy(
    workspace: Workspace, text: str, origin: str = "the policy", zone: str | None = None
) -> PolicyDifference:
    """What `apply_policy` would change. Raises as it does for a document that could not be applied."""
    current = _current(workspace)
    policy = read_policy(text, FEATURES, origin)
    target = _target(current, policy, zone, create=True)
    document = write_policy(policy, FEATURES)
    name = target.zone_name if target else policy.zone.name
    _check_together(workspace, _with(current, target, policy, datetime.now(UTC)), origin)
    old_name = f"{name} (version {target.version})" if target else "(no such zone)"
    old_document = target.document if target else ""
    return PolicyDifference(name, _changes(target, policy), unified(old_document, document, old_name, origin))


def policy_history(workspace: Workspace, zone: str | None = None, limit: int = 50) -> list[PolicyVersion]:
    """The last versions of a zone's policy, newest first."""
    zone_id = find_zone(workspace, zone).zone_id
    with transaction(workspace.database) as connection:
        return policies.versions_of(connection, zone_id, limit)


def find_zone(workspace: Workspace, name: str | None) -> PolicyVersion:
    """The newest version of the zone called `name`; without a name, of the only one."""
    current = _current(workspace)
    if name is not None:
        return _named(current, name)
    if len(current) == 1:
        return current[0]
    if not current:
        raise no_zone()
    names = ", ".join(version.zone_name for version in current)
    raise HoplonError("zone.missing", "there are several zones", f"say which: --zone NAME (one of {names})")


def all_zones(workspace: Workspace) -> list[tuple[PolicyVersion, Policy]]:
    """Every zone with its policy, in the order of creation."""
    return [(version, _read(version)) for version in _current(workspace)]


def no_zone() -> HoplonError:
    """The error for an installation without any zone."""
    return HoplonError("zone.missing", "there is no zone yet", "`hoplon up --upstream URL` creates the first one")


def _current(workspace: Workspace) -> list[PolicyVersion]:
    with transaction(workspace.database) as connection:
        return policies.current_versions(connection)


def _read(version: PolicyVersion) -> Policy:
    return read_policy(version.document, FEATURES, f"the stored policy of zone {version.zone_name}")


def _target(current: Sequence[PolicyVersion], policy: Policy, zone: str | None, create: bool) -> PolicyVersion | None:
    """The zone that the policy is for; None when it shall be created."""
    name = zone or policy.zone.name
    if create and name not in [version.zone_name for version in current]:
        return None
    return _named(current, name)


def _named(current: Sequence[PolicyVersion], name: str) -> PolicyVersion:
    for version in current:
        if version.zone_name == name:
            return version
    known = [version.zone_name for version in current]
    hint = f"{did_you_mean(name, known)} " if known else ""
    raise HoplonError(
        "zone.unknown", f"there is no zone `{name}`", f"{hint}`hoplon policy apply --create` creates a new zone"
    )


def _unchanged(workspace: Workspace, target: PolicyVersion, current: Sequence[PolicyVersion]) -> Applied:
    bundle = _install(workspace, _assemble(current))
    return Applied(target.zone_id, target.zone_name, target.version, (), bundle)


def _commit(
    workspace: Workspace,
    current: Sequence[PolicyVersion],
    target: PolicyVersion | None,
    policy: Policy,
    document: str,
) -> Applied:
    now = datetime.now(UTC)
    zone_versions = _with(current, target, policy, now)
    bundle = _check_together(workspace, zone_versions, "the policy")
    changed = next(zone for zone in zone_versions if zone.policy is policy)
    changes = _changes(target, policy)
    stage_bundle(workspace.state, bundle)
    with transaction(workspace.database) as connection:
        if target is None:
            policies.add_zone(connection, changed.zone_id, policy.zone.name, now)
        elif target.zone_name != policy.zone.name:
            policies.rename_zone(connection, changed.zone_id, policy.zone.name)
        policies.add_version(
            connection, changed.zone_id, changed.version, now, _author(), document, changes, bundle.hash
        )
    activate_bundle(workspace.state, bundle)
    return Applied(changed.zone_id, policy.zone.name, changed.version, changes, bundle.hash)


def _with(
    current: Sequence[PolicyVersion], target: PolicyVersion | None, policy: Policy, now: datetime
) -> list[ZoneVersion]:
    """All zones as they would be with `policy` as the next version of `target`."""
    following = ZoneVersion(uuid4().hex, 1, now, policy)
    zones = []
    for version in current:
        if target is not None and version.zone_id == target.zone_id:
            zones.append(replace(following, zone_id=version.zone_id, version=version.version + 1))
        else:
            zones.append(_zone_version(version))
    return zones if target is not None else [*zones, following]


def _zone_version(version: PolicyVersion) -> ZoneVersion:
    return ZoneVersion(version.zone_id, version.version, version.committed_at, _read(version))


def _assemble(current: Sequence[PolicyVersion]) -> PolicyBundle:
    return assemble([_zone_version(version) for version in current], FEATURES)


def _check_together(workspace: Workspace, zones: Sequence[ZoneVersion], origin: str) -> PolicyBundle:
    """The bundle of these zones, after all checks that need every zone, and the engine's own."""
    problems = check_zones(zones)
    if problems:
        raise HoplonError("zone.overlap", f"{origin} collides with another zone; nothing was changed", None, problems)
    bundle = assemble(zones, FEATURES)
    refused = workspace.check_bundle(bundle.manifest, bundle.parts)
    if refused:
        found = tuple(Problem(path, message) for path, message in refused)
        raise HoplonError("policy.invalid", f"the engine refuses {origin}; nothing was changed", None, found)
    return bundle


def _install(workspace: Workspace, bundle: PolicyBundle) -> str:
    """Put a bundle of committed versions in place unless it already is."""
    if manifest_hash(workspace.state.current) != bundle.hash:
        stage_bundle(workspace.state, bundle)
        activate_bundle(workspace.state, bundle)
    return bundle.hash


def _changes(target: PolicyVersion | None, policy: Policy) -> tuple[str, ...]:
    return describe_change(_read(target) if target else None, policy, FEATURES)


def _author() -> str:
    """Who is logged in; in a container without a user data base, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
