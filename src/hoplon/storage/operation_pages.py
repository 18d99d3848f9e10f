"""Saved operations as they are looked through: filtered, ordered, page by page; newest version only.

Each statement is put together once: that would take as long as running it.
"""

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnElement, Connection, Select, bindparam, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from hoplon.model.operation import Operation, OperationFilter, OperationOrder
from hoplon.storage.operations import COLUMNS, read_operation
from hoplon.storage.policies import in_version
from hoplon.storage.tables import operations

_ORDERS: dict[OperationOrder, tuple[ColumnElement[str], ...]] = {
    "method": (operations.c.method, operations.c.host, operations.c.template),
    "host": (operations.c.host, operations.c.template, operations.c.method),
    "endpoint": (operations.c.template, operations.c.method, operations.c.host),
}
"""Each has an index: a page is read, not sorted."""


class _Shape(NamedTuple):
    """Which conditions a filter has."""

    has_hosts: bool
    has_methods: bool
    has_endpoint: bool


def count_page(connection: Connection, zone_id: str, wanted: OperationFilter) -> int:
    """How many operations `wanted` takes."""
    return int(connection.execute(_count(_shape(wanted)), _values(zone_id, wanted)).scalar_one())


def read_page(
    connection: Connection,
    zone_id: str,
    wanted: OperationFilter,
    order: OperationOrder,
    is_descending: bool,
    offset: int,
    limit: int,
) -> list[Operation]:
    """The operations that `wanted` takes, in order: `limit` of them after the first `offset`."""
    values = {**_values(zone_id, wanted), "skipped": offset, "shown": limit}
    rows = connection.execute(_page(order, is_descending, _shape(wanted)), values)
    return [read_operation(row) for row in rows]


class _Contains(FunctionElement[bool]):
    """Whether the first text holds the second, letter by letter: in some databases LIKE takes capitals for small."""

    type = Boolean()
    inherit_cache = True


@compiles(_Contains)
def _write_contains(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    function = "strpos" if compiler.dialect.name == "postgresql" else "instr"
    return f"{function}({compiler.process(element.clauses, **options)}) > 0"


@cache
def _count(shape: _Shape) -> Select[Any]:
    return select(func.count()).select_from(operations).where(*_conditions(shape))


@cache
def _page(order: OperationOrder, is_descending: bool, shape: _Shape) -> Select[Any]:
    columns = [column.desc() if is_descending else column.asc() for column in _ORDERS[order]]
    query = select(*COLUMNS).where(*_conditions(shape)).order_by(*columns)
    return query.offset(bindparam("skipped")).limit(bindparam("shown"))


def _conditions(shape: _Shape) -> list[ColumnElement[bool]]:
    conditions = [operations.c.zone_id == bindparam("zone"), in_version(operations, None)]
    if shape.has_hosts:
        conditions.append(operations.c.host.in_(bindparam("hosts", expanding=True)))
    if shape.has_methods:
        conditions.append(operations.c.method.in_(bindparam("methods", expanding=True)))
    if shape.has_endpoint:
        conditions.append(_Contains(operations.c.template, bindparam("endpoint")))
    return conditions


def _shape(wanted: OperationFilter) -> _Shape:
    return _Shape(bool(wanted.hosts), bool(wanted.methods), bool(wanted.endpoint))


def _values(zone_id: str, wanted: OperationFilter) -> dict[str, Any]:
    """The values of `_conditions`; those that a statement does not ask for are left out."""
    filtered = {"hosts": wanted.hosts, "methods": wanted.methods, "endpoint": wanted.endpoint}
    return {"zone": zone_id, **{name: value for name, value in filtered.items() if value}}
