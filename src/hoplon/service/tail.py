"""Follows traffic: takes a filter, gives the newest records and then those that come, as dictionaries."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from hoplon.errors import HoplonError
from hoplon.service.record_errors import explained
from hoplon.storage.records import Layout, Selection, open_records
from hoplon.storage.records.follow import RecordFollower
from hoplon.storage.state import StateDirectory

POLL_SECONDS = 0.25
FIRST_LOOK = timedelta(hours=24)
"""How far back the first lines may come from."""


@dataclass(frozen=True, slots=True)
class TailFilter:
    """Which records to show; None is all."""

    statuses: tuple[tuple[int, int], ...] | None = None
    actions: frozenset[str] | None = None
    path: str | None = None
    methods: frozenset[str] | None = None
    session: str | None = None
    zones: tuple[str, ...] | None = None

    def accepts(self, row: dict[str, Any]) -> bool:
        """Whether `row` is wanted."""
        status = row["status"] or 0
        return (
            (self.statuses is None or any(low <= status <= high for low, high in self.statuses))
            and (self.actions is None or row["action"] in self.actions)
            and (self.path is None or fnmatchcase(row["path"] or "", self.path))
            and (self.methods is None or row["method"] in self.methods)
            and (self.session is None or (row["session"] or "").startswith(self.session))
            and (self.zones is None or row["zone"] in self.zones)
        )


def parse_statuses(text: str | None) -> tuple[tuple[int, int], ...] | None:
    """`404`, `4xx`, `500-503`, several with commas, as ranges. Raises `usage`."""
    return None if text is None else tuple(_parse_status(part.strip()) for part in text.split(","))


def _parse_status(text: str) -> tuple[int, int]:
    if match := re.fullmatch(r"(\d)xx", text.lower()):
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    if match := re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", text):
        return int(match[1]), int(match[2] or match[1])
    raise HoplonError("usage", f"`{text}` is no status", "for example 404, 4xx, 500-503 or 4xx,5xx")


def follow_records(
    state: StateDirectory,
    wanted: TailFilter,
    lines: int = 10,
    follow: bool = True,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[dict[str, Any]]:
    """The newest `lines` wanted records, oldest first; then, with `follow`, each new one as soon as it is flushed."""
    layout = Layout.of_state(state.root)
    follower = RecordFollower(layout)
    try:
        now_open = follower.read_new()
        yield from _newest(layout, now_open, wanted, lines)
        while follow:
            yield from filter(wanted.accepts, follower.read_new().to_pylist())
            pause(POLL_SECONDS)
    finally:
        follower.close()


def _newest(layout: Layout, now_open: pa.Table, wanted: TailFilter, lines: int) -> list[dict[str, Any]]:
    """The last wanted rows of what is open, or, where that is not enough, of the last day's sealed records too."""
    if lines <= 0:
        return []
    rows = [row for row in now_open.to_pylist() if wanted.accepts(row)]
    if len(rows) < lines:
        rows = _sealed(layout, wanted, lines, {row["id"] for row in rows}) + rows
    return rows[-lines:]


def _sealed(layout: Layout, wanted: TailFilter, lines: int, known: set[str]) -> list[dict[str, Any]]:
    selection = Selection(wanted.zones, since=datetime.now(UTC) - FIRST_LOOK)
    found: list[dict[str, Any]] = []
    with explained(), open_records(layout, selection, ("records",)) as records:
        for batch in records.connection.sql("SELECT * FROM records ORDER BY time DESC").to_arrow_reader(1024):
            found += [row for row in batch.to_pylist() if row["id"] not in known and wanted.accepts(row)]
            if len(found) >= lines:
                break
    return found[:lines][::-1]
