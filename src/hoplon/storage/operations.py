"""Saved operations in the database: rows of a zone's policy, each valid from one version to another."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Row, Select, bindparam, func, insert, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from hoplon.model.operation import Operation, OperationFilter, OperationOrder
from hoplon.storage.policies import in_version
from hoplon.storage.tables import operations

_NAMES = ("operation_id", "method", "host", "path", "template", "created_at", "last_updated")
_COLUMNS = tuple(operations.c[name] for name in _NAMES)
"""In the order of `Operation`'s members."""
_ORDERS: dict[OperationOrder, tuple[ColumnElement[str], ...]] = {
    "method": (operations.c.method, operations.c.host, operations.c.template),
    "host": (operations.c.host, operations.c.template, operations.c.method),
    "endpoint": (operations.c.template, operations.c.method, operations.c.host),
}
"""Each has an index: a page is read, not sorted."""
_ALL = OperationFilter()
_KEYS_AT_ONCE = 500
"""Below the number of parameters that every SQLite takes in one statement."""


def at_version(connection: Connection, zone_id: str, version: int | None = None) -> list[Operation]:
    """The operations of one version, or of the newest, by host, template and method."""
    query = _of_zone(zone_id, version).order_by(operations.c.host, operations.c.template, operations.c.method)
    return [_operation(row) for row in connection.execute(query)]


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
        found.update({row.operation_id: _operation(row) for row in connection.execute(query)})
    return found


def count(connection: Connection, zone_id: str, wanted: OperationFilter = _ALL) -> int:
    """How many operations of the newest version `wanted` takes."""
    query = select(func.count()).select_from(operations).where(*_conditions(zone_id, wanted))
    return connection.execute(query).scalar_one()


def counts(connection: Connection) -> dict[str, int]:
    """How many operations the newest version of each zone has, by zone id; zones without any are left out."""
    query = select(operations.c.zone_id, func.count()).where(in_version(operations, None))
    return {row[0]: row[1] for row in connection.execute(query.group_by(operations.c.zone_id))}


def find(
    connection: Connection,
    zone_id: str,
    wanted: OperationFilter,
    order: OperationOrder,
    is_descending: bool,
    offset: int,
    limit: int,
) -> list[Operation]:
    """The operations of the newest version that `wanted` takes, in order: `limit` of them after the first `offset`."""
    columns = [column.desc() if is_descending else column.asc() for column in _ORDERS[order]]
    query = select(*_COLUMNS).where(*_conditions(zone_id, wanted)).order_by(*columns).offset(offset).limit(limit)
    return [_operation(row) for row in connection.execute(query)]


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


class _Contains(FunctionElement[bool]):
    """Whether the first text holds the second, letter by letter: in some databases LIKE takes capitals for small."""

    type = Boolean()
    inherit_cache = True


@compiles(_Contains)
def _write_contains(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    function = "strpos" if compiler.dialect.name == "postgresql" else "instr"
    return f"{function}({compiler.process(element.clauses, **options)}) > 0"


def _conditions(zone_id: str, wanted: OperationFilter) -> list[ColumnElement[bool]]:
    conditions = [operations.c.zone_id == zone_id, in_version(operations, None)]
    if wanted.hosts:
        conditions.append(operations.c.host.in_(wanted.hosts))
    if wanted.methods:
        conditions.append(operations.c.method.in_(wanted.methods))
    if wanted.endpoint:
        conditions.append(_Contains(operations.c.template, wanted.endpoint))
    return conditions


def _of_zone(zone_id: str, version: int | None) -> Select[Any]:
    return select(*_COLUMNS).where(operations.c.zone_id == zone_id, in_version(operations, version))


def _operation(row: Row[Any]) -> Operation:
    values: tuple[Any, ...] = tuple(row)
    return Operation(*values)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _KEYS_AT_ONCE):
        yield ids[start : start + _KEYS_AT_ONCE]
