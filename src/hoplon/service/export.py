"""Writes Arrow batches as Parquet, JSON lines, JSON or CSV: a reader and a file in, the number of rows out."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

Writer = Callable[[pa.RecordBatchReader, IO[bytes]], int]


def write_parquet(batches: pa.RecordBatchReader, file: IO[bytes]) -> int:
    """One Parquet file, zstd."""
    count = 0
    with pq.ParquetWriter(file, batches.schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def write_json_lines(batches: pa.RecordBatchReader, file: IO[bytes]) -> int:
    """One JSON object per line; times in ISO 8601."""
    count = 0
    for row in rows_of(batches):
        file.write(json_line(row) + b"\n")
        count += 1
    return count


def write_json(batches: pa.RecordBatchReader, file: IO[bytes]) -> int:
    """One JSON array of objects."""
    count = 0
    for row in rows_of(batches):
        file.write((b",\n" if count else b"[\n") + json_line(row))
        count += 1
    file.write(b"\n]\n" if count else b"[]\n")
    return count


def write_csv(batches: pa.RecordBatchReader, file: IO[bytes]) -> int:
    """CSV (RFC 4180) with a heading line; null is empty, lists are JSON."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(batches.schema.names)
    count = 0
    for row in rows_of(batches):
        writer.writerow([_csv_cell(value) for value in row.values()])
        count += 1
    text.flush()
    text.detach()
    return count


EXPORTS: dict[str, Writer] = {"parquet": write_parquet, "jsonl": write_json_lines, "csv": write_csv}


def export_to(path: Path, form: str, batches: pa.RecordBatchReader) -> int:
    """Write `batches` in `form` to `path`, beside it first: a broken export leaves no half file."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as file:
            count = EXPORTS[form](batches, file)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def rows_of(batches: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    """Every row as a dictionary."""
    for batch in batches:
        yield from batch.to_pylist()


def json_line(row: dict[str, Any]) -> bytes:
    """One row as compact JSON."""
    return json.dumps(row, default=plain, ensure_ascii=False, separators=(",", ":")).encode()


def plain(value: Any) -> Any:
    """What JSON does not have: times in ISO 8601, everything else as text."""
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _csv_cell(value: Any) -> Any:
    if value is None:
        return ""
    return (
        json.dumps(value) if isinstance(value, list) else plain(value) if not isinstance(value, int | float) else value
    )
