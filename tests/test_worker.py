"""The worker seals, keeps house, goes on after anything that is bad, and stops when told."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("hoplon._native")

from hoplon.cli.worker import worker_command
from hoplon.settings.fields import JwksSettings, RecordsSettings
from hoplon.storage.records.layout import Layout, open_segments, sealed_files
from hoplon.storage.records.lock import reading
from hoplon.storage.records.quarantine import quarantined
from hoplon.storage.records.reader import open_records
from hoplon.storage.records.retain import Limits
from hoplon.storage.state import StateDirectory, create_state
from hoplon.worker import CYCLE_SECONDS, CYCLES_PER_HOUSEKEEPING, LONGEST_PAUSE_SECONDS, Worker
from support.records import START, SegmentWriter, Traffic, generate, segment_name, write_segment

FOREVER = Limits(1e9, 2**50)
TOMORROW = START + timedelta(days=1, hours=1)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return create_state(tmp_path / "state")


@pytest.fixture
def layout(state: StateDirectory) -> Layout:
    return Layout.of_state(state.root)


def worker(state: StateDirectory, limits: Limits = FOREVER, now: datetime = TOMORROW) -> Worker:
    return Worker(state, limits, now=lambda: now)


def rows(layout: Layout) -> int:
    with open_records(layout) as records:
        found: int = records.connection.execute("SELECT count(DISTINCT id) FROM records").fetchall()[0][0]
        return found


def fill(layout: Layout, segments: int, each: int = 50) -> None:
    for number in range(segments):
        write_segment(layout, segment_name(START, number), generate(Traffic(rows=each, seed=number)))


def test_a_cycle_seals_and_compacts_what_is_finished(state: StateDirectory, layout: Layout) -> None:
    fill(layout, 3)
    living = SegmentWriter(layout, segment_name(START, 9))
    working = worker(state)
    working.cycle()
    assert [segment.path for segment in open_segments(layout)] == [living.path]
    assert len(sealed_files(layout, ("records",))) == 1
    assert (working.tally.segments_sealed, rows(layout)) == (3, 150)
    living.die()


def test_one_bad_segment_goes_to_quarantine_and_the_others_are_sealed(state: StateDirectory, layout: Layout) -> None:
    fill(layout, 3)
    (layout.open / segment_name(START, 1) / "records.arrows").write_bytes(
        b"\xff\xff\xff\xff\x10\0\0\0rubbishrubbish!!" * 9
    )
    working = worker(state)
    working.cycle()
    assert open_segments(layout) == [] and rows(layout) == 100
    assert len(quarantined(layout)) == 1
    assert any("quarantine" in problem["message"] for problem in working.tally.problems)
    assert working.pause_seconds() == CYCLE_SECONDS


def test_columns_that_cannot_become_current_go_to_quarantine(state: StateDirectory, layout: Layout) -> None:
    tables = generate(Traffic(rows=5))
    status = tables["records"].column_names.index("status")
    tables["records"] = tables["records"].set_column(status, "status", [["many"] * 5])
    write_segment(layout, segment_name(START), tables)
    worker(state).cycle()
    assert open_segments(layout) == [] and "cannot be sealed" in quarantined(layout)[0].reason


def test_a_corrupt_sealed_file_goes_to_quarantine_and_is_said(state: StateDirectory, layout: Layout) -> None:
    fill(layout, 2)
    worker(state, now=START).cycle()
    sealed_files(layout, ("records",))[0].path.write_bytes(b"rubbish")
    working = worker(state, now=START)
    working.cycle()
    assert rows(layout) == 50 and "not a Parquet file" in quarantined(layout)[0].reason
    status = working.status()
    assert isinstance(status["quarantine"], list) and "not a Parquet file" in status["quarantine"][0]["reason"]


def test_a_full_disk_makes_it_pause_longer_and_recover(
    state: StateDirectory, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(layout, 2)
    with monkeypatch.context() as broken:
        broken.setattr("hoplon.storage.records.seal.write_parquet", _no_space)
        working = worker(state)
        pauses = []
        for _ in range(8):
            working.cycle()
            pauses.append(working.pause_seconds())
    assert pauses == sorted(pauses) and pauses[0] > CYCLE_SECONDS and pauses[-1] == LONGEST_PAUSE_SECONDS
    assert rows(layout) == 100
    working.cycle()
    assert open_segments(layout) == [] and rows(layout) == 100
    assert working.pause_seconds() == CYCLE_SECONDS


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_retention_runs(state: StateDirectory, layout: Layout) -> None:
    fill(layout, 1)
    working = worker(state, Limits(86400, 2**50), now=START + timedelta(days=3))
    working.cycle()
    assert rows(layout) == 0 and working.tally.files_deleted > 0


def test_a_clock_that_jumps_deletes_nothing_by_age(state: StateDirectory, layout: Layout) -> None:
    fill(layout, 1)
    now, monotonic = START, 0.0
    working = Worker(state, Limits(86400, 2**50), now=lambda: now, monotonic=lambda: monotonic)
    working.cycle()
    now += timedelta(days=30)
    for _ in range(2 * CYCLES_PER_HOUSEKEEPING):
        monotonic += CYCLE_SECONDS
        working.cycle()
    assert rows(layout) == 50
    now, monotonic = now + timedelta(hours=1), monotonic + 3600
    for _ in range(CYCLES_PER_HOUSEKEEPING):
        working.cycle()
    assert rows(layout) == 0, "an hour later the new time is believed"


def test_a_log_that_cannot_be_written_does_not_end_it(
    state: StateDirectory, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(layout, 1)
    monkeypatch.setattr("hoplon.storage.records.seal.write_parquet", _no_space)
    monkeypatch.setattr("sys.stdout", SimpleNamespace(write=len, flush=_no_space))
    working = worker(state)
    working.cycle()
    assert working.tally.failures_in_a_row == 1


def test_quarantine_is_kept_as_long_as_records(state: StateDirectory, layout: Layout) -> None:
    fill(layout, 1)
    worker(state, now=START).cycle()
    sealed_files(layout, ("records",))[0].path.write_bytes(b"rubbish")
    worker(state, now=START).cycle()
    assert len(quarantined(layout)) == 1
    worker(state, Limits(86400, 2**50), now=datetime.now(UTC) + timedelta(days=2)).cycle()
    assert quarantined(layout) == [] and not any(layout.quarantine.iterdir())


def test_it_waits_for_readers_and_goes_on(state: StateDirectory, layout: Layout) -> None:
    fill(layout, 1)
    working = worker(state)
    thread = threading.Thread(target=working.cycle)
    with reading(layout):
        thread.start()
        time.sleep(0.3)
        assert len(open_segments(layout)) == 1
    thread.join(10)
    assert open_segments(layout) == []


def test_as_a_process_it_says_how_it_goes_and_stops_on_sigterm(state: StateDirectory, layout: Layout) -> None:
    fill(layout, 2)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = worker_command(state.root, RecordsSettings(), JwksSettings())
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            status = _status_when(state, lambda found: found["pid"] == process.pid and found["sealed"]["segments"] == 2)
            assert datetime.fromisoformat(status["time"]) <= datetime.now(UTC) + timedelta(seconds=1)
            second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
            assert second.returncode == 4
            assert "already running" in second.stderr and "hint:" in second.stderr
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def _status_when(state: StateDirectory, is_so) -> dict:  # type: ignore[no-untyped-def, type-arg]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if state.status("worker").exists():
            found: dict = json.loads(state.status("worker").read_bytes())  # type: ignore[type-arg]
            if is_so(found):
                return found
        time.sleep(0.05)
    raise AssertionError("the worker did not say so in time")
