"""Policy versions to one PolicyBundle: a pure function, so that the same versions always give the same bytes and hash.

The format (manifest and parts) is the engine's, documented with its loader in `crates/engine/src/bundle`.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from hoplon.errors import Problem
from hoplon.model.policy import Policy, ZonePolicy
from hoplon.model.versions import PolicyBundle
from hoplon.policy.feature import Feature, Surroundings
from hoplon.policy.zone import compile_zone
from hoplon.storage.token_secrets import TOKEN_KEYS, secrets_named_by

MANIFEST_FORMAT = 1
PART_FORMAT = 1
_OVERLAP_HINT = "name each zone's own hosts; one zone at most may take any host"
_VARIABLE_LABEL = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class ZoneVersion:
    """The committed policy version of one zone that goes into a bundle."""

    zone_id: str
    version: int
    committed_at: datetime
    policy: Policy


@dataclass(frozen=True, slots=True)
class CompiledZone:
    """One zone's share of a bundle: its parts, by kind, as the bytes that are hashed."""

    zone_id: str
    name: str
    version: int
    committed_at: datetime
    parts: Mapping[str, bytes]
    lists: frozenset[str] = frozenset()


Lists = Mapping[str, Mapping[str, Any]]
_NO_LISTS: Lists = MappingProxyType({})


def assemble(zones: Sequence[ZoneVersion], features: Sequence[Feature], lists: Lists = _NO_LISTS) -> PolicyBundle:
    """The bundle of these zones, without those that have no upstream yet."""
    return join([compile_version(zone, features, lists) for zone in zones if zone.policy.zone.is_active])


def compile_version(zone: ZoneVersion, features: Sequence[Feature], lists: Lists = _NO_LISTS) -> CompiledZone:
    """The expensive half: it depends on the version and on the `lists` that it names alone, so it is worth keeping."""
    compiled, named = _compile(zone, features, lists)
    parts = {kind: canonical_json(content) for kind, content in compiled.items()}
    return CompiledZone(zone.zone_id, zone.policy.zone.name, zone.version, zone.committed_at, parts, named)


def with_fetched_keys(zone: CompiledZone, fetched: Mapping[str, Sequence[Mapping[str, str]]]) -> CompiledZone:
    """The zone with keys that were fetched for its token configurations, by id. Nothing else of it changes."""
    if not fetched or TOKEN_KEYS not in zone.parts:
        return zone
    keys = json.loads(zone.parts[TOKEN_KEYS])
    keys["configurations"] |= {name: list(fetched[name]) for name in keys["configurations"] if name in fetched}
    return replace(zone, parts={**zone.parts, TOKEN_KEYS: canonical_json(keys)})


def secrets_of(zone: CompiledZone) -> set[str]:
    """The ids of the secrets that the zone's keys name."""
    return secrets_named_by(json.loads(zone.parts[TOKEN_KEYS])) if TOKEN_KEYS in zone.parts else set()


def surroundings(policy: Policy, lists: Lists = _NO_LISTS) -> Surroundings:
    """What every feature of this policy may know of the others, and of the account's lists."""
    operations, tokens = policy.features["operations"], policy.features["tokens"]
    return Surroundings(policy.zone, operations.saved, tokens.configuration_ids, lists)


def join(zones: Sequence[CompiledZone]) -> PolicyBundle:
    """The cheap half: one bundle of compiled zones. Its time is that of the newest version in it."""
    parts: dict[str, bytes] = {}
    entries: list[dict[str, Any]] = []
    for zone in zones:
        for kind, data in zone.parts.items():
            digest = hashlib.sha256(data).hexdigest()
            parts[digest] = data
            entries.append(_entry(kind, zone.zone_id, digest, len(data)))
    return PolicyBundle(canonical_json(_manifest(zones, entries)), parts)


def check_zones(zones: Sequence[ZonePolicy]) -> tuple[Problem, ...]:
    """Names and hosts that two zones claim: a request must belong to one zone only."""
    owner: dict[str, str] = {}
    problems = _check_names(zones)
    for zone in zones:
        for host in zone.hosts or ("",):
            other = owner.setdefault(_VARIABLE_LABEL.sub("{}", host), zone.name)
            if other != zone.name:
                what = f"`{host}` belongs" if host else "any host (empty `hosts`) belongs"
                problems.append(
                    Problem("zone.hosts", f"{what} to zone `{other}` and to zone `{zone.name}`", _OVERLAP_HINT)
                )
    return tuple(problems)


def _check_names(zones: Sequence[ZonePolicy]) -> list[Problem]:
    names = [zone.name for zone in zones]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [Problem("zone.name", f"there already is a zone `{name}`", "choose another name") for name in twice]


def canonical_json(content: object) -> bytes:
    """Compact JSON with sorted keys: equal content gives equal bytes, hence an equal hash."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _compile(
    zone: ZoneVersion, features: Sequence[Feature], lists: Lists
) -> tuple[dict[str, Mapping[str, Any]], frozenset[str]]:
    """Every part of one zone, by kind, and the lists that it names; the features' rules, in the features' order, are
    one part. A list that there is not is left out: the engine names the rule that wants it."""
    parts: dict[str, Mapping[str, Any]] = {"zone": compile_zone(zone.zone_id, zone.policy.zone)}
    rules: list[Mapping[str, Any]] = []
    named: frozenset[str] = frozenset()
    around = surroundings(zone.policy, lists)
    for feature in features:
        compiled = feature.compile(zone.policy.features[feature.name], around)
        parts.update(compiled.parts)
        rules.extend(compiled.rules)
        named |= compiled.lists
    if named:
        parts["lists"] = {"lists": [lists[name] for name in sorted(named) if name in lists]}
    return {**parts, "rules": {"rules": rules}}, named


def _entry(kind: str, zone_id: str, digest: str, size_bytes: int) -> dict[str, Any]:
    return {"kind": kind, "zone": zone_id, "format": PART_FORMAT, "sha256": digest, "bytes": size_bytes}


def _manifest(zones: Sequence[CompiledZone], entries: list[dict[str, Any]]) -> dict[str, Any]:
    newest = max((zone.committed_at for zone in zones), default=datetime.fromtimestamp(0, UTC))
    return {
        "format": MANIFEST_FORMAT,
        "created_at": newest.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "zones": [{"id": zone.zone_id, "name": zone.name, "policy_version": zone.version} for zone in zones],
        "parts": entries,
    }
