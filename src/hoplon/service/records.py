"""Traffic records for people: SQL, one request, what is stored, what was seen. Wires storage, catalogue and zones.

It gives values and Arrow tables; the command line and the API say how they look.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import duckdb

from hoplon.catalog import Catalogue, SavedTemplate, seen_operations
from hoplon.errors import HoplonError
from hoplon.operations.template import engine_host, engine_path
from hoplon.service.policy import all_zones, find_zone
from hoplon.service.record_errors import explained
from hoplon.service.workspace import Workspace
from hoplon.spelling import did_you_mean
from hoplon.storage.records import KINDS, Layout, Selection, open_records
from hoplon.storage.records.layout import open_segments, sealed_files
from hoplon.storage.records.quarantine import Quarantined, quarantined
from hoplon.storage.records.query import Answer, QueryLimits, run_query
from hoplon.storage.state import StateDirectory


@dataclass(frozen=True, slots=True)
class ZoneOperations:
    """What one zone's traffic shows beside what its policy has saved."""

    zone_id: str
    zone_name: str
    catalogue: Catalogue
    idle: tuple[SavedTemplate, ...]
    """Saved operations without any traffic."""


@dataclass(frozen=True, slots=True)
class RecordDetail:
    """Everything that is stored of one request."""

    record: dict[str, Any]
    violations: tuple[dict[str, Any], ...]
    observations: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class StoredKind:
    """How much of one table is stored."""

    kind: str
    open_segments: int
    open_bytes: int
    sealed_files: int
    sealed_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """What is stored at all."""

    kinds: tuple[StoredKind, ...]
    oldest: datetime | None
    newest: datetime | None
    quarantined: tuple[Quarantined, ...]
    skipped: tuple[str, ...]


def zone_operations(
    workspace: Workspace, zone: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> list[ZoneOperations]:
    """Seen operations of the zone called `zone`, or of every zone, in the order of creation."""
    wanted = None if zone is None else find_zone(workspace, zone).zone_id
    return [
        _operations_of(workspace.state, version.zone_id, version.zone_name, _saved(policy), since, until)
        for version, policy in all_zones(workspace)
        if wanted in (None, version.zone_id)
    ]


def _saved(policy: Any) -> tuple[SavedTemplate, ...]:
    saved = policy.features["operations"].saved
    return tuple(SavedTemplate(each.method, engine_host(each.host), engine_path(each.path)) for each in saved)


def _operations_of(
    state: StateDirectory,
    zone_id: str,
    zone_name: str,
    saved: tuple[SavedTemplate, ...],
    since: datetime | None,
    until: datetime | None,
) -> ZoneOperations:
    with (
        explained(),
        open_records(Layout.of_state(state.root), Selection((zone_id,), since, until), ("records",)) as found,
    ):
        catalogue = seen_operations(found.connection, saved)
    used = {(each.method, each.path.rstrip("/")) for each in catalogue.operations if each.is_saved}
    idle = tuple(each for each in saved if (each.method, each.path.rstrip("/")) not in used)
    return ZoneOperations(zone_id, zone_name, catalogue, idle)


@contextmanager
def query_records(
    state: StateDirectory,
    sql: str,
    selection: Selection = Selection(),  # noqa: B008 - frozen
    limits: QueryLimits = QueryLimits(),  # noqa: B008 - frozen
) -> Iterator[Answer]:
    """Run one SELECT over the views `records`, `violations` and `observations`.

    Raises `records.query` (what is wrong in the SQL, with the columns that exist), `records.limit`, `records.busy`,
    `records.damaged`.
    """
    with explained(limits), run_query(Layout.of_state(state.root), sql, selection, limits) as answer:
        yield answer


def select_table(kind: str) -> str:
    """The SQL that exports a whole table, oldest first. Raises `usage` for an unknown one."""
    if kind not in KINDS:
        raise HoplonError("usage", f"no table `{kind}`", did_you_mean(kind, KINDS))
    return f"SELECT * FROM {kind} ORDER BY time"  # noqa: S608 - one of KINDS


def show_record(state: StateDirectory, record_id: str) -> RecordDetail:
    """The record `record_id` with its violations and observations. Raises `records.unknown`."""
    selection = Selection(since=_not_before(record_id))
    with explained(), open_records(Layout.of_state(state.root), selection) as found:
        listed = {kind: _rows_of(found.connection, kind, record_id) for kind in KINDS}
    if not listed["records"]:
        raise HoplonError(
            "records.unknown",
            f"no record has the id `{record_id}`",
            "the newest appear within 1 to 2 seconds, old ones are deleted (`hoplon records info` says how far back)",
        )
    return RecordDetail(listed["records"][0], tuple(listed["violations"]), tuple(listed["observations"]))


def _rows_of(connection: duckdb.DuckDBPyConnection, kind: str, record_id: str) -> list[dict[str, Any]]:
    column = "id" if kind == "records" else "record_id"
    query = f"SELECT * FROM {kind} WHERE {column} = $id"  # noqa: S608 - one of KINDS
    found: list[dict[str, Any]] = connection.sql(query, params={"id": record_id}).to_arrow_table().to_pylist()
    return found


def _not_before(record_id: str) -> datetime | None:
    """A day before the time inside a UUIDv7 (clocks jump), so that older days need not be opened."""
    try:
        identifier = UUID(record_id)
    except ValueError:
        raise HoplonError(
            "usage", f"`{record_id}` is no request id", "it is the UUID in the response header `hoplon-request-id`"
        ) from None
    if identifier.version != 7:
        return None
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC) - timedelta(days=1)


def stored_records(state: StateDirectory) -> StoredRecords:
    """Sizes, numbers and the time range of everything that is stored."""
    layout = Layout.of_state(state.root)
    with explained(), open_records(layout) as found:
        rows = {kind: _one(found.connection, f"SELECT count(*) FROM {kind}") for kind in KINDS}  # noqa: S608 - of KINDS
        # As Arrow: DuckDB itself wants pytz to give a TIMESTAMPTZ to Python.
        ends = found.connection.sql("SELECT min(time) AS oldest, max(time) AS newest FROM records").to_arrow_table()
        oldest, newest = ends.to_pylist()[0].values()
        segments, files = open_segments(layout), sealed_files(layout)
        skipped = tuple(f"{item.path}: {item.reason}" for item in found.skipped)
    kinds = tuple(
        StoredKind(
            kind,
            len(segments),
            sum(segment.stream(kind).stat().st_size for segment in segments if segment.stream(kind).exists()),
            sum(file.kind == kind for file in files),
            sum(file.size_bytes for file in files if file.kind == kind),
            rows[kind],
        )
        for kind in KINDS
    )
    return StoredRecords(kinds, _aware(oldest), _aware(newest), tuple(quarantined(layout)), skipped)


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(connection.execute(sql).fetchall()[0][0])


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def resolve_zones(workspace: Workspace, zone: str | None) -> tuple[str, ...] | None:
    """The ids for a selection: of the zone called `zone`, or None for all."""
    return None if zone is None else (find_zone(workspace, zone).zone_id,)


_AGO = re.compile(r"(\d+)\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_moment(text: str, now: datetime) -> datetime:
    """`15m`, `24h`, `7d` ago, or an ISO 8601 date or time (UTC unless it says otherwise). Raises `usage`."""
    if ago := _AGO.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        hint = "for example 15m, 24h, 7d (ago), 2026-03-02 or 2026-03-02T10:00 (UTC)"
        raise HoplonError("usage", f"`{text}` is no time", hint) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_selection(
    workspace: Workspace, zone: str | None, since: str | None, until: str | None, now: datetime | None = None
) -> Selection:
    """What an operator's words select: a zone's name and two moments."""
    now = now or datetime.now(UTC)
    moments = (None if text is None else parse_moment(text, now) for text in (since, until))
    return Selection(resolve_zones(workspace, zone), *moments)
