"""SQL over stored records: 10 M of them through the real writer and sealer, then the questions an operator asks.

`python -m bench.records_query [--rows 10000000] [--folder DIR] [--json]`, with `PYTHONPATH=tests`. Beside it, in the
same run and with the same question, a twentieth of the same records as JSON lines (DuckDB) and in SQLite (which has no
quantiles, so its question is an easier one); their times are given as measured, and times twenty. DIR is used again
when it holds that many.
"""

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from hoplon.catalog import SavedTemplate, seen_operations
from hoplon.storage.records import Layout, Selection, open_records
from hoplon.storage.records.compact import Compactor
from hoplon.storage.records.layout import open_segments, sealed_files
from hoplon.storage.records.query import run_query
from hoplon.storage.records.schema import current_schema
from hoplon.storage.records.seal import Sealer
from support.records import ZONE, Traffic, generate, segment_name, write_segment

SEGMENT_ROWS = 250_000
DAYS = 4
SMALLER = 20
REPEATS = 3
SAVED = frozenset({("GET", "/users/{var1}"), ("POST", "/orders"), ("POST", "/login")})
START = datetime(2026, 3, 2, tzinfo=UTC)

QUESTION = """
SELECT method, host, coalesce(operation_path, path_form) AS operation, count(*) AS requests,
    quantile_cont(duration_us, 0.5) AS p50, quantile_cont(duration_us, 0.99) AS p99,
    avg(CASE WHEN status >= 500 THEN 1.0 ELSE 0.0 END) AS error_rate
FROM records GROUP BY 1, 2, 3 ORDER BY requests DESC
"""
WITHOUT_QUANTILES = QUESTION.replace("quantile_cont(duration_us, 0.5)", "avg(duration_us)").replace(
    "quantile_cont(duration_us, 0.99)", "max(duration_us)"
)

Figures = dict[str, Any]


def main() -> None:
    """Measure and print, as a table or as one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.records_query")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="keep the records here")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hoplon-records-") as temporary:
        figures = measure(options.folder or Path(temporary), options.rows)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value}")


def measure(folder: Path, rows: int) -> Figures:
    """Every figure over `rows` records below `folder`; seconds are the best of three."""
    layout = Layout.of_state(folder / "state")
    stored = fill(layout, rows)
    question, answers = timed(lambda: ask(layout, QUESTION))
    operations, seen = timed(lambda: count_operations(layout))
    return {
        "records": rows,
        "seconds": question,
        "groups": answers,
        "operations_seconds": operations,
        "operations": seen,
        **stored,
        **baselines(layout, folder, rows // SMALLER),
        "cores": len(os.sched_getaffinity(0)),
        "duckdb": duckdb.__version__,
    }


def fill(layout: Layout, rows: int) -> Figures:
    """Write, seal and compact `rows` records of several days, unless they are there already."""
    started = time.perf_counter()
    missing = rows - (_count(layout) if layout.sealed.is_dir() else 0)
    segments = max(1, rows // SEGMENT_ROWS)
    if missing:
        for number in range(segments):
            start = START + timedelta(days=DAYS) * number / segments
            traffic = Traffic(rows // segments, number, start, DAYS * 86400 / segments, saved=SAVED, sessions=20_000)
            write_segment(layout, segment_name(start, number), generate(traffic), batch_rows=20_000)
            for segment in open_segments(layout):
                Sealer(layout, current_schema()).seal(segment)
            _progress(f"sealed {number + 1} of {segments} segments")
    sealed = time.perf_counter() - started
    compactor = Compactor(layout, current_schema())
    for group in list(compactor.candidates((START + timedelta(days=DAYS - 1)).date())):
        compactor.compact(group)
    files = sealed_files(layout)
    return {
        "files": len(files),
        "bytes": sum(file.size_bytes for file in files),
        "fill_seconds": round(sealed, 1),
    }


def timed(work: Callable[[], int]) -> tuple[float, int]:
    """(best of three in seconds, what it gave)."""
    best, result = float("inf"), 0
    for _ in range(REPEATS):
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
    return round(best, 3), result


def ask(layout: Layout, sql: str) -> int:
    """Run the question as `hoplon records query` does; the number of rows of the answer."""
    with run_query(layout, sql) as answer:
        return int(answer.batches.read_all().num_rows)


def count_operations(layout: Layout) -> int:
    """What `hoplon operations` does; the number of operations."""
    saved = [SavedTemplate(method, "*", path) for method, path in sorted(SAVED)]
    with open_records(layout, Selection((ZONE,)), ("records",)) as records:
        return len(seen_operations(records.connection, saved).operations)


def baselines(layout: Layout, folder: Path, rows: int) -> Figures:
    """The same question over a smaller number of the same records, kept in two other ways."""
    lines, database = folder / "records.jsonl", folder / "records.db"
    database.unlink(missing_ok=True)
    with open_records(layout, kinds=("records",)) as records:
        few = records.connection.sql(f"SELECT * FROM records LIMIT {rows}").to_arrow_table()
    with duckdb.connect() as connection:
        connection.register("few", few)
        connection.execute(f"COPY few TO '{lines}' (FORMAT json)")
        connection.execute(f"CREATE VIEW records AS SELECT * FROM read_json('{lines}', format = 'newline_delimited')")
        json_seconds, _ = timed(lambda: len(connection.execute(QUESTION).fetchall()))
    with sqlite3.connect(database) as connection_lite:
        _load(connection_lite, few)
        lite_seconds, _ = timed(lambda: len(connection_lite.execute(WITHOUT_QUANTILES).fetchall()))
    return {
        "baseline_records": rows,
        "json_lines_seconds": json_seconds,
        "json_lines_seconds_scaled": round(json_seconds * SMALLER, 1),
        "sqlite_seconds": lite_seconds,
        "sqlite_seconds_scaled": round(lite_seconds * SMALLER, 1),
    }


def _load(connection: sqlite3.Connection, few: Any) -> None:
    names = ", ".join(few.column_names)
    connection.execute(f"CREATE TABLE records ({names})")
    marks = ", ".join("?" * few.num_columns)
    for batch in few.to_batches(max_chunksize=20_000):
        rows = zip(
            *(
                column.cast("string").to_pylist() if name == "time" else column.to_pylist()
                for name, column in zip(few.column_names, batch.columns, strict=True)
            ),
            strict=True,
        )
        connection.executemany(f"INSERT INTO records VALUES ({marks})", rows)
    connection.commit()


def _count(layout: Layout) -> int:
    with open_records(layout, kinds=("records",)) as records:
        return int(records.connection.execute("SELECT count(*) FROM records").fetchall()[0][0])


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
