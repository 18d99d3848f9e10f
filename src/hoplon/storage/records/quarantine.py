"""Puts aside what cannot be read: takes a damaged file or segment, gives a place where it harms nobody and the reason.

Nothing is thrown away here: whoever wants to repair it finds the original in `records/quarantine/` beside a JSON note.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hoplon.storage.records.layout import Layout

_NOTE = ".reason.json"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One thing put aside."""

    path: Path
    reason: str
    time: str


def quarantine(
    layout: Layout, damaged: Path, reason: str, rename: Callable[[Path, Path], object] = Path.replace
) -> Path:
    """Move `damaged` into quarantine with `reason` beside it; gives its new path. The caller holds the lock alone."""
    layout.quarantine.mkdir(parents=True, exist_ok=True)
    place = _free_place(layout.quarantine, "_".join(damaged.relative_to(layout.root).parts[1:]))
    note = {"reason": reason, "time": datetime.now(UTC).isoformat(timespec="seconds"), "was": str(damaged)}
    note_of(place).write_text(json.dumps(note) + "\n")
    rename(damaged, place)
    return place


def quarantined(layout: Layout) -> list[Quarantined]:
    """Everything in quarantine, by name."""
    if not layout.quarantine.is_dir():
        return []
    return [
        _read_note(note)
        for note in sorted(layout.quarantine.glob("*" + _NOTE))
        if note.with_name(note.name.removesuffix(_NOTE)).exists()
    ]


def note_of(place: Path) -> Path:
    """Where the reason of something in quarantine is written."""
    return place.with_name(place.name + _NOTE)


def _read_note(note: Path) -> Quarantined:
    path = note.with_name(note.name.removesuffix(_NOTE))
    try:
        content = json.loads(note.read_bytes())
        return Quarantined(path, str(content["reason"]), str(content["time"]))
    except (OSError, ValueError, KeyError):
        return Quarantined(path, "no reason was recorded", "")


def _free_place(directory: Path, name: str) -> Path:
    place, number = directory / name, 1
    while place.exists():
        place, number = directory / f"{name}.{number}", number + 1
    return place
