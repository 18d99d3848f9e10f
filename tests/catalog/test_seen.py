"""Seen operations from records: who counts, what is kept apart, and the figures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import duckdb
import pytest

pytest.importorskip("hoplon._native")

from hoplon.catalog import Catalogue, SavedTemplate, seen_operations
from hoplon.storage.records.schema import conform, current_schema
from support.records import START, Traffic, generate, table_of


@dataclass(frozen=True)
class Hit:
    method: str
    path: str
    status: int = 200
    session: str = "a"
    duration_us: int = 1000
    action: str = "allow"
    operation_path: str | None = None
    host: str = "api.example.com"
    client: str = "c"
    session_verified: bool = False


@contextmanager
def records_of(hits: Sequence[Hit]) -> Iterator[duckdb.DuckDBPyConnection]:
    columns = {name: [getattr(hit, name) for hit in hits] for name in Hit.__dataclass_fields__}
    columns["time"] = [START + timedelta(seconds=number) for number in range(len(hits))]
    table = conform(table_of(current_schema(), "records", columns), "records", current_schema())
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        connection.register("records", table)
        yield connection


def seen(hits: Sequence[Hit], saved: Sequence[SavedTemplate] = ()) -> Catalogue:
    with records_of(hits) as connection:
        return seen_operations(connection, saved)


def listed(catalogue: Catalogue) -> dict[str, int]:
    return {f"{each.method} {each.path}": each.requests for each in catalogue.operations}


def test_ids_become_one_operation_with_its_figures() -> None:
    hits = [
        Hit("GET", f"/users/{number}", duration_us=number * 1000, session=str(number % 4)) for number in range(1, 101)
    ]
    hits += [
        Hit("GET", "/users/500", 404),
        Hit("GET", "/users/501", 503),
        Hit("GET", "/users/502", 403, action="block"),
    ]
    (operation,) = seen(hits).operations
    assert (operation.method, operation.path, operation.requests, operation.successes) == (
        "GET",
        "/users/{var1}",
        103,
        100,
    )
    assert (operation.client_errors, operation.server_errors, operation.blocked) == (2, 1, 1)
    assert operation.sessions == 4
    assert operation.p50_ms == pytest.approx(49) and operation.p99_ms == pytest.approx(98.98)
    assert operation.first_seen == START and operation.last_seen == START + timedelta(seconds=102)
    assert not operation.is_saved


def test_sessions_invented_at_one_address_count_once() -> None:
    invented = [Hit("GET", "/a", session=f"s{number}") for number in range(5)]
    moving = [Hit("GET", "/b", session="s", client=f"c{number}") for number in range(5)]
    verified = [Hit("GET", "/c", session=f"s{number}", session_verified=True) for number in range(5)]
    apart = [Hit("GET", "/d", session=f"s{number}", client=f"c{number}") for number in range(5)]
    found = {each.path: each.callers for each in seen([*invented, *moving, *verified, *apart]).operations}
    assert found == {"/a": 1, "/b": 1, "/c": 5, "/d": 5}


def test_versions_stay_apart() -> None:
    assert listed(seen([Hit("GET", "/v1/users"), Hit("GET", "/v2/users")])) == {"GET /v1/users": 1, "GET /v2/users": 1}


def test_a_scanners_noise_is_counted_and_not_listed() -> None:
    noise = [Hit("GET", f"/probe-{number}.php", 404, "scanner") for number in range(300)]
    catalogue = seen([Hit("GET", "/users/1"), *noise, Hit("GET", "/users/1/../admin", 400, action="refuse")])
    assert listed(catalogue) == {"GET /users/{var1}": 1}
    assert (catalogue.requests, catalogue.unsuccessful) == (302, 301)


def test_failures_of_a_seen_operation_are_its_own() -> None:
    slugs = [Hit("GET", f"/articles/{a}{b}", session=f"s{a}{b}") for a in "abcdef" for b in "ghijklm"]
    missing = [Hit("GET", "/articles/no-such", 404), Hit("DELETE", "/articles/ag", 405)]
    catalogue = seen([*slugs, *missing])
    (operation,) = catalogue.operations
    assert (operation.path, operation.requests, operation.client_errors) == ("/articles/{var1}", 43, 1)
    assert operation.sessions == pytest.approx(42, rel=0.1)
    assert catalogue.unsuccessful == 1


def test_redirects_of_get_are_no_success_but_those_of_post_are() -> None:
    assert listed(seen([Hit("GET", "/old", 301), Hit("POST", "/login", 303), Hit("GET", "/cached", 304)])) == {
        "POST /login": 1,
        "GET /cached": 1,
    }


def test_a_blocked_request_makes_no_operation() -> None:
    assert seen([Hit("GET", "/secret", 200, action="block")]).operations == ()


def test_head_counts_with_get_and_preflights_are_counted_apart() -> None:
    catalogue = seen([Hit("GET", "/a"), Hit("HEAD", "/a"), Hit("HEAD", "/only"), Hit("OPTIONS", "/a", 204)])
    assert listed(catalogue) == {"GET /a": 2, "HEAD /only": 1}
    assert (catalogue.preflights, catalogue.unsuccessful) == (1, 0)


def test_a_trailing_slash_is_the_same_operation() -> None:
    assert listed(seen([Hit("GET", "/a"), Hit("GET", "/a/"), Hit("GET", "/")])) == {"GET /a": 2, "GET /": 1}


def test_hosts_are_apart_and_only_answering_ones_are_known() -> None:
    catalogue = seen(
        [Hit("GET", "/a"), Hit("GET", "/a", host="b.example.com"), Hit("GET", "/a", 404, host="evil.test")]
    )
    assert catalogue.hosts == ("api.example.com", "b.example.com")
    assert [(each.host, each.requests) for each in catalogue.operations] == [
        ("api.example.com", 1),
        ("b.example.com", 1),
    ]


def test_saved_operations_take_records_from_before_they_were_saved() -> None:
    saved = [SavedTemplate("GET", "*", "/files/{var1}"), SavedTemplate("GET", "{hostVar1}.example.com", "/me")]
    hits = [
        Hit("GET", "/files/readme"),
        Hit("GET", "/files/17", operation_path="/files/{var1}"),
        Hit("GET", "/me"),
        Hit("GET", "/me", host="example.com"),
        Hit("GET", "/free"),
    ]
    catalogue = seen(hits, saved)
    assert {(each.host, each.path, each.is_saved, each.requests) for each in catalogue.operations} == {
        ("api.example.com", "/files/{var1}", True, 2),
        ("api.example.com", "/me", True, 1),
        ("example.com", "/me", False, 1),
        ("api.example.com", "/free", False, 1),
    }


def test_many_saved_literals_stay_what_they_are() -> None:
    names = [f"{chr(97 + n % 26)}x{n // 26}z" for n in range(60)]
    saved = [SavedTemplate("GET", "*", f"/pages/{name}") for name in names]
    assert len(seen([Hit("GET", f"/pages/{name}", session=name) for name in names], saved).operations) == 60


def test_nothing_gives_nothing() -> None:
    assert seen([]) == Catalogue((), 0, 0, 0, ())


def test_the_shops_traffic_gives_the_shops_operations() -> None:
    traffic = Traffic(rows=20_000, sessions=400)
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        connection.register("records", conform(generate(traffic)["records"], "records", current_schema()))
        catalogue = seen_operations(connection)
    expected = {(c.method, c.template) for c in traffic.calls if c.method not in ("HEAD", "OPTIONS")}
    assert {(each.method, each.path) for each in catalogue.operations} == expected
    assert catalogue.requests == 20_000
    assert sum(each.requests for each in catalogue.operations) + catalogue.preflights + catalogue.unsuccessful == 20_000
