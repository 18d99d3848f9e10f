"""A figure that was missed is published as missed, and a document without a place for figures is not left unchanged."""

from pathlib import Path

import pytest

from bench.report import Figures, lines, publish


def _results(ours: float) -> Figures:
    burst = {"cpu_seconds_per_100k": 1.0, "core_used_by_others": 0.1}
    rows = {"nginx": 100_000.0, "envoy": 40_000.0, "hoplon": ours}
    throughput = {name: [burst | {"requests_per_second": rate}] for name, rate in rows.items()}
    machine = {"cpu": "a processor", "cores": "2", "kernel": "6.1"}
    run = {"time": "2026-01-01T00:00:00+00:00", "machine": machine, "seconds": 6, "rounds": 1}
    return run | {"rows": {"throughput": throughput}, "errors": {}}


@pytest.mark.parametrize(
    ("ours", "reached"), [(81_000.0, [True, True]), (79_000.0, [False, True]), (1.0, [False, False])]
)
def test_each_target_is_judged_by_its_own_ratio(ours: float, reached: list[bool]) -> None:
    assert [line.is_reached for line in lines(_results(ours))] == reached


def test_figures_replace_only_what_is_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- generated: reached -->\nold\n<!-- end -->\nafter\n")
    publish(_results(81_000.0), [page])
    publish(_results(1.0), [page])
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "old" not in text and "| no |" in text and "| yes |" not in text


def test_a_document_without_marks_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no place here")
    with pytest.raises(ValueError, match="no mark"):
        publish(_results(1.0), [page])
