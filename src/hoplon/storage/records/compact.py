"""Compacts the small files of a past day into few large ones: the same rows, fewer files to open.

The commit is one rename again. Beside the merged file a `.replaces.json` names what it replaces; it counts only once
the merged file is in place, and from that moment readers ignore the replaced files, deleted yet or not.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hoplon.storage.files import sync_directory
from hoplon.storage.records.layout import (
    KINDS,
    Layout,
    SealedFile,
    open_segments,
    partition_files,
    partitions,
    replaced_by,
    replaces_path,
    sealed_name,
)
from hoplon.storage.records.lock import changing
from hoplon.storage.records.schema import MIGRATIONS, Migration, RecordSchema, conform
from hoplon.storage.records.seal import ROW_GROUP_ROWS, sync_file

SMALL_BYTES = 32 * 2**20
MERGED_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Compactor:
    """Merges small sealed files of one state directory."""

    layout: Layout
    schema: RecordSchema
    migrations: tuple[Migration, ...] = MIGRATIONS
    rename: Callable[[Path, Path], object] = Path.replace
    small_bytes: int = SMALL_BYTES
    merged_bytes: int = MERGED_BYTES
    lock_timeout_seconds: float = 30.0

    def candidates(self, today: date) -> Iterator[list[SealedFile]]:
        """Groups of at least two small files of the same zone, past day and kind that fit in one merged file."""
        unsealed = {segment.name for segment in open_segments(self.layout)}
        for partition in partitions(self.layout):
            small = [
                file
                for file in partition_files(partition)
                if file.day < today and file.size_bytes < self.small_bytes and file.segment not in unsealed
            ]
            for kind in KINDS:
                yield from self._groups([file for file in small if file.kind == kind])

    def _groups(self, files: list[SealedFile]) -> Iterator[list[SealedFile]]:
        group: list[SealedFile] = []
        for file in sorted(files, key=lambda file: (file.segment, file.generation)):
            if group and sum(f.size_bytes for f in group) + file.size_bytes > self.merged_bytes:
                yield from [group] * (len(group) > 1)
                group = []
            group.append(file)
        yield from [group] * (len(group) > 1)

    def compact(self, group: list[SealedFile]) -> Path:
        """Merge `group` into one file; gives its path.

        Raises `pa.ArrowException` or `OSError` when a file cannot be read; nothing has changed then.
        """
        newest = max(group, key=lambda file: file.segment)
        generation = max(file.generation for file in group) + 1
        merged = newest.path.with_name(sealed_name(newest.kind, newest.segment, generation))
        staging = self.layout.tmp / f"compact-{merged.parent.parent.name}-{merged.parent.name}-{merged.name}"
        staging.parent.mkdir(parents=True, exist_ok=True)
        self._merge(group, staging)
        replaces = staging.with_name(staging.name + ".replaces")
        replaces.write_text(json.dumps([file.path.name for file in group]))
        with changing(self.layout, self.lock_timeout_seconds):
            if all(file.path.exists() for file in group):
                self.rename(replaces, replaces_path(merged))
                self.rename(staging, merged)
                sync_directory(merged.parent)
                finish_compaction(replaces_path(merged))
        return merged

    def _merge(self, group: list[SealedFile], staging: Path) -> None:
        target = self.schema.arrow(group[0].kind)
        with pq.ParquetWriter(staging, target, compression="zstd") as writer:
            for table in _row_groups(self._tables(group)):
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        sync_file(staging)

    def _tables(self, group: list[SealedFile]) -> Iterator[pa.Table]:
        for file in group:
            with pq.ParquetFile(file.path) as parquet:
                for number in range(parquet.num_row_groups):
                    yield conform(parquet.read_row_group(number), file.kind, self.schema, self.migrations)


def clean_up(layout: Layout, lock_timeout_seconds: float = 30.0) -> None:
    """Remove what a crash left behind: unfinished files, the trash, and replaced files of a finished compaction."""
    with changing(layout, lock_timeout_seconds):
        shutil.rmtree(layout.tmp, ignore_errors=True)
        for partition in partitions(layout):
            for replaces in partition.glob("*.replaces.json"):
                finish_compaction(replaces)
    shutil.rmtree(layout.trash, ignore_errors=True)


def finish_compaction(replaces: Path) -> None:
    """Delete what a finished compaction replaced, then its note. The caller holds the lock alone."""
    for name in replaced_by(replaces):
        (replaces.parent / name).unlink(missing_ok=True)
    replaces.unlink(missing_ok=True)


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Pieces of at least a row group's rows, so that many small files do not become many small row groups."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(piece.num_rows for piece in waiting) >= ROW_GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
