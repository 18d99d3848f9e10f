"""Where traffic records lie on disk: takes the state directory, gives segments and sealed files, newest rules applied.

    records/open/<segment>/{records,violations,observations}.arrows + owner.lock     Arrow IPC streams of one gateway
    records/sealed/zone=<id>/day=YYYY-MM-DD/<kind>-<segment>.parquet
    records/{tmp,trash,quarantine}/  records/.lock  records/.turn

It knows names only: it reads no file but the small `.replaces.json` of a compaction, and must not know schemas.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

KINDS: tuple[str, ...] = ("records", "violations", "observations")
NO_ZONE = "_"
"""The directory of records that belong to no zone (refused before one was known)."""

_SAFE_ZONE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SEALED_NAME = re.compile(r"(records|violations|observations)-(.+?)(?:-m(\d+))?\.parquet")


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories below `<state>/records`."""

    root: Path

    @classmethod
    def of_state(cls, state_dir: Path) -> "Layout":
        """The records of the state directory `state_dir`, as an absolute path."""
        return cls(state_dir.absolute() / "records")

    @property
    def open(self) -> Path:
        return self.root / "open"

    @property
    def sealed(self) -> Path:
        return self.root / "sealed"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def trash(self) -> Path:
        return self.root / "trash"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def lock(self) -> Path:
        return self.root / ".lock"

    @property
    def turn(self) -> Path:
        return self.root / ".turn"

    def partition(self, zone: str, day: date) -> Path:
        """The directory of one zone's one day."""
        return self.sealed / f"zone={zone_directory(zone)}" / f"day={day.isoformat()}"


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A directory of streams, written by a living gateway or left behind by a dead one."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def stream(self, kind: str) -> Path:
        return self.path / f"{kind}.arrows"

    @property
    def owner_lock(self) -> Path:
        return self.path / "owner.lock"

    def size_bytes(self) -> int:
        return sum(size_of(self.stream(kind)) for kind in KINDS)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One Parquet file: one kind, one zone, one day, one segment (or several compacted ones, `generation` > 0)."""

    path: Path
    kind: str
    zone: str
    day: date
    segment: str
    generation: int
    size_bytes: int


def zone_directory(zone: str | None) -> str:
    """The zone's id as a directory name: itself when it is harmless, else `_`."""
    return zone if zone and _SAFE_ZONE.fullmatch(zone) else NO_ZONE


def sealed_name(kind: str, segment: str, generation: int = 0) -> str:
    """The file name of `segment`'s `kind`; `generation` counts compactions that ended in this file."""
    return f"{kind}-{segment}-m{generation}.parquet" if generation else f"{kind}-{segment}.parquet"


def parse_sealed(path: Path, size_bytes: int) -> SealedFile | None:
    """What the path of a sealed file says, or None when it is no sealed file."""
    match = _SEALED_NAME.fullmatch(path.name)
    day = _parse_day(path.parent.name)
    if match is None or day is None or not path.parent.parent.name.startswith("zone="):
        return None
    kind, segment, generation = match.groups()
    zone = path.parent.parent.name.removeprefix("zone=")
    return SealedFile(path, kind, zone, day, segment, int(generation or 0), size_bytes)


def open_segments(layout: Layout) -> list[OpenSegment]:
    """Every segment that is not sealed yet, oldest first. Names that begin with a dot are still being made."""
    return [OpenSegment(path) for path in _listing(layout.open) if not path.name.startswith(".") and path.is_dir()]


def sealed_files(
    layout: Layout,
    kinds: Sequence[str] = KINDS,
    zones: Sequence[str] | None = None,
    since: date | None = None,
    until: date | None = None,
) -> list[SealedFile]:
    """Sealed files that count now, by day, then by segment. `since` and `until` are days, both inclusive.

    Two rules make a crash harmless: a file whose segment is still open is not there yet, and a file that a finished
    compaction replaces is not there any more.
    """
    unsealed = {segment.name for segment in open_segments(layout)}
    wanted = None if zones is None else {zone_directory(zone) for zone in zones}
    found = [
        file
        for partition in partitions(layout)
        if _partition_wanted(partition, wanted, since, until)
        for file in partition_files(partition)
        if file.kind in kinds and (file.generation or file.segment not in unsealed)
    ]
    return sorted(found, key=lambda file: (file.day, file.segment, file.generation, file.kind))


def partitions(layout: Layout) -> Iterator[Path]:
    """The day directories of every zone."""
    for zone in _listing(layout.sealed):
        if zone.name.startswith("zone=") and zone.is_dir():
            yield from (day for day in _listing(zone) if _parse_day(day.name) is not None)


def partition_files(partition: Path) -> list[SealedFile]:
    """The sealed files of one day directory without those that a finished compaction replaces."""
    replaced: set[str] = set()
    files: list[SealedFile] = []
    for path in _listing(partition):
        if path.name.endswith(".replaces.json"):
            replaced.update(replaced_by(path))
        elif (file := parse_sealed(path, size_of(path))) is not None:
            files.append(file)
    return [file for file in files if file.path.name not in replaced]


def replaces_path(merged: Path) -> Path:
    """Where the compaction that writes `merged` says which files it replaces."""
    return merged.with_name(merged.name + ".replaces.json")


def replaced_by(replaces: Path) -> list[str]:
    """The file names that a compaction replaces; none while its own file is not in place yet."""
    if not replaces.with_name(replaces.name.removesuffix(".replaces.json")).exists():
        return []
    try:
        return [str(name) for name in json.loads(replaces.read_bytes())]
    except (OSError, ValueError):
        return []


def size_of(path: Path) -> int:
    """The file's size in bytes; 0 when it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def utc_day(moment: datetime) -> date:
    """The UTC day of an aware moment."""
    return moment.astimezone(UTC).date()


def _listing(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _parse_day(name: str) -> date | None:
    try:
        return date.fromisoformat(name.removeprefix("day=")) if name.startswith("day=") else None
    except ValueError:
        return None


def _partition_wanted(partition: Path, zones: set[str] | None, since: date | None, until: date | None) -> bool:
    day = _parse_day(partition.name)
    zone = partition.parent.name.removeprefix("zone=")
    return (
        day is not None
        and (zones is None or zone in zones)
        and (since is None or since <= day)
        and (until is None or day <= until)
    )
