"""`hoplon records` and `hoplon operations` from the outside, over a real state directory."""

import csv
import io
import json
import subprocess
import sys
import threading
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("hoplon._native")

from hoplon.cli import COMMANDS
from hoplon.cli.errors import exit_code
from hoplon.cli.operations import operations
from hoplon.cli.records import records
from hoplon.errors import HoplonError
from hoplon.service.policy import create_first_zone
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage.records import Layout
from hoplon.storage.records.layout import open_segments, sealed_files
from hoplon.storage.records.schema import current_schema
from hoplon.storage.records.seal import Sealer
from support.records import SegmentWriter, Traffic, generate, segment_name

START = datetime.now(UTC) - timedelta(minutes=30)
SAVED = frozenset({("POST", "/login")})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """600 records of the zone `default`: 300 sealed, 200 in a closed segment, 100 in one that is being written."""
    root = tmp_path / "state"
    with open_workspace(root, create=True) as opened:
        workspace = Workspace(opened.state, opened.database, lambda manifest, parts: [])
        zone = create_first_zone(workspace, "http://127.0.0.1:9000")
    assert zone is not None
    layout = Layout.of_state(root)
    for number, rows in enumerate((300, 200, 100)):
        start = START + timedelta(minutes=10 * number)
        traffic = Traffic(rows, number, start, 500, zone.zone_id, saved=SAVED, sampled_share=0.3)
        writer = SegmentWriter(layout, segment_name(start, number))
        writer.write(generate(traffic))
        if number < 2:
            writer.close()
        if number == 0:
            Sealer(layout, current_schema()).seal(open_segments(layout)[0])
    return root


def run(command: Any, *arguments: str, state: Path) -> Result:
    return CliRunner().invoke(command, [*arguments, "--state", str(state)], catch_exceptions=True)


def answer(state: Path, sql: str, *options: str) -> list[dict[str, Any]]:
    result = run(records, "query", sql, "--json", *options, state=state)
    assert result.exit_code == 0, result.exception
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def refused(state: Path, *arguments: str) -> HoplonError:
    result = run(records, *arguments, state=state)
    assert isinstance(result.exception, HoplonError), result.output
    return result.exception


def test_a_query_sees_open_and_sealed_records_alike(state: Path) -> None:
    assert answer(state, "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM records") == [{"n": 600, "ids": 600}]


def test_a_query_prints_a_table_json_or_csv(state: Path) -> None:
    sql = "SELECT method, count(*) AS n, max(time) AS newest FROM records GROUP BY method ORDER BY n DESC, method"
    rows = answer(state, sql)
    assert rows[0]["method"] == "GET" and datetime.fromisoformat(rows[0]["newest"]).tzinfo is not None
    table = run(records, "query", sql, state=state).stdout.splitlines()
    assert table[0].split() == ["method", "n", "newest"] and len(table) == len(rows) + 1
    text = run(records, "query", sql, "--csv", state=state).stdout
    assert [row["n"] for row in csv.DictReader(io.StringIO(text))] == [str(row["n"]) for row in rows]


def test_no_rows_are_an_empty_list(state: Path) -> None:
    assert answer(state, "SELECT * FROM records WHERE false") == []


def test_a_query_can_be_narrowed_by_time_and_zone(state: Path) -> None:
    since = (START + timedelta(minutes=19)).isoformat()
    assert answer(state, "SELECT count(*) AS n FROM records", "--since", since, "--zone", "default") == [{"n": 100}]
    assert refused(state, "query", "SELECT 1", "--zone", "other").code == "zone.unknown"
    assert refused(state, "query", "SELECT 1", "--since", "yesterday").code == "usage"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
        "COPY records TO '/tmp/hoplon-test.csv'",
        "ATTACH '/tmp/hoplon-test.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "DROP VIEW records",
        "CREATE TABLE t AS SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT * FROM sql",
        "SELECT * FROM workspace",
    ],
)
def test_sql_reaches_nothing_but_the_records(state: Path, sql: str) -> None:
    error = refused(state, "query", sql)
    assert error.code == "records.query" and error.hint


def test_sql_cannot_reach_the_other_files_of_the_state_directory(state: Path) -> None:
    key = str(state / "keys" / "records.key")
    assert refused(state, "query", f"SELECT * FROM read_blob('{key}')").code == "records.query"  # noqa: S608


def test_a_wrong_column_lists_the_columns(state: Path) -> None:
    error = refused(state, "query", "SELECT statuz FROM records")
    assert "statuz" in error.message and error.hint is not None
    assert "columns of records: id, time, zone" in error.hint


def test_time_and_memory_are_limited(state: Path) -> None:
    endless = "SELECT count(*) FROM range(10000000000) a, range(10000) b WHERE a.range * b.range = 7"
    started = time.monotonic()
    error = refused(state, "query", endless, "--timeout", "0.5")
    assert (error.code, time.monotonic() - started < 10) == ("records.limit", True)
    greedy = "SELECT list(range) FROM range(100000000)"
    assert refused(state, "query", greedy, "--memory", "100MB").code == "records.limit"


def test_a_damaged_file_is_named_and_the_rest_is_read(state: Path) -> None:
    bad = sealed_files(Layout.of_state(state), ("records",))[0].path
    bad.write_bytes(b"rubbish")
    result = run(records, "query", "SELECT count(*) AS n FROM records", "--json", state=state)
    assert json.loads(result.stdout) == [{"n": 300}]
    assert str(bad) in result.stderr and "warning:" in result.stderr


def test_a_page_damaged_behind_an_intact_footer_is_an_error_that_names_the_file(state: Path) -> None:
    bad = sealed_files(Layout.of_state(state), ("records",))[0].path
    content = bytearray(bad.read_bytes())
    content[4:20000] = bytes(20000 - 4)
    bad.write_bytes(bytes(content))
    error = refused(state, "query", "SELECT * FROM records", "--json")
    assert error.code == "records.damaged" and bad.name in error.message


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_export_writes_every_row_in_order(state: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"out.{form}"
    result = run(records, "export", "--format", form, "-o", str(target), state=state)
    assert result.exit_code == 0 and "600 rows of records" in result.stderr
    if form == "parquet":
        times = [moment.isoformat() for moment in pq.read_table(target)["time"].to_pylist()]
    elif form == "jsonl":
        times = [json.loads(line)["time"] for line in target.read_text().splitlines()]
    else:
        times = [row["time"] for row in csv.DictReader(target.open())]
    assert len(times) == 600 and times == sorted(times)
    assert not list(tmp_path.glob(".*.part"))


def test_export_of_observations_keeps_lists(state: Path, tmp_path: Path) -> None:
    target = tmp_path / "observations.jsonl"
    run(records, "export", "--table", "observations", "--format", "jsonl", "-o", str(target), state=state)
    assert {tuple(json.loads(line)["formats"]) for line in target.read_text().splitlines()} == {("integer",)}


def test_show_gives_record_violations_and_observations(state: Path) -> None:
    (row,) = answer(
        state,
        "SELECT id FROM records WHERE rule IS NOT NULL AND id IN (SELECT record_id FROM observations) LIMIT 1",
    )
    detail = json.loads(run(records, "show", row["id"], "--json", state=state).stdout)
    assert detail["record"]["id"] == row["id"]
    assert [each["code"] for each in detail["violations"]] == ["operations.fallthrough"]
    assert len(detail["observations"]) == 2
    assert "operations.fallthrough" in run(records, "show", row["id"], state=state).stdout


def test_show_says_when_there_is_no_such_record(state: Path) -> None:
    assert refused(state, "show", "019cabd8-3800-7000-8000-000000000000").code == "records.unknown"
    assert refused(state, "show", "x").code == "usage"


def test_info_counts_what_is_stored(state: Path) -> None:
    found = json.loads(run(records, "info", "--json", state=state).stdout)
    kind = found["kinds"][0]
    assert (kind["kind"], kind["rows"], kind["open_segments"], kind["sealed_files"] > 0) == ("records", 600, 2, True)
    assert "records" in run(records, "info", state=state).stdout


def test_tail_shows_the_newest_first_lines_and_filters(state: Path) -> None:
    lines = run(records, "tail", "--no-follow", "-n", "250", state=state).stdout.splitlines()
    times = [json.loads(line)["time"] for line in lines]
    assert len(times) == 250 and times == sorted(times)
    only = run(records, "tail", "--no-follow", "-n", "50", "--status", "4xx", "--path", "/users/*", state=state).stdout
    rows = [json.loads(line) for line in only.splitlines()]
    assert rows and all(400 <= row["status"] < 500 and row["path"].startswith("/users/") for row in rows)
    assert run(records, "tail", "--no-follow", "--zone", "default", "--action", "block", state=state).stdout == ""
    assert refused(state, "tail", "--status", "many").code == "usage"


def test_tail_follows_also_through_sealing(state: Path) -> None:
    layout = Layout.of_state(state)
    command = [sys.executable, "-m", "hoplon", "records", "tail", "-n", "1", "--state", str(state)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    ) as process:
        try:
            assert process.stdout is not None
            seen: list[tuple[float, str]] = []
            stdout = process.stdout
            reader = threading.Thread(target=lambda: seen.extend((time.monotonic(), line) for line in stdout))
            reader.start()
            _wait_for(lambda: len(seen) == 1)
            writer = SegmentWriter(layout, segment_name(datetime.now(UTC), 7))
            first = generate(Traffic(rows=20, seed=70, start=datetime.now(UTC), seconds=1))
            written = time.monotonic()
            writer.write(first)
            _wait_for(lambda: len(seen) >= 21)
            assert seen[20][0] - written < 5.0  # 0.25 s on a machine that is not busy
            writer.write(generate(Traffic(rows=30, seed=71, start=datetime.now(UTC), seconds=1)))
            writer.close()
            Sealer(layout, current_schema()).seal(open_segments(layout)[-1])
            _wait_for(lambda: len(seen) >= 51)
            time.sleep(0.6)
            assert len({json.loads(line)["id"] for _, line in seen}) == len(seen) == 51
        finally:
            process.terminate()
            process.wait(10)
            reader.join(10)


def _wait_for(is_so: Any) -> None:
    deadline = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.02)


def test_operations_lists_seen_and_saved(state: Path) -> None:
    (zone,) = json.loads(run(operations, "--json", state=state).stdout)
    listed = {f"{each['method']} {each['path']}": each for each in zone["operations"]}
    assert "GET /users/{var1}" in listed and zone["requests"] == 600 and zone["unsuccessful"] > 0
    assert all(not each["is_saved"] for each in listed.values())
    table = run(operations, state=state).stdout
    assert "/orders/{var1}/items/{var2}" in table and "seen" in table
    assert json.loads(run(operations, "--saved", "--json", state=state).stdout)[0]["operations"] == []


def test_as_policy_prints_tables_that_parse_and_a_whole_policy_that_applies(state: Path, tmp_path: Path) -> None:
    printed = tomllib.loads(run(operations, "--as-policy", state=state).stdout)["operations"]["saved"]
    assert {"method": "GET", "host": "*", "path": "/users/{var1}"} in printed
    target = tmp_path / "policy.toml"
    assert run(operations, "--as-policy", "-o", str(target), state=state).exit_code == 0
    assert tomllib.loads(target.read_text())["operations"]["saved"] == sorted(
        printed, key=lambda each: (each["path"], each["method"])
    )
    few = tomllib.loads(run(operations, "--as-policy", "--min-sessions", "10000", state=state).stdout)
    assert few == {}


def test_every_error_has_a_documented_exit_code() -> None:
    assert exit_code(HoplonError("records.busy", "")) == 4
    assert {"records", "operations"} <= {command.name for command in COMMANDS}
