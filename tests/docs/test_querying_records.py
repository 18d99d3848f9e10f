"""Every query in docs/querying-records.md runs and answers."""

import re
from pathlib import Path

import pytest

pytest.importorskip("hoplon._native")

from hoplon.storage.records import Layout
from hoplon.storage.records.query import run_query
from support.records import START, Traffic, generate, segment_name, write_segment

PAGE = Path(__file__).parents[2] / "docs" / "querying-records.md"
QUERIES = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    found = Layout.of_state(tmp_path_factory.mktemp("state"))
    write_segment(found, segment_name(START), generate(Traffic(rows=500, saved=frozenset({("POST", "/login")}))))
    return found


@pytest.mark.parametrize("sql", QUERIES, ids=lambda sql: sql.split("\n")[0][:40])
def test_the_query_answers(layout: Layout, sql: str) -> None:
    with run_query(layout, sql) as answer:
        assert answer.batches.read_all().num_rows > 0


def test_there_are_queries() -> None:
    assert len(QUERIES) >= 8
