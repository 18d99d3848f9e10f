"""How each feature's policy lies in the database: the ordered list of stores beside the features they keep.

Most features fit into one JSON table. What grows with traffic (saved operations, labels) is kept as rows, so that a
small change is a small write. Every store can give every version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from hoplon.model.operation import Operation
from hoplon.model.policy import Policy, ZonePolicy
from hoplon.operations.policy import OperationsPolicy, SavedOperation
from hoplon.policy.feature import Feature
from hoplon.policy.zone import ZoneTable, read_zone, write_zone
from hoplon.service.features import FEATURES
from hoplon.service.label_store import LabelsStore
from hoplon.service.ruleset_store import RulesetStore
from hoplon.service.token_store import TokensStore
from hoplon.storage import operations, policies

ZONE = "zone"
"""The word of the table that belongs to no feature."""


class Store(Protocol):
    """Keeps one feature's policy value, version by version."""

    def load(self, connection: Connection, zone_id: str, version: int | None = None) -> Any:
        """The value in one version, or in the newest; the feature's default when it had none then."""

    def save(self, connection: Connection, zone_id: str, version: int, now: datetime, policy: Any) -> None:
        """Make `policy` the value from `version` on. Only what differs from the newest is written."""


@dataclass(frozen=True, slots=True)
class TableStore:
    """The whole table of a feature as one JSON text."""

    feature: Feature

    def load(self, connection: Connection, zone_id: str, version: int | None = None) -> Any:
        table = policies.read_table(connection, zone_id, self.feature.name, version)
        return self.feature.read(self.feature.table.model_validate(table))

    def save(self, connection: Connection, zone_id: str, version: int, now: datetime, policy: Any) -> None:
        policies.write_table(connection, zone_id, self.feature.name, version, self.feature.write(policy))


@dataclass(frozen=True, slots=True)
class OperationsStore:
    """`saved` as rows; the rest of the table, `fallthrough`, as JSON."""

    def load(self, connection: Connection, zone_id: str, version: int | None = None) -> OperationsPolicy:
        table = policies.read_table(connection, zone_id, "operations", version)
        rows = operations.spelled(connection, zone_id, version)
        saved = tuple(SavedOperation(host, path, method, (key, form)) for host, path, method, key, form in rows)
        return OperationsPolicy(table.get("fallthrough", "log"), saved)

    def save(self, connection: Connection, zone_id: str, version: int, now: datetime, policy: OperationsPolicy) -> None:
        table = {"fallthrough": policy.fallthrough}
        policies.write_table(connection, zone_id, "operations", version, table)
        before = {each.id: each for each in operations.at_version(connection, zone_id)}
        after = {each.id: each for each in policy.saved}
        added = [each for key, each in after.items() if key not in before]
        renamed = [each for key, each in after.items() if key in before and _spelling(before[key]) != _spelling(each)]
        gone = [key for key in before if key not in after]
        operations.close_operations(connection, zone_id, version, [*gone, *(each.id for each in renamed)])
        rows = [new_operation(each, now) for each in added]
        rows += [new_operation(each, now, created_at=before[each.id].created_at) for each in renamed]
        operations.insert_operations(connection, zone_id, version, rows)


def new_operation(saved: SavedOperation, now: datetime, created_at: datetime | None = None) -> Operation:
    """What is stored of a saved operation that is new, or whose variables have other names, since `now`."""
    return Operation(saved.id, saved.method, saved.host, saved.path, saved.template, created_at or now, now)


def _spelling(each: Operation | SavedOperation) -> tuple[str, str]:
    return each.host, each.path


STORES: Mapping[str, Store] = {
    "operations": OperationsStore(),
    "labels": LabelsStore(),
    "rules": RulesetStore("rules"),
    "limits": RulesetStore("limits"),
    "tokens": TokensStore(),
}
"""Features that keep rows of their own; every other one is kept by a TableStore."""


def store_of(feature: str) -> Store:
    """The store of the feature with this name."""
    return STORES.get(feature) or TableStore(next(each for each in FEATURES if each.name == feature))


def load_zone(connection: Connection, zone_id: str, version: int | None = None) -> ZonePolicy:
    """The `[zone]` table of one version, or of the newest."""
    return stored_zone(policies.read_table(connection, zone_id, ZONE, version))


def stored_zone(table: Mapping[str, Any]) -> ZonePolicy:
    """What a stored `[zone]` table means."""
    return read_zone(ZoneTable.model_validate(table))


def load_policy(connection: Connection, zone_id: str, version: int | None = None) -> Policy:
    """The whole policy of one version, or of the newest."""
    features = {each.name: store_of(each.name).load(connection, zone_id, version) for each in FEATURES}
    return Policy(load_zone(connection, zone_id, version), features)


def save_zone(connection: Connection, zone_id: str, version: int, zone: ZonePolicy) -> None:
    policies.write_table(connection, zone_id, ZONE, version, write_zone(zone))


def save_policy(connection: Connection, zone_id: str, version: int, now: datetime, policy: Policy) -> None:
    """Make `policy` the zone's from `version` on."""
    save_zone(connection, zone_id, version, policy.zone)
    for feature in FEATURES:
        store_of(feature.name).save(connection, zone_id, version, now, policy.features[feature.name])
