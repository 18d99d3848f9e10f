"""Runs somebody's SQL over the records: takes text and limits, gives Arrow batches; the SQL can reach nothing else.

DuckDB in memory, one SELECT, no file but the listed Parquet files, no network, no extension, no setting changed,
bounded in memory and time.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from hoplon.storage.records.layout import Layout
from hoplon.storage.records.reader import Records, Selection, Skipped, damaged_files, open_records
from hoplon.storage.records.schema import literal

BATCH_ROWS = 8192
_MAYBE_DAMAGE = (OSError, duckdb.Error, pa.ArrowException)
"""What a damaged page can raise, from DuckDB or, once batches flow, from Arrow …"""
_NO_DAMAGE = (
    BrokenPipeError,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.InterruptException,
    duckdb.OutOfMemoryException,
)
"""… and what it cannot: for the rest every page is looked at."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may use."""

    seconds: float = 60.0
    memory_bytes: int = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query, to be read inside `run_query` only, and what could not be read."""

    batches: pa.RecordBatchReader
    records: Records


class DamagedError(Exception):
    """Some files could not be read to their end."""

    def __init__(self, files: list[Skipped]) -> None:
        super().__init__("; ".join(f"{item.path}: {item.reason}" for item in files))
        self.files = files


class NotASelectError(ValueError):
    """The text is not exactly one statement that only reads."""


@contextmanager
def run_query(
    layout: Layout,
    sql: str,
    selection: Selection = Selection(),  # noqa: B008 - frozen
    limits: QueryLimits = QueryLimits(),
    without: Iterable[Path] = (),
) -> Iterator[Answer]:
    """Run the one SELECT in `sql` over the selected records.

    Raises `NotASelectError`, `RecordsBusyError`, `DamagedError`, and `duckdb.Error`: `InterruptException` when the
    time is over, `OutOfMemoryException`, and what is wrong in the SQL.
    """
    check_statement(sql)
    settings = {"memory_limit": f"{limits.memory_bytes}B"}
    with open_records(layout, selection, settings=settings, without=without) as records:
        _lock_down(records)
        timer = threading.Timer(limits.seconds, records.connection.interrupt)
        timer.start()
        try:
            yield Answer(records.connection.sql(sql).to_arrow_reader(BATCH_ROWS), records)
        except _MAYBE_DAMAGE as error:
            damaged = [] if isinstance(error, _NO_DAMAGE) else damaged_files(records.files)
            if damaged:
                raise DamagedError(damaged) from error
            raise
        finally:
            timer.cancel()


def check_statement(sql: str) -> None:
    """Raise `NotASelectError` unless `sql` is exactly one SELECT (also DESCRIBE, SUMMARIZE, SHOW: they are SELECTs)."""
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise NotASelectError(f"one statement at a time, not {len(statements)}")
    if statements[0].type is not duckdb.StatementType.SELECT:
        raise NotASelectError(f"only SELECT is possible here, not {statements[0].type.name}")


def _lock_down(records: Records) -> None:
    """From here on: only the files of this reading, nothing else outside, and no way to change that."""
    allowed = ", ".join(literal(str(file.path)) for file in records.files)
    records.connection.execute(f"SET allowed_paths = [{allowed}]")
    records.connection.execute("SET enable_external_access = false")
    records.connection.execute("SET lock_configuration = true")
