"""Saved operations in the database: rows of a zone's policy, each valid from one version to another."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from hoplon.model.operation import Operation
from hoplon.storage.policies import in_version
from hoplon.storage.tables import operations

_NAMES = ("operation_id", "method", "host", "path", "template", "created_at", "last_updated")
COLUMNS = tuple(operations.c[name] for name in _NAMES)
"""In the order of `Operation`'s members."""
_KEYS_AT_ONCE = 500
"""Below the number of parameters that every SQLite takes in one statement."""


def at_version(connection: Connection, zone_id: str, version: int | None = None) -> list[Operation]:
    """The operations of one version, or of the newest, by host, template and method."""
    query = _of_zone(zone_id, version).order_by(operations.c.host, operations.c.template, operations.c.method)
    return [read_operation(row) for row in connection.execute(query)]


def spelled(
    connection: Connection, zone_id: str, version: int | None = None
) -> Iterator[tuple[str, str, str, str, str]]:
    """(host, path, method, id, template) of the operations of one version, in the same order: all that is compiled,
    without the moments, which take as long to read as all else."""
    order = (operations.c.host, operations.c.template, operations.c.method)
    columns = (
        operations.c.host,
        operations.c.path,
        operations.c.method,
        operations.c.operation_id,
        operations.c.template,
    )
    query = select(*columns).where(operations.c.zone_id == zone_id, in_version(operations, version)).order_by(*order)
    yield from connection.execute(query)


def by_ids(connection: Connection, zone_id: str, ids: Collection[str]) -> dict[str, Operation]:
    """Those of the newest version whose ids are given, by id."""
    found = {}
    for chunk in _chunks(sorted(ids)):
        query = _of_zone(zone_id, None).where(operations.c.operation_id.in_(chunk))
        found.update({row.operation_id: read_operation(row) for row in connection.execute(query)})
    return found


def count(connection: Connection, zone_id: str) -> int:
    """How many operations the newest version has."""
    query = select(func.count()).where(operations.c.zone_id == zone_id, in_version(operations, None))
    return connection.execute(query).scalar_one()


def counts(connection: Connection) -> dict[str, int]:
    """How many operations the newest version of each zone has, by zone id; zones without any are left out."""
    query = select(operations.c.zone_id, func.count()).where(in_version(operations, None))
    return {row[0]: row[1] for row in connection.execute(query.group_by(operations.c.zone_id))}


def insert_operations(connection: Connection, zone_id: str, version: int, added: Sequence[Operation]) -> None:
    """Save operations from `version` on. None of them may be saved already."""
    rows = [
        {
            "zone_id": zone_id,
            "operation_id": each.id,
            "method": each.method,
            "host": each.host,
            "path": each.path,
            "template": each.template,
            "created_at": each.created_at,
            "last_updated": each.last_updated,
            "first_version": version,
        }
        for each in added
    ]
    if rows:
        connection.execute(insert(operations), rows)


def close_operations(connection: Connection, zone_id: str, version: int, ids: Collection[str]) -> None:
    """Let operations end with the version before `version`; they stay in the history."""
    statement = (
        update(operations)
        .where(
            operations.c.zone_id == zone_id,
            operations.c.operation_id == bindparam("closed"),
            in_version(operations, None),
        )
        .values(last_version=version - 1)
    )
    if ids:
        connection.execute(statement, [{"closed": each} for each in ids])


def touch(connection: Connection, zone_id: str, ids: Collection[str], now: datetime) -> None:
    """Say that operations were asked for again `now`. Their policy, hence the version, stays as it is."""
    statement = (
        update(operations)
        .where(
            operations.c.zone_id == zone_id,
            operations.c.operation_id == bindparam("touched"),
            in_version(operations, None),
        )
        .values(last_updated=now)
    )
    if ids:
        connection.execute(statement, [{"touched": each} for each in ids])


def _of_zone(zone_id: str, version: int | None) -> Select[Any]:
    return select(*COLUMNS).where(operations.c.zone_id == zone_id, in_version(operations, version))


def read_operation(row: Row[Any]) -> Operation:
    """One row of `COLUMNS`."""
    values: tuple[Any, ...] = tuple(row)
    return Operation(*values)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _KEYS_AT_ONCE):
        yield ids[start : start + _KEYS_AT_ONCE]
