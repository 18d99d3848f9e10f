"""A new policy over old traffic: compiles a document without committing it, and runs the engine over stored records.

What records do not hold is counted as unknown, never guessed: the engine says so fact by fact.
"""

import io
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from hoplon.errors import HoplonError
from hoplon.model.versions import PolicyBundle
from hoplon.policy.document import read_policy
from hoplon.service.agreement import disagreements
from hoplon.service.changes import UNCOMMITTED, check_beside_others, check_written
from hoplon.service.features import FEATURES
from hoplon.service.policy import choose_zone
from hoplon.service.record_errors import explained
from hoplon.service.replay_report import Replayed, ReplayReport, make_report
from hoplon.service.rule_names import rule_names
from hoplon.service.stores import load_policy
from hoplon.service.workspace import Workspace
from hoplon.storage import policies
from hoplon.storage.database import reading
from hoplon.storage.records import Layout, Records, Selection, open_records
from hoplon.storage.records.schema import literal, quoted
from hoplon.storage.state import StateDirectory

DEFAULT_PERIOD = timedelta(hours=24)
EXAMPLES = 5
BATCH_ROWS = 65_536
CHUNK_ROWS = 500_000
"""So many records are sorted by time at once."""
MEMORY = "1GB"
_UNUSED = frozenset(("bundle", "engine_ns", "error", "failures", "sample_probability"))
"""Columns that no fact is read from; every other one that a gateway writes is handed to the engine."""

Progress = Callable[[int, int], None]
"""Records done, of so many."""


@dataclass(frozen=True, slots=True)
class ReplayBounds:
    """How much a replay may take: the newest records are replayed, as many as fit."""

    max_records: int = 50_000_000
    seconds: float = 3600.0


SERVED_BOUNDS = ReplayBounds(2_000_000, 40.0)
"""What the API gives to one replay: whoever asks hears something within a minute."""


@dataclass(frozen=True, slots=True)
class PreparedReplay:
    """Both policies compiled, and everything that a process without the store needs."""

    zone_id: str
    zone_name: str
    new: PolicyBundle
    present: PolicyBundle
    names: Mapping[str, str]
    """The names of the rules of both policies, by id; the new one's count."""


def prepare_replay(
    workspace: Workspace, text: str, origin: str = "the policy", zone: str | None = None
) -> PreparedReplay:
    """Read and compile `text` beside the policy of its zone. Raises as `apply_policy` does; nothing is changed."""
    policy = read_policy(text, FEATURES, origin, disagreements)
    with reading(workspace.database) as connection:
        target = choose_zone(policies.all_zones(connection), zone or policy.zone.name)
        check_beside_others(connection, target.id, policy.zone)
        present = load_policy(connection, target.id)
    new, old = (check_written(workspace, each.zone, each.features) for each in (policy, present))
    return PreparedReplay(target.id, target.name, new, old, rule_names(present) | rule_names(policy))


def run_replay(
    state: StateDirectory,
    prepared: PreparedReplay,
    since: datetime | None,
    until: datetime | None,
    bounds: ReplayBounds = ReplayBounds(),
    on_progress: Progress = lambda done, total: None,
) -> ReplayReport:
    """Replay the stored records of the prepared zone, oldest first, under both policies.

    Raises `replay.limit` when it takes longer than the bounds allow, and what reading records raises.
    """
    started = time.monotonic()
    selection = Selection((prepared.zone_id,), since, until)
    engines = [_Engine(bundle) for bundle in (prepared.new, prepared.present)]
    settings = {"memory_limit": MEMORY}
    layout = Layout.of_state(state.root)
    with explained(), open_records(layout, selection, ("records",), settings=settings) as records:
        stored, span = _span(records, bounds.max_records)
        with ThreadPoolExecutor(len(engines)) as pool:
            done = 0
            for content, rows in _contents(records, span):
                list(pool.map(lambda engine, ipc: engine.update(ipc), engines, [content] * len(engines)))
                done += rows
                on_progress(done, span.rows)
                _check_time(started, bounds, done, span.rows)
        unread = tuple(f"{item.path.name}: {item.reason}" for item in records.skipped)
    replayed = Replayed(prepared.zone_id, prepared.zone_name, stored, unread, time.monotonic() - started)
    new, present = (engine.result() for engine in engines)
    return make_report(replayed, new, present, prepared.names)


class _Engine:
    """One policy over records; the engine's side is loaded here, so that its import costs nobody else."""

    def __init__(self, bundle: PolicyBundle) -> None:
        from hoplon._native import Replay

        self._replay = Replay(bundle.manifest, dict(bundle.parts), UNCOMMITTED, examples=EXAMPLES)
        self.update = self._replay.update
        self.result = self._replay.result


@dataclass(frozen=True, slots=True)
class _Span:
    """The records that are replayed: so many, in a time range (None: there are none)."""

    rows: int
    since: datetime | None
    until: datetime | None


def _span(records: Records, max_records: int) -> tuple[int, _Span]:
    """How many are stored, and the span of the newest `max_records` of them."""
    sql = "SELECT count(*) AS stored, min(time) AS oldest, max(time) AS newest FROM records"
    row = records.connection.sql(sql).to_arrow_table().to_pylist()[0]
    stored, oldest, newest = row["stored"], row["oldest"], row["newest"]
    if stored <= max_records:
        return stored, _Span(stored, oldest, newest)
    cut = f"SELECT time AS oldest FROM records ORDER BY time DESC LIMIT 1 OFFSET {max_records - 1}"  # noqa: S608
    oldest = records.connection.sql(cut).to_arrow_table().to_pylist()[0]["oldest"]
    return stored, _Span(max_records, oldest, newest)


def _contents(records: Records, span: _Span) -> Iterator[tuple[bytes, int]]:
    """The records in order of time, as Arrow IPC streams, each with its number of rows."""
    if span.since is None or span.until is None:
        return
    written = [column.name for column in records.schema.tables["records"] if not column.derived]
    columns = ", ".join(quoted(name) for name in written if name not in _UNUSED)
    chunks = max(1, -(-span.rows // CHUNK_ROWS))
    step = (span.until - span.since) / chunks + timedelta(microseconds=1)
    for number in range(chunks):
        begin, end = (literal((span.since + step * index).isoformat()) for index in (number, number + 1))
        where = f"time >= TIMESTAMPTZ {begin} AND time < TIMESTAMPTZ {end}"
        sql = f"SELECT {columns} FROM records WHERE {where} ORDER BY time"  # noqa: S608 - columns of the schema
        for batch in records.connection.sql(sql).to_arrow_reader(BATCH_ROWS):
            yield _ipc(batch), batch.num_rows


def _ipc(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _check_time(started: float, bounds: ReplayBounds, done: int, total: int) -> None:
    if time.monotonic() - started > bounds.seconds and done < total:
        message = f"stopped after {bounds.seconds:g} s: {done:,} of {total:,} requests were replayed"
        raise HoplonError("replay.limit", message, "replay a shorter period: --since 1h")
