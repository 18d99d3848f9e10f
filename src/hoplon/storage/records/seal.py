"""Seals a finished segment: takes its Arrow streams, gives Parquet by zone and day; nothing lost, nothing doubled.

Order is everything. Parquet is written and synced in `records/tmp/`; then, alone under the lock: every file is renamed
into place, and last the segment's directory leaves `open/` - that one rename is the commit. A crash before it leaves
the segment open (readers ignore its sealed files, the next run writes the same names again); after it rubbish is left.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hoplon.storage.files import sync_directory
from hoplon.storage.records.layout import KINDS, Layout, OpenSegment, sealed_name, zone_directory
from hoplon.storage.records.lock import changing, owning
from hoplon.storage.records.quarantine import quarantine
from hoplon.storage.records.schema import MIGRATIONS, Migration, RecordSchema, conform
from hoplon.storage.records.stream import read_stream

ROW_GROUP_ROWS = 128 * 1024


@dataclass(frozen=True, slots=True)
class SealReport:
    """What became of one segment."""

    segment: str
    rows: int
    files: int
    torn_bytes: int
    damage: tuple[str, ...]
    """One sentence per stream that was damaged; its original is in quarantine."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals segments of one state directory into the current schema."""

    layout: Layout
    schema: RecordSchema
    migrations: tuple[Migration, ...] = MIGRATIONS
    rename: Callable[[Path, Path], object] = Path.replace
    lock_timeout_seconds: float = 30.0

    def seal(self, segment: OpenSegment) -> SealReport | None:
        """Seal `segment`, or None while a gateway still writes it.

        Raises `OSError` when the disk refuses, `RecordsBusyError` when readers hold the lock too long: the segment
        stays and can be sealed later. Raises `pa.ArrowException` when its columns cannot become the current ones.
        """
        with owning(segment.owner_lock) as is_free:
            return self._seal_owned(segment) if is_free else None

    def _seal_owned(self, segment: OpenSegment) -> SealReport:
        contents = {kind: read_stream(segment.stream(kind)) for kind in KINDS}
        staging = self.layout.tmp / segment.name
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        planned: list[tuple[Path, Path]] = []
        rows = 0
        for kind, content in contents.items():
            if content.table is not None and content.table.num_rows:
                rows += content.table.num_rows
                table = conform(content.table, kind, self.schema, self.migrations)
                planned += self._write_partitions(table, kind, segment.name, staging)
        damage = tuple(f"{kind}: {content.damage}" for kind, content in contents.items() if content.damage)
        self._commit(segment, planned, "; ".join(damage))
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(self.layout.trash / segment.name, ignore_errors=True)
        torn = sum(content.torn_bytes for content in contents.values() if not content.damage)
        return SealReport(segment.name, rows, len(planned), torn, damage)

    def _write_partitions(self, table: pa.Table, kind: str, segment: str, staging: Path) -> list[tuple[Path, Path]]:
        """Write one Parquet file per zone and day; gives (where it is, where it belongs)."""
        planned = []
        for number, (zone, day, part) in enumerate(by_zone_and_day(table)):
            written = staging / f"{kind}-{number}.parquet"
            write_parquet(part, written)
            planned.append((written, self.layout.partition(zone, day) / sealed_name(kind, segment)))
        return planned

    def _commit(self, segment: OpenSegment, planned: list[tuple[Path, Path]], damage: str) -> None:
        self.layout.trash.mkdir(parents=True, exist_ok=True)
        with changing(self.layout, self.lock_timeout_seconds):
            for written, final in planned:
                final.parent.mkdir(parents=True, exist_ok=True)  # here: retention removes empty ones
                self.rename(written, final)
            for directory in {final.parent for _, final in planned}:
                sync_directory(directory)
            if damage:
                quarantine(self.layout, segment.path, damage, self.rename)
            else:
                self.rename(segment.path, self.layout.trash / segment.name)
            sync_directory(self.layout.open)


def by_zone_and_day(table: pa.Table) -> Iterator[tuple[str, date, pa.Table]]:
    """`table` split by the directory of its zone and its UTC day, each part by time."""
    table = table.sort_by("time").combine_chunks()
    zones = pc.dictionary_encode(table.column("zone"), null_encoding="encode").combine_chunks()
    names = pa.array([zone_directory(zone) for zone in zones.dictionary.to_pylist()], pa.string())
    directory = names.take(zones.indices)
    days = pc.cast(pc.floor_temporal(table.column("time"), unit="day"), pa.date32())
    groups = pa.table({"zone": directory, "day": days}).group_by(["zone", "day"]).aggregate([])
    for group in groups.to_pylist():
        mask = pc.and_(pc.equal(directory, group["zone"]), pc.equal(days, pa.scalar(group["day"], pa.date32())))
        yield group["zone"], group["day"], table.filter(mask)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write `table` as Parquet and make sure that it is on the disk."""
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    sync_file(path)


def sync_file(path: Path) -> None:
    """Have the file's content on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
