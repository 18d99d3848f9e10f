"""Retention: takes the sealed files and the limits, gives what must go, oldest first; then deletes it.

The gateway enforces the same limits by itself (a dead worker must not fill the disk), under the same lock.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path

from hoplon.storage.records.layout import Layout, SealedFile, open_segments, sealed_files, utc_day
from hoplon.storage.records.lock import changing
from hoplon.storage.records.quarantine import note_of, quarantined


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much is kept."""

    seconds: float
    bytes: int


JUMP_SECONDS = 300.0
"""A difference between the wall clock and the monotonic one that is not drift."""
DISTRUST_SECONDS = 3600.0
"""After a jump the clock is not believed this long: it may jump back."""


class TrustedClock:
    """The wall clock, compared with the monotonic one at each look: a wrong time must not delete records.

    The gateway does the same (crates/gateway/src/calendar.rs).
    """

    def __init__(self, wall: datetime, monotonic: float) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._trusted_from = monotonic

    def read(self, wall: datetime, monotonic: float) -> datetime | None:
        """The time, or None while the clock is not believed."""
        difference = (wall - self._wall).total_seconds() - (monotonic - self._monotonic)
        if abs(difference) > JUMP_SECONDS:
            self._trusted_from = monotonic + DISTRUST_SECONDS
        self._wall, self._monotonic = wall, monotonic
        return wall if monotonic >= self._trusted_from else None


def expired(files: Sequence[SealedFile], open_bytes: int, limits: Limits, now: datetime | None) -> list[SealedFile]:
    """The sealed files to delete: whole days beyond the age, then the oldest segments until all fit in the bytes.

    All files of a segment's day go together, so that no violation outlives its record. Without `now` age is not judged.
    """
    oldest_day = date.min if now is None else utc_day(now - timedelta(seconds=limits.seconds))
    gone = [file for file in files if file.day < oldest_day]
    kept = [file for file in files if file.day >= oldest_day]
    excess = open_bytes + sum(file.size_bytes for file in kept) - limits.bytes
    for _, group in groupby(sorted(kept, key=_age), key=lambda file: (file.day, file.segment)):
        if excess <= 0:
            break
        together = list(group)
        gone += together
        excess -= sum(file.size_bytes for file in together)
    return gone


def retain(
    layout: Layout, limits: Limits, now: datetime | None, lock_timeout_seconds: float = 30.0
) -> list[SealedFile]:
    """Delete what `expired` says; gives what was deleted."""
    with changing(layout, lock_timeout_seconds):
        open_bytes = sum(segment.size_bytes() for segment in open_segments(layout))
        gone = expired(sealed_files(layout), open_bytes, limits, now)
        for file in gone:
            file.path.unlink(missing_ok=True)
        _remove_empty_directories(gone)
    return gone


def expire_quarantine(layout: Layout, limits: Limits, now: datetime) -> list[Path]:
    """Delete what has lain in quarantine longer than records are kept; gives what was deleted."""
    oldest = (now - timedelta(seconds=limits.seconds)).timestamp()
    gone = [item.path for item in quarantined(layout) if note_of(item.path).stat().st_mtime < oldest]
    for path in gone:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        note_of(path).unlink(missing_ok=True)
    return gone


def _age(file: SealedFile) -> tuple[object, str]:
    return file.day, file.segment


def _remove_empty_directories(gone: Iterable[SealedFile]) -> None:
    for partition in {file.path.parent for file in gone}:
        if not any(partition.iterdir()):
            partition.rmdir()
