"""Compaction, retention and quarantine: fewer files, the same rows; the oldest go first; damage stays alone."""

from datetime import date, timedelta
from pathlib import Path

import pytest

pytest.importorskip("hoplon._native")

from hoplon.storage.records.compact import Compactor, clean_up
from hoplon.storage.records.layout import KINDS, Layout, open_segments, sealed_files
from hoplon.storage.records.reader import open_records
from hoplon.storage.records.retain import Limits, retain
from hoplon.storage.records.schema import current_schema
from hoplon.storage.records.seal import Sealer
from support.crash import Crash, crash_at
from support.records import START, Traffic, generate, segment_name, write_segment

TODAY = date(2026, 3, 3)


def fill(layout: Layout, segments: int, days: int = 1, rows: int = 100) -> None:
    for day in range(days):
        for number in range(segments):
            start = START + timedelta(days=day, minutes=10 * number)
            write_segment(
                layout,
                segment_name(start, number),
                generate(Traffic(rows=rows, seed=day * 100 + number, start=start, sampled_share=0.3)),
            )
    for segment in open_segments(layout):
        Sealer(layout, current_schema()).seal(segment)


def ids(layout: Layout, kind: str = "records") -> list[str]:
    column = "id" if kind == "records" else "record_id"
    with open_records(layout) as records:
        return sorted(records.arrow(kind, (column,)).read_all()[column].to_pylist())


def compact(layout: Layout, rename=Path.replace) -> None:  # type: ignore[no-untyped-def]
    compactor = Compactor(layout, current_schema(), rename=rename)
    for group in list(compactor.candidates(TODAY)):
        compactor.compact(group)


def test_a_past_day_becomes_one_file_of_each_kind_with_the_same_rows(layout: Layout) -> None:
    fill(layout, segments=5)
    before = {kind: ids(layout, kind) for kind in KINDS}
    compact(layout)
    assert {kind: ids(layout, kind) for kind in KINDS} == before
    assert [(file.kind, file.generation) for file in sealed_files(layout)] == [("observations", 1), ("records", 1)]
    assert not list(layout.sealed.rglob("*.replaces.json"))


def test_today_is_not_compacted_and_a_second_run_does_nothing(layout: Layout) -> None:
    fill(layout, segments=3)
    compactor = Compactor(layout, current_schema())
    assert list(compactor.candidates(date(2026, 3, 2))) == []
    compact(layout)
    assert list(compactor.candidates(TODAY)) == []


def test_a_late_segment_is_merged_into_what_was_merged(layout: Layout) -> None:
    fill(layout, segments=3)
    compact(layout)
    write_segment(layout, "00000000-0000-7000-8000-000000000000", generate(Traffic(rows=100, seed=99)))
    Sealer(layout, current_schema()).seal(open_segments(layout)[0])
    before = ids(layout)
    assert len(before) == 400
    compact(layout)
    assert ids(layout) == before
    assert {file.generation for file in sealed_files(layout, ("records",))} == {2}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_crash_at_any_rename_of_a_compaction_loses_and_doubles_nothing(
    layout: Layout, step: int, after: bool
) -> None:
    fill(layout, segments=3)
    before = {kind: ids(layout, kind) for kind in KINDS}
    with pytest.raises(Crash):
        compact(layout, crash_at(step, after=after))
    assert {kind: ids(layout, kind) for kind in KINDS} == before
    clean_up(layout)
    compact(layout)
    assert {kind: ids(layout, kind) for kind in KINDS} == before
    assert {file.generation for file in sealed_files(layout)} == {1}


def test_retention_by_age_deletes_whole_days_that_are_too_old(layout: Layout) -> None:
    fill(layout, segments=1, days=4)
    gone = retain(layout, Limits(2 * 86400, 2**40), START + timedelta(days=4, hours=1))
    assert {file.day for file in gone} == {date(2026, 3, 2), date(2026, 3, 3)}
    assert {file.day for file in sealed_files(layout)} == {date(2026, 3, 4), date(2026, 3, 5)}
    assert [path.name for path in layout.sealed.glob("zone=*/day=*")] and not list(
        layout.sealed.glob("zone=*/day=2026-03-02")
    )


def test_retention_by_bytes_deletes_the_oldest_segments_with_all_their_kinds(layout: Layout) -> None:
    fill(layout, segments=4)
    files = sealed_files(layout)
    limit = sum(file.size_bytes for file in files) - 1
    gone = retain(layout, Limits(10 * 86400, limit), START + timedelta(hours=5))
    assert {file.segment for file in gone} == {files[0].segment}
    assert {file.kind for file in gone} == {file.kind for file in files if file.segment == files[0].segment}
    assert len(ids(layout)) == 300


def test_open_segments_count_against_the_bytes_but_are_never_deleted(layout: Layout) -> None:
    fill(layout, segments=2)
    write_segment(layout, segment_name(START + timedelta(days=1)), generate(Traffic(rows=100, seed=50)))
    retain(layout, Limits(10 * 86400, 1), START + timedelta(hours=5))
    assert sealed_files(layout) == [] and len(ids(layout)) == 100


def test_a_corrupt_file_is_skipped_and_named(layout: Layout) -> None:
    fill(layout, segments=2)
    bad = sealed_files(layout, ("records",))[0].path
    bad.write_bytes(b"PAR1 this is not Parquet PAR1")
    with open_records(layout) as records:
        assert records.connection.execute("SELECT count(*) FROM records").fetchall() == [(100,)]
        assert [item.path for item in records.skipped] == [bad]
