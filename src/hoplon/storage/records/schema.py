"""The columns of the three tables: takes the engine's own list, gives Arrow schemas and how older files become current.

The one documented table is `RECORD_FIELDS` and its siblings in `crates/engine/src/record.rs`; it is asked for at run
time, so that there is no copy here that could differ. What Python adds is the way forward from older versions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pyarrow as pa

from hoplon.storage.records.form import FORM_COLUMN, FORM_KEY, FORM_VERSION, form_sql, path_forms

VERSION_KEY = b"hoplon.schema_version"

_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
    "list<string>": pa.list_(pa.string()),
}
_SQL_TYPES: Mapping[str, str] = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "list<string>": "VARCHAR[]",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, type as Arrow spells it, whether it may be null, and what it means."""

    name: str
    type: str
    nullable: bool
    doc: str
    derived: bool = False
    """Not written by the gateway but computed from other columns when a segment is sealed."""

    @property
    def sql_type(self) -> str:
        return _SQL_TYPES[self.type]


DERIVED: Mapping[str, tuple[Column, ...]] = {
    "records": (
        Column(
            FORM_COLUMN,
            "string",
            True,
            "path with integers, UUIDs, hex, ULIDs and redacted segments as {}",
            derived=True,
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """The three tables of one schema version."""

    version: int
    tables: Mapping[str, tuple[Column, ...]]

    def arrow(self, kind: str) -> pa.Schema:
        """The Arrow schema of `kind` as it is stored; every column may be null, for older rows' sake."""
        metadata = {VERSION_KEY: str(self.version).encode(), FORM_KEY: str(FORM_VERSION).encode()}
        return pa.schema([_field(column) for column in self.tables[kind]], metadata=metadata)

    def streamed(self, kind: str) -> pa.Schema:
        """The Arrow schema of `kind` as a gateway writes it: without derived columns."""
        fields = [_field(column) for column in self.tables[kind] if not column.derived]
        return pa.schema(fields, metadata={VERSION_KEY: str(self.version).encode()})


@dataclass(frozen=True, slots=True)
class Migration:
    """What changed between version `version` and the next: new names of old columns, and values for new columns."""

    version: int
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """kind → {old name: new name}"""
    added: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """kind → {new name: value of every older row}; a new column that is not named here is null in older rows."""


MIGRATIONS: tuple[Migration, ...] = ()
"""In order of version. A column that went away needs no entry: only current columns are read."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one current column comes from in an older table: its column there, a constant, or the path's form."""

    column: str | None
    constant: object = None
    is_form_of_path: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides how a table becomes current: its versions and its columns."""

    version: int
    form_version: int
    columns: tuple[str, ...]

    @classmethod
    def of(cls, schema: pa.Schema) -> "Shape":
        """The shape of a stream's or a file's schema; a version that it does not say is 1 (of the form: 0)."""
        metadata = schema.metadata or {}
        return cls(_number(metadata.get(VERSION_KEY), 1), _number(metadata.get(FORM_KEY), 0), tuple(schema.names))


@cache
def current_schema() -> RecordSchema:
    """The schema that the gateway of this very installation writes."""
    from hoplon import _native

    return parse_schema(_native.record_schema())


def parse_schema(declared: Mapping[str, Any]) -> RecordSchema:
    """The schema from what `hoplon._native.record_schema()` gives."""
    tables = {
        kind: tuple(Column(f["name"], f["type"], f["nullable"], f["doc"]) for f in fields) + DERIVED.get(kind, ())
        for kind, fields in declared.items()
        if kind != "version"
    }
    return RecordSchema(declared["version"], tables)


def sources(
    schema: RecordSchema, kind: str, shape: Shape, migrations: Sequence[Migration] = MIGRATIONS
) -> dict[str, Source]:
    """For every current column of `kind`, where it comes from in a table of `shape`."""
    return {column.name: _source(column, kind, shape, migrations) for column in schema.tables[kind]}


def _source(column: Column, kind: str, shape: Shape, migrations: Sequence[Migration]) -> Source:
    if column.derived and (column.name not in shape.columns or shape.form_version != FORM_VERSION):
        return Source(None, is_form_of_path=True)
    name = column.name
    for step in sorted((m for m in migrations if m.version >= shape.version), key=lambda m: -m.version):
        added = step.added.get(kind, {})
        if name in added:
            return Source(None, added[name])
        name = next((old for old, new in step.renamed.get(kind, {}).items() if new == name), name)
    return Source(name if name in shape.columns else None)


def conform(table: pa.Table, kind: str, schema: RecordSchema, migrations: Sequence[Migration] = MIGRATIONS) -> pa.Table:
    """`table` of any version with exactly the current columns, in order and type; older rows get what migrations say.

    Raises `pa.ArrowInvalid` or `pa.ArrowNotImplementedError` when a column's values do not fit its current type.
    """
    origin = sources(schema, kind, Shape.of(table.schema), migrations)
    target = schema.arrow(kind)
    columns = [_column(table, origin, field.name, field.type) for field in target]
    return pa.Table.from_arrays(columns, schema=target)


def _column(table: pa.Table, origin: Mapping[str, Source], name: str, to: pa.DataType) -> pa.ChunkedArray:
    source = origin[name]
    if source.is_form_of_path:
        return path_forms(_column(table, origin, "path", to))
    if source.column is not None:
        return table.column(source.column).cast(to)
    if source.constant is None:
        return pa.chunked_array([pa.nulls(table.num_rows, to)])
    return pa.chunked_array([pa.repeat(pa.scalar(source.constant, to), table.num_rows)])


def select_list(schema: RecordSchema, kind: str, shape: Shape, migrations: Sequence[Migration] = MIGRATIONS) -> str:
    """The same as `conform`, as the SQL select list over a Parquet file of `shape`."""
    origin = sources(schema, kind, shape, migrations)
    return ", ".join(
        f"CAST({_sql_value(origin, column.name)} AS {column.sql_type}) AS {quoted(column.name)}"
        for column in schema.tables[kind]
    )


def _sql_value(origin: Mapping[str, Source], name: str) -> str:
    source = origin[name]
    if source.is_form_of_path:
        return form_sql(_sql_value(origin, "path"))
    if source.column is not None:
        return quoted(source.column)
    if source.constant is None:
        return "NULL"
    if isinstance(source.constant, bool | int | float):
        return str(source.constant)
    return literal(str(source.constant))


def _field(column: Column) -> pa.Field:
    return pa.field(column.name, _ARROW_TYPES[column.type])


def _number(text: bytes | None, otherwise: int) -> int:
    try:
        return otherwise if text is None else int(text)
    except ValueError:
        return otherwise


def quoted(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
