"""Traffic records over the API: one SELECT, bounded; one request by its id."""

import uuid
from typing import Any

import pytest

from hoplon.api.hoplon_v1 import records
from hoplon.storage.records.query import QueryLimits
from support.api_server import Client

QUERY = "/hoplon/v1/records/query"


def test_a_select_gives_columns_and_rows(client: Client) -> None:
    rows = client.ask("POST", QUERY, {"sql": "SELECT 1 AS one, TIMESTAMP '2026-03-02 10:00' AS at, 'x'::BLOB AS raw"})
    assert rows.result == {
        "columns": ["one", "at", "raw"],
        "rows": [{"one": 1, "at": "2026-03-02T10:00:00", "raw": "78"}],
        "is_complete": True,
        "skipped": [],
    }


def test_more_rows_than_asked_for_are_left_out_and_it_says_so(client: Client) -> None:
    answer = client.ask("POST", QUERY, {"sql": "SELECT * FROM range(100)", "limit": 3}).result
    assert (len(answer["rows"]), answer["is_complete"]) == (3, False)
    exact = client.ask("POST", QUERY, {"sql": "SELECT * FROM range(3)", "limit": 3}).result
    assert (len(exact["rows"]), exact["is_complete"]) == (3, True)


def test_what_no_json_number_is_becomes_null(client: Client) -> None:
    answer = client.ask("POST", QUERY, {"sql": "SELECT 'NaN'::DOUBLE AS a, 'inf'::DOUBLE AS b"}).result
    assert answer["rows"] == [{"a": None, "b": None}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sql": "DELETE FROM records"}, 11501),
        ({"sql": "SELECT 1; SELECT 2"}, 11501),
        ({"sql": "SELECT nothing FROM records"}, 11501),
        ({"sql": "SELECT * FROM read_text('/etc/passwd')"}, 11501),
        ({"sql": "SELECT * FROM test_all_types()"}, 11501),
        ({"sql": "SELECT 1", "since": "yesterday"}, 11506),
        ({"sql": "SELECT 1", "zone_id": "f" * 32}, 11011),
        ({"sql": ""}, 10404),
        ({"sql": "SELECT 1", "limit": 10**6}, 10404),
        ({"sql": "SELECT 1", "memory": 1}, 10404),
        ({}, 10404),
    ],
)
def test_what_cannot_be_asked_is_refused(client: Client, body: Any, code: int) -> None:
    assert client.ask("POST", QUERY, body).error["code"] == code


def test_a_query_that_takes_too_long_is_stopped(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_LIMITS", QueryLimits(seconds=0.2, memory_bytes=256 * 1024**2))
    sql = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"
    assert client.ask("POST", QUERY, {"sql": sql}).error["code"] == 11502


def test_an_answer_that_would_take_all_memory_is_not_made(client: Client) -> None:
    many = client.ask("POST", QUERY, {"sql": "SELECT repeat('x', 100000) AS a FROM range(2000)", "limit": 2000})
    assert many.error["code"] == 11502
    assert client.ask("POST", QUERY, {"sql": "SELECT repeat('x', 1000000) AS a FROM range(20)"}).status == 200


def test_a_value_too_large_for_any_limit_of_the_database_ends_the_query_alone(client: Client) -> None:
    huge = client.ask("POST", QUERY, {"sql": "SELECT length(repeat('a', 2000000000) || repeat('b', 2000000000)) AS n"})
    assert huge.error["code"] == 11502
    assert client.ask("POST", QUERY, {"sql": "SELECT 1 AS one"}).result["rows"] == [{"one": 1}]


def test_an_unknown_request_and_what_is_no_id_are_told_apart(client: Client) -> None:
    assert client.get(f"/hoplon/v1/records/{uuid.uuid4()}").error["code"] == 11503
    assert client.get("/hoplon/v1/records/nonsense").error["code"] == 11506
