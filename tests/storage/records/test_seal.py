"""Sealing loses nothing and doubles nothing, wherever it is interrupted and whoever reads beside it."""

import multiprocessing
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("hoplon._native")

from hoplon.storage.records.compact import clean_up
from hoplon.storage.records.layout import KINDS, Layout, open_segments, sealed_files
from hoplon.storage.records.quarantine import quarantined
from hoplon.storage.records.reader import Selection, open_records
from hoplon.storage.records.schema import current_schema
from hoplon.storage.records.seal import Sealer
from hoplon.storage.records.stream import read_stream
from support.crash import Crash, crash_at
from support.records import START, ZONE, SegmentWriter, Traffic, generate, segment_name, write_segment

NAME = segment_name(START)
MIDNIGHT = START + timedelta(hours=24) - timedelta(seconds=300)


def ids(layout: Layout, kind: str = "records") -> list[str]:
    column = "id" if kind == "records" else "record_id"
    with open_records(layout, kinds=(kind,)) as records:
        assert not records.skipped
        return sorted(records.arrow(kind, (column,)).read_all()[column].to_pylist())


def sealer(layout: Layout, rename=Path.replace) -> Sealer:  # type: ignore[no-untyped-def]
    return Sealer(layout, current_schema(), rename=rename)


def two_days() -> dict[str, pa.Table]:
    """Traffic of two zones across midnight: several files of each kind."""
    parts = [
        generate(
            Traffic(
                rows=300, seed=seed, start=MIDNIGHT, zone=zone, saved=frozenset({("POST", "/login")}), sampled_share=0.2
            )
        )
        for seed, zone in ((1, ZONE), (2, ""))
    ]
    return {kind: pa.concat_tables([part[kind] for part in parts]) for kind in KINDS}


def test_a_sealed_segment_has_the_same_rows_by_zone_and_day(layout: Layout) -> None:
    tables = two_days()
    write_segment(layout, NAME, tables)
    before = {kind: ids(layout, kind) for kind in KINDS}
    report = sealer(layout).seal(open_segments(layout)[0])
    assert report is not None and report.rows == sum(table.num_rows for table in tables.values())
    assert open_segments(layout) == []
    assert {kind: ids(layout, kind) for kind in KINDS} == before
    found = sealed_files(layout, ("records",))
    assert {(file.zone, file.day.isoformat()) for file in found} == {
        (zone, day) for zone in (ZONE, "_") for day in ("2026-03-02", "2026-03-03")
    }
    for file in found:
        metadata = pq.read_metadata(file.path)
        assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_every_value_survives_sealing(layout: Layout) -> None:
    tables = generate(Traffic(rows=200, saved=frozenset({("GET", "/users/{var1}")})))
    write_segment(layout, NAME, tables)
    sealer(layout).seal(open_segments(layout)[0])
    with open_records(layout) as records:
        stored = records.arrow("records").read_all().sort_by("id")
    written = tables["records"].sort_by("id")
    assert stored.select(written.column_names).to_pylist() == written.to_pylist()


def test_a_segment_that_a_gateway_still_writes_is_left_alone(layout: Layout) -> None:
    writer = SegmentWriter(layout, NAME)
    writer.write(generate(Traffic(rows=50)))
    assert sealer(layout).seal(open_segments(layout)[0]) is None
    assert len(ids(layout)) == 50
    writer.die()
    assert sealer(layout).seal(open_segments(layout)[0]) is not None
    assert len(ids(layout)) == 50


def _count_renames(tmp_path: Path) -> int:
    layout = Layout.of_state(tmp_path / "count")
    write_segment(layout, NAME, two_days())
    calls: list[Path] = []

    def count(source: Path, target: Path) -> None:
        calls.append(target)
        source.replace(target)

    sealer(layout, count).seal(open_segments(layout)[0])
    return len(calls)


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_rename_loses_and_doubles_nothing(tmp_path: Path, after: bool) -> None:
    renames = _count_renames(tmp_path)
    assert renames > 8
    for step in range(renames):
        layout = Layout.of_state(tmp_path / f"step{step}")
        write_segment(layout, NAME, two_days())
        before = {kind: ids(layout, kind) for kind in KINDS}
        with pytest.raises(Crash):
            sealer(layout, crash_at(step, after=after)).seal(open_segments(layout)[0])
        assert {kind: ids(layout, kind) for kind in KINDS} == before, f"after a crash at rename {step}"
        clean_up(layout)
        for segment in open_segments(layout):
            sealer(layout).seal(segment)
        assert {kind: ids(layout, kind) for kind in KINDS} == before, f"repaired after rename {step}"
        assert open_segments(layout) == []


def _seal_and_die(root: Path, step: int) -> None:
    left = [step]

    def die(source: Path, target: Path) -> None:
        source.replace(target)
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), 9)

    layout = Layout(root)
    sealer(layout, die).seal(open_segments(layout)[0])


@pytest.mark.parametrize("step", [0, 3, 7])
def test_kill_9_while_sealing_loses_and_doubles_nothing(layout: Layout, step: int) -> None:
    write_segment(layout, NAME, two_days())
    before = ids(layout)
    process = multiprocessing.get_context("spawn").Process(target=_seal_and_die, args=(layout.root, step))
    process.start()
    process.join(30)
    assert process.exitcode == -9
    assert ids(layout) == before
    sealer(layout).seal(open_segments(layout)[0])
    assert ids(layout) == before


def test_a_killed_gateway_leaves_all_but_its_last_batch(layout: Layout) -> None:
    tables = generate(Traffic(rows=400, sampled_share=0.5))
    for cut in (1, 7, 100, 3000):
        name = segment_name(START, cut)
        path = write_segment(layout, name, tables, batch_rows=100) / "records.arrows"
        content = path.read_bytes()[:-8]
        path.write_bytes(content[:-cut])
        whole = read_stream(path).table
        assert whole is not None and whole.num_rows == 300
        report = sealer(layout).seal(open_segments(layout)[-1])
        assert report is not None and report.torn_bytes > 0 and report.damage == ()
        assert len(ids(layout)) == 300
        for file in sealed_files(layout):
            file.path.unlink()


def test_a_damaged_stream_keeps_its_good_part_and_goes_to_quarantine(layout: Layout) -> None:
    path = write_segment(layout, NAME, generate(Traffic(rows=400)), batch_rows=100) / "records.arrows"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = os.urandom(len(content) - len(content) // 2)
    path.write_bytes(bytes(content))
    report = sealer(layout).seal(open_segments(layout)[0])
    assert report is not None and len(report.damage) == 1
    assert 100 <= len(ids(layout)) < 400
    (aside,) = quarantined(layout)
    assert "records:" in aside.reason
    assert (aside.path / "records.arrows").read_bytes() == bytes(content)


def test_an_empty_segment_vanishes(layout: Layout) -> None:
    (layout.open / NAME).mkdir()
    report = sealer(layout).seal(open_segments(layout)[0])
    assert report is not None and report.rows == 0
    assert open_segments(layout) == [] and sealed_files(layout) == []


def test_a_full_disk_leaves_the_segment_open(layout: Layout) -> None:
    write_segment(layout, NAME, generate(Traffic(rows=50)))

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        sealer(layout, full).seal(open_segments(layout)[0])
    assert len(ids(layout)) == 50


def test_readers_beside_the_sealer_always_see_every_row_once(layout: Layout) -> None:
    rows, segments = 200, 12
    for number in range(segments):
        write_segment(layout, segment_name(START, number), generate(Traffic(rows=rows, seed=number)))
    stop = threading.Event()
    seen: list[tuple[int, int]] = []
    failures: list[Exception] = []

    def read() -> None:
        try:
            while not stop.is_set():
                found = ids(layout)
                seen.append((len(found), len(set(found))))
        except Exception as error:  # noqa: BLE001 - handed to the main thread
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for segment in open_segments(layout):
            assert sealer(layout).seal(segment) is not None
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert failures == []
    assert set(seen) == {(rows * segments, rows * segments)}


def _seal_everything(root: Path) -> None:
    layout = Layout(root)
    for segment in open_segments(layout):
        sealer(layout).seal(segment)


def test_readers_beside_a_sealing_process_always_see_every_row_once(layout: Layout) -> None:
    for number in range(8):
        write_segment(layout, segment_name(START, number), generate(Traffic(rows=200, seed=number)))
    process = multiprocessing.get_context("spawn").Process(target=_seal_everything, args=(layout.root,))
    process.start()
    counts = set()
    while process.is_alive():
        counts.add(len(ids(layout)))
    process.join()
    assert process.exitcode == 0
    assert counts <= {1600} and len(ids(layout)) == 1600
    assert open_segments(layout) == []


def test_selection_by_zone_and_time_is_the_same_open_and_sealed(layout: Layout) -> None:
    write_segment(layout, NAME, two_days())
    since = datetime(2026, 3, 3, tzinfo=UTC)
    selections = [
        Selection((ZONE,)),
        Selection(since=since),
        Selection((ZONE,), since, since + timedelta(seconds=60)),
        Selection(()),
    ]

    def counts() -> list[int]:
        found = []
        for selection in selections:
            with open_records(layout, selection) as records:
                found.append(records.connection.execute("SELECT count(*) FROM records").fetchall()[0][0])
        return found

    before = counts()
    assert 0 < before[2] < before[1] < 600 and before[0] == 300 and before[3] == 0
    sealer(layout).seal(open_segments(layout)[0])
    assert counts() == before
