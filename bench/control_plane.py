"""The control plane's rows: a page of a long listing, a bulk create, and how soon a change acts in the gateway.

Each runs against a real `hoplon up` (its API on the proxy's core) with 10,000 operations in one zone; beside it, in the
same run, what the same work costs without Hoplon: FastAPI before SQLite for the page, SQLite alone for the bulk.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

from bench.load import closed_loop, fixed_rate
from bench.machine import LOAD_CORE, PROXY_CORE, free_port, running
from support.api import Caller, api_status, await_api, port_of, token_of
from support.installation import Installation, apply, policy
from support.installation import running as installed

Figures = dict[str, Any]

OPERATIONS = 10_000
HOST = "www.bench.test"
PAGES = 200
RATE = 500
"""Requests/s that one core must serve; its p99 is measured while it does."""
CONNECTIONS = 8
CHANGES = 100


class Plane(NamedTuple):
    """A running installation with one zone that forwards to the arena's upstream."""

    up: Installation
    caller: Caller
    zone: str

    @property
    def operations(self) -> str:
        return f"/zones/{self.zone}/api_gateway/operations"


@contextmanager
def plane(folder: Path, upstream_port: int) -> Iterator[Plane]:
    """An installation whose zone blocks what falls through, so that a new operation is seen when it acts."""
    state = folder / f"control-{time.monotonic_ns()}"
    unlimited = {"HOPLON_API_REQUESTS_PER_MINUTE": "10000000"}
    with installed(state, "--upstream", f"http://127.0.0.1:{upstream_port}", **unlimited) as up:
        await_api(state)
        os.sched_setaffinity(api_status(state)["pid"], {PROXY_CORE})
        url = f"http://127.0.0.1:{upstream_port}"
        applied = apply(state, policy(url, name="bench.test", host=HOST, fallthrough="block"), "--create")
        assert applied.returncode == 0, applied.stderr
        caller = Caller(port_of(state), token_of(state), 120)
        zone = caller.get("/zones?name=bench.test").result[0]["id"]
        yield Plane(up, caller, zone)


def many(count: int = OPERATIONS) -> list[dict[str, str]]:
    """So many operations that no two templates match the same path."""
    return [{"method": "GET", "host": HOST, "endpoint": f"/service{n % 100}/thing{n}/{{id}}"} for n in range(count)]


def listing(folder: Path, upstream_port: int, seconds: float) -> Figures:
    """A page of 50 among 10,000: requests/s as fast as it goes, and p99 while 500/s are asked for, pages in turn."""
    with plane(folder, upstream_port) as ours:
        _ = ours.caller.call("POST", ours.operations, many()).result
        time.sleep(1)
        target = f"/client/v4{ours.operations}?per_page=50"
        headers = [f"authorization: Bearer {token_of(ours.up.state)}"]
        hoplon = _pages(port_of(ours.up.state), target, headers, seconds, folder)
    with _bare(folder) as port:
        bare = _pages(port, "/operations?per_page=50", [], seconds, folder)
    return {"operations": OPERATIONS, "hoplon": hoplon, "bare FastAPI and SQLite": bare}


def _pages(port: int, target: str, headers: list[str], seconds: float, folder: Path) -> Figures:
    """Figures of the first page, of the last one, and of the first one at a steady rate."""
    closed_loop(port, target, 1, CONNECTIONS, headers)
    figures = {
        name: closed_loop(port, f"{target}&page={page}", seconds, CONNECTIONS, headers)._asdict()
        for name, page in (("first", 1), ("last", PAGES))
    }
    steady = {
        f"{name} steady": fixed_rate(
            port, f"{target}&page={page}", seconds, RATE, folder, CONNECTIONS, headers
        )._asdict()
        for name, page in (("first", 1), ("last", PAGES))
    }
    return {**figures, **steady}


@contextmanager
def _bare(folder: Path) -> Iterator[int]:
    """FastAPI before a SQLite table of the same operations; its port."""
    file, port = folder / "bare.db", free_port()
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database:
        _insert(database)
    command = [sys.executable, str(Path(__file__).with_name("bare_listing.py")), str(file), str(port)]
    with running(command, PROXY_CORE, folder, "bare-listing", port):
        yield port


def _insert(database: sqlite3.Connection) -> None:
    with database:
        database.execute(
            "CREATE TABLE operations (operation_id TEXT, method TEXT, host TEXT, endpoint TEXT, last_updated TEXT)"
        )
        rows = [
            (f"{n:036}", o["method"], o["host"], o["endpoint"], "2026-01-01T00:00:00Z") for n, o in enumerate(many())
        ]
        database.executemany("INSERT INTO operations VALUES (?, ?, ?, ?, ?)", rows)
        database.execute("CREATE UNIQUE INDEX by_key ON operations (endpoint, host, method)")


def bulk(folder: Path, upstream_port: int) -> Figures:
    """10,000 operations in one request, how long until it is answered, and until the gateway acts by them."""
    with plane(folder, upstream_port) as ours:
        begun = time.monotonic()
        reply = ours.caller.call("POST", ours.operations, many())
        answered = time.monotonic()
        assert len(reply.result) == OPERATIONS
        _await_answer(ours, f"/service{(OPERATIONS - 1) % 100}/thing{OPERATIONS - 1}/1")
        live = time.monotonic()
    begun_alone = time.monotonic()
    with closing(sqlite3.connect(folder / f"alone-{time.monotonic_ns()}.db")) as database:
        _insert(database)
    alone = time.monotonic() - begun_alone
    return {
        "operations": OPERATIONS,
        "seconds": answered - begun,
        "live_seconds": live - answered,
        "sqlite_alone_seconds": alone,
    }


def _await_answer(ours: Plane, path: str, seconds: float = 60.0) -> None:
    """Wait until the gateway lets a request through that falls through, and is blocked, before the change acts."""
    deadline = time.monotonic() + seconds
    client = ours.up.client(HOST)
    while client.get(path).status != 200:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{path} is still blocked")
        time.sleep(0.002)
    client.close()


def acting(folder: Path, upstream_port: int) -> Figures:
    """From sending one change until the gateway answers by it, among 10,000 operations; milliseconds."""
    with plane(folder, upstream_port) as ours:
        _ = ours.caller.call("POST", ours.operations, many()).result
        time.sleep(3)
        os.sched_setaffinity(0, {LOAD_CORE})
        taken = sorted(_change_and_wait(ours, number) * 1000 for number in range(CHANGES))
    cuts = quantiles(taken, n=100, method="inclusive")
    return {"operations": OPERATIONS, "changes": CHANGES, "p50_ms": cuts[49], "p99_ms": cuts[98], "max_ms": taken[-1]}


def _change_and_wait(ours: Plane, number: int) -> float:
    operation = {"method": "GET", "host": HOST, "endpoint": f"/change{number}/{{id}}"}
    assert ours.up.get(f"/change{number}/1", HOST).status == 403
    begun = time.monotonic()
    assert ours.caller.call("POST", f"{ours.operations}/item", operation).status == 200
    _await_answer(ours, f"/change{number}/1")
    return time.monotonic() - begun
