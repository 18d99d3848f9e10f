"""The one reader of traffic records: takes a state directory and a selection, gives the three tables.

Open and sealed segments, of any schema version, appear as one set of DuckDB views (or Arrow tables) with the current
columns. While it is open the lock is held shared: every row is there exactly once, whatever the worker does beside it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from hoplon.storage.records.layout import (
    KINDS,
    Layout,
    OpenSegment,
    SealedFile,
    open_segments,
    sealed_files,
    utc_day,
)
from hoplon.storage.records.lock import reading
from hoplon.storage.records.schema import (
    MIGRATIONS,
    Migration,
    RecordSchema,
    Shape,
    conform,
    current_schema,
    literal,
    quoted,
    select_list,
)
from hoplon.storage.records.stream import read_stream

Setting = str | bool | int | float | list[str]
"""The value of a DuckDB setting."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: zones by id (None: all), and a time range, `since` inclusive, `until` exclusive."""

    zones: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> str:
        """The selection as a SQL condition."""
        parts = []
        if self.zones is not None:
            parts.append(f"zone IN ({', '.join(literal(zone) for zone in self.zones) or 'NULL'})")
        if self.since is not None:
            parts.append(f"time >= TIMESTAMPTZ {literal(self.since.isoformat())}")
        if self.until is not None:
            parts.append(f"time < TIMESTAMPTZ {literal(self.until.isoformat())}")
        return " AND ".join(parts) or "true"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that could not be read and is missing from the answer."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Records:
    """The tables of one reading; valid inside `open_records` only."""

    connection: duckdb.DuckDBPyConnection
    schema: RecordSchema
    files: tuple[SealedFile, ...]
    skipped: tuple[Skipped, ...]

    def arrow(self, kind: str, columns: Sequence[str] = ("*",)) -> pa.RecordBatchReader:
        """The rows of `kind`, some columns or all, in batches."""
        selected = ", ".join("*" if column == "*" else quoted(column) for column in columns)
        return self.connection.sql(f"SELECT {selected} FROM {quoted(kind)}").to_arrow_reader()


def damaged_files(files: Iterable[SealedFile]) -> list[Skipped]:
    """Which of `files` cannot be read to their end: a slow look at every page, for when a reading has failed."""
    found = []
    for file in files:
        try:
            with pq.ParquetFile(file.path) as parquet:
                for number in range(parquet.num_row_groups):
                    parquet.read_row_group(number)
        except (pa.ArrowException, OSError, ValueError) as error:
            found.append(Skipped(file.path, str(error).splitlines()[0]))
    return found


@contextmanager
def open_records(
    layout: Layout,
    selection: Selection = Selection(),
    kinds: Sequence[str] = KINDS,
    *,
    schema: RecordSchema | None = None,
    migrations: Sequence[Migration] = MIGRATIONS,
    without: Iterable[Path] = (),
    settings: Mapping[str, Setting] | None = None,
) -> Iterator[Records]:
    """Hold the lock shared and give the selected records as views; `without` leaves damaged files out.

    Raises `RecordsBusyError` when the lock is not free. A file that cannot be read is skipped and named in `skipped`.
    """
    schema = schema or current_schema()
    with reading(layout), duckdb.connect(":memory:", config=_settings(settings)) as connection:
        skipped = [Skipped(path, "damaged") for path in without]
        files = _wanted(layout, kinds, selection, {item.path for item in skipped})
        groups = _by_shape(files, skipped)
        connection.execute("SET TimeZone = 'UTC'")
        for kind in kinds:
            parts = [
                _sealed_part(kind, shape, paths, schema, migrations) for shape, paths in groups.get(kind, {}).items()
            ]
            tables = _open_tables(layout, kind, schema, migrations, skipped)
            parts += [_open_part(connection, kind, number, table) for number, table in enumerate(tables)]
            connection.execute(_view(kind, schema, parts, selection))
        yield Records(connection, schema, tuple(files), tuple(skipped))


def _settings(settings: Mapping[str, Setting] | None) -> dict[str, Setting]:
    """What every reading begins with: no spill file, nothing fetched from a network, no Python variables as tables."""
    fixed: dict[str, Setting] = {
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
        "preserve_insertion_order": False,
    }
    return {**fixed, **(settings or {})}


def _wanted(layout: Layout, kinds: Sequence[str], selection: Selection, without: set[Path]) -> list[SealedFile]:
    since = None if selection.since is None else utc_day(selection.since)
    until = None if selection.until is None else utc_day(selection.until)
    found = sealed_files(layout, kinds, selection.zones, since, until)
    return [file for file in found if file.path not in without]


def _by_shape(files: list[SealedFile], skipped: list[Skipped]) -> dict[str, dict[Shape, list[Path]]]:
    """The files of each kind, those of equal version and columns together; unreadable ones go to `skipped`."""
    groups: dict[str, dict[Shape, list[Path]]] = {}
    for file in files:
        try:
            found = pq.read_schema(file.path)
        except (pa.ArrowException, OSError, ValueError) as error:
            skipped.append(Skipped(file.path, f"not a Parquet file: {error}"))
            continue
        groups.setdefault(file.kind, {}).setdefault(Shape.of(found), []).append(file.path)
    return groups


def _sealed_part(
    kind: str, shape: Shape, paths: list[Path], schema: RecordSchema, migrations: Sequence[Migration]
) -> str:
    listed = ", ".join(literal(str(path)) for path in paths)
    selected = select_list(schema, kind, shape, migrations)
    return f"SELECT {selected} FROM read_parquet([{listed}], hive_partitioning = false)"


def _open_tables(
    layout: Layout, kind: str, schema: RecordSchema, migrations: Sequence[Migration], skipped: list[Skipped]
) -> Iterator[pa.Table]:
    for segment in open_segments(layout):
        table = read_open(segment, kind, schema, migrations, skipped)
        if table is not None and table.num_rows:
            yield table


def read_open(
    segment: OpenSegment,
    kind: str,
    schema: RecordSchema,
    migrations: Sequence[Migration] = MIGRATIONS,
    skipped: list[Skipped] | None = None,
) -> pa.Table | None:
    """The rows of an open segment that are complete by now, with the current columns."""
    content = read_stream(segment.stream(kind))
    if content.damage and skipped is not None:
        skipped.append(Skipped(segment.stream(kind), content.damage))
    if content.table is None:
        return None
    try:
        return conform(content.table, kind, schema, migrations)
    except pa.ArrowException as error:
        if skipped is not None:
            skipped.append(Skipped(segment.stream(kind), f"columns do not fit: {error}"))
        return None


def _open_part(connection: duckdb.DuckDBPyConnection, kind: str, number: int, table: pa.Table) -> str:
    name = f"open_{kind}_{number}"
    connection.register(name, table)
    return f"SELECT * FROM {quoted(name)}"


def _view(kind: str, schema: RecordSchema, parts: list[str], selection: Selection) -> str:
    nothing = ", ".join(f"CAST(NULL AS {c.sql_type}) AS {quoted(c.name)}" for c in schema.tables[kind])
    union = " UNION ALL ".join(parts) or f"SELECT {nothing} WHERE false"
    return f"CREATE TEMP VIEW {quoted(kind)} AS SELECT * FROM ({union}) WHERE {selection.condition()}"
