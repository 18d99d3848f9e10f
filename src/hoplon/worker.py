"""The worker: takes a state directory, seals segments, compacts past days, retains; writes run/worker.status.json.

One bad segment never stops it: what cannot be read goes to quarantine, what the disk or a reader refuses is tried again
with growing pauses. `python -m hoplon.worker STATE SECONDS BYTES [NETWORKS [CA]]`; SIGTERM or SIGINT ends it within a
step. A thread beside it fetches the key sets of token configurations.
"""

import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hoplon.errors import HoplonError
from hoplon.service.jwks.watch import Servers, start_watching
from hoplon.storage.files import replace_file
from hoplon.storage.locks import holding_part
from hoplon.storage.records.compact import Compactor, clean_up
from hoplon.storage.records.layout import Layout, OpenSegment, SealedFile, open_segments, sealed_files, utc_day
from hoplon.storage.records.lock import RecordsBusyError, changing
from hoplon.storage.records.quarantine import quarantine, quarantined
from hoplon.storage.records.retain import Limits, TrustedClock, expire_quarantine, retain
from hoplon.storage.records.schema import RecordSchema, current_schema
from hoplon.storage.records.seal import Sealer
from hoplon.storage.state import StateDirectory, create_state

CYCLE_SECONDS = 2.0
CYCLES_PER_HOUSEKEEPING = 15
"""Segments are sealed every cycle; looking at every sealed file is worth it twice a minute."""
LONGEST_PAUSE_SECONDS = 60.0
KEPT_PROBLEMS = 20


Step = tuple[str, Callable[[], None]]
"""What a step is called in a problem, and the step."""


@dataclass(slots=True)
class Tally:
    """What this worker has done since it started."""

    segments_sealed: int = 0
    rows_sealed: int = 0
    torn_bytes: int = 0
    files_compacted: int = 0
    files_deleted: int = 0
    quarantined: int = 0
    problems: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT_PROBLEMS))
    failures_in_a_row: int = 0


class Worker:
    """One cycle after the other over one state directory."""

    def __init__(
        self,
        state: StateDirectory,
        limits: Limits,
        schema: RecordSchema | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._layout = Layout.of_state(state.root)
        self._limits = limits
        self._now, self._monotonic = now, monotonic
        self._clock = TrustedClock(now(), monotonic())
        schema = schema or current_schema()
        self._sealer = Sealer(self._layout, schema)
        self._compactor = Compactor(self._layout, schema)
        self._started_at = now()
        self._checked: set[tuple[Path, int]] = set()
        self._cycles = 0
        self.tally = Tally()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Never raises for what records or the disk do."""
        self._layout.open.mkdir(parents=True, exist_ok=True)
        with self._noting("clean up"):
            clean_up(self._layout)
        self.write_status()
        while not stop.is_set():
            self.cycle(stop)
            self.write_status()
            stop.wait(self.pause_seconds())

    def cycle(self, stop: threading.Event | None = None) -> None:
        """Seal what can be sealed; now and then also check, compact and retain."""
        failures = self.tally.failures_in_a_row
        is_housekeeping = self._cycles % CYCLES_PER_HOUSEKEEPING == 0
        self._cycles += 1
        for name, step in chain(self._seal_steps(), self._housekeeping() if is_housekeeping else ()):
            if stop is not None and stop.is_set():
                return
            with self._noting(name):
                step()
        if self.tally.failures_in_a_row == failures:
            self.tally.failures_in_a_row = 0

    def pause_seconds(self) -> float:
        """How long to rest: doubled with every failure in a row, at most a minute."""
        return min(LONGEST_PAUSE_SECONDS, CYCLE_SECONDS * 2.0 ** min(self.tally.failures_in_a_row, 10))

    def _seal_steps(self) -> Iterator[Step]:
        for segment in open_segments(self._layout):
            yield "seal", partial(self._seal, segment)

    def _housekeeping(self) -> Iterator[Step]:
        yield "check", self._check_files
        for group in self._compactor.candidates(utc_day(self._now())):
            yield "compact", partial(self._compact, group)
        yield "retain", self._retain

    def _seal(self, segment: OpenSegment) -> None:
        try:
            report = self._sealer.seal(segment)
        except (pa.ArrowException, ValueError) as error:
            self._put_aside(segment.path, f"cannot be sealed: {error}")
            return
        if report is None:
            return
        self.tally.segments_sealed += 1
        self.tally.rows_sealed += report.rows
        self.tally.torn_bytes += report.torn_bytes
        if report.damage:
            self.tally.quarantined += 1
            self.say("seal", f"{segment.name} is damaged, its original is in quarantine: {report.damage[0]}")

    def _check_files(self) -> None:
        """Look once at the footer of every sealed file; what is no Parquet file goes to quarantine."""
        files = {(file.path, file.size_bytes): file for file in sealed_files(self._layout)}
        for key in files.keys() - self._checked:
            try:
                pq.read_metadata(files[key].path)
            except FileNotFoundError:
                continue
            except (pa.ArrowException, OSError, ValueError) as error:
                self._put_aside(files[key].path, f"not a Parquet file: {error}")
        self._checked = set(files)

    def _compact(self, group: list[SealedFile]) -> None:
        self._compactor.compact(group)
        self.tally.files_compacted += len(group)

    def _retain(self) -> None:
        now = self._clock.read(self._now(), self._monotonic())
        self.tally.files_deleted += len(retain(self._layout, self._limits, now))
        if now is not None:
            expire_quarantine(self._layout, self._limits, now)

    def _put_aside(self, path: Path, reason: str) -> None:
        with changing(self._layout):
            if not path.exists():
                return
            place = quarantine(self._layout, path, reason)
        self.tally.quarantined += 1
        self.say("quarantine", f"{path} moved to {place}: {reason}")

    @contextmanager
    def _noting(self, step: str) -> Iterator[None]:
        """Whatever goes wrong in a step is said and counted; the next step still runs."""
        try:
            yield
        except (OSError, pa.ArrowException, ValueError, MemoryError, HoplonError) as error:
            self.tally.failures_in_a_row += 1
            busy = isinstance(error, RecordsBusyError)
            self.say(step, str(error) if busy else f"{type(error).__name__}: {error}")

    def say(self, step: str, message: str) -> None:
        """Note a problem, in the status and in the log."""
        moment = self._now().isoformat(timespec="seconds")
        self.tally.problems.append({"time": moment, "step": step, "message": message})
        line = json.dumps({"time": moment, "level": "error", "part": "worker", "step": step, "message": message})
        # The log may lie on the disk that is full: what is said there is not worth the worker's life.
        with suppress(OSError):
            print(line, flush=True)

    def status(self) -> dict[str, object]:
        """What `run/worker.status.json` says."""
        segments = open_segments(self._layout)
        return {
            "pid": os.getpid(),
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "time": self._now().isoformat(timespec="seconds"),
            "open": {"segments": len(segments), "bytes": sum(segment.size_bytes() for segment in segments)},
            "sealed": {"segments": self.tally.segments_sealed, "rows": self.tally.rows_sealed},
            "torn_bytes": self.tally.torn_bytes,
            "compacted_files": self.tally.files_compacted,
            "deleted_files": self.tally.files_deleted,
            "quarantine": [{"path": str(item.path), "reason": item.reason} for item in quarantined(self._layout)],
            "problems": list(self.tally.problems),
            "failures_in_a_row": self.tally.failures_in_a_row,
            "pause_seconds": self.pause_seconds(),
        }

    def write_status(self) -> None:
        """Replace the status file; a full disk must not end the worker."""
        try:
            replace_file(self._state.status("worker"), json.dumps(self.status(), indent=2).encode() + b"\n")
        except OSError as error:
            self.say("status", f"{type(error).__name__}: {error}")


def run_worker(state: StateDirectory, limits: Limits, servers: Servers = Servers()) -> None:  # noqa: B008 - frozen
    """Hold the worker's lock and work until SIGTERM or SIGINT. Raises `part.in_use` beside another worker."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with holding_part(state, "worker"):
        worker = Worker(state, limits)
        start_watching(state, servers, worker.say, stop)
        worker.run(stop)


def main(arguments: list[str]) -> int:
    """`python -m hoplon.worker STATE SECONDS BYTES [NETWORKS [CA]]`: the exit code (4: another worker runs, 1: it
    cannot start). NETWORKS, joined by commas, and CA are for fetching key sets."""
    try:
        state, seconds, size_bytes, *more = arguments
        networks, ca_file = [*more, "", ""][:2]
        servers = Servers(networks.split(",") if networks else (), Path(ca_file) if ca_file else None)
        run_worker(create_state(Path(state)), Limits(float(seconds), int(size_bytes)), servers)
    except HoplonError as error:
        print(f"error: {error.message}", f"hint: {error.hint}", sep="\n", file=sys.stderr)
        return 4 if error.code == "part.in_use" else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
