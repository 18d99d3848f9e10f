"""A whole installation under attack: `hoplon up`, traffic flowing through its gateway, and an API with things in it."""

import hashlib
import http.client
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.api import Caller, Reply, await_api, port_of, token_of
from support.installation import Installation, running
from support.upstream import Upstream, polite

VOLATILE = {"last_used_on", "last_seen_at", "bundle"}
"""Columns that change without a write by a caller."""
HOST = "www.shield.test"


@dataclass(frozen=True, slots=True)
class Ids:
    """What there is to attack."""

    account: str
    zone: str
    operation: str
    list: str
    item: str


class Traffic(threading.Thread):
    """One client of the gateway that never stops asking. `refused` is what did not get a 200 from the upstream."""

    def __init__(self, up: Installation, pause_seconds: float = 0.01) -> None:
        super().__init__(daemon=True)
        self._up, self._pause, self._ended = up, pause_seconds, threading.Event()
        self.asked = 0
        self.refused: list[str] = []

    def run(self) -> None:
        client = self._up.client(HOST)
        while not self._ended.wait(self._pause):
            self.asked += 1
            try:
                answer = client.get("/alive")
                if answer.status != 200:
                    self.refused.append(f"{answer.status} {answer.body!r}")
            except (OSError, http.client.HTTPException) as error:
                self.refused.append(repr(error))
        client.close()

    def end(self) -> None:
        self._ended.set()
        self.join()


@dataclass(slots=True)
class Plane:
    """The installation, its traffic, and what is stored."""

    up: Installation
    traffic: Traffic
    ids: Ids

    @property
    def store(self) -> Path:
        return self.up.state / "hoplon.db"

    def caller(self, timeout_seconds: float = 60.0) -> Caller:
        """An operator on a connection of its own."""
        return Caller(port_of(self.up.state), token_of(self.up.state), timeout_seconds)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """One request on a connection of its own; `{zone}` and the other ids are filled in."""
        caller = self.caller()
        try:
            return caller.call(method, self.path(path), body, **headers)
        finally:
            caller.close()

    def path(self, template: str) -> str:
        for name in Ids.__slots__:
            template = template.replace("{" + name + "}", getattr(self.ids, name))
        return template

    def contents(self) -> dict[str, str]:
        """A hash of each table's rows, without what changes by itself."""
        return contents(self.store)


def contents(store: Path) -> dict[str, str]:
    """A hash of each table's rows in a database that others may have open."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=30)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: _hash_of(database, name) for name in names if not name.startswith("sqlite_")}


def _hash_of(database: sqlite3.Connection, table: str) -> str:
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")') if row[1] not in VOLATILE]
    rows = database.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rowid")
    return hashlib.sha256("\n".join(map(repr, rows)).encode()).hexdigest()


@contextmanager
def plane_in(state: Path, *options: str) -> Iterator[Plane]:
    """A Plane whose zone serves HOST, with an operation, a label and a list in it."""
    api = Upstream(polite)
    try:
        with running(state, "--upstream", api.url, *options) as up:
            await_api(state)
            ids = _fill(Caller(port_of(state), token_of(state)), api.url)
            traffic = Traffic(up)
            _await_traffic(up)
            traffic.start()
            yield Plane(up, traffic, ids)
            traffic.end()
    finally:
        api.close()


def _fill(caller: Caller, upstream: str) -> Ids:
    account = caller.get("/accounts").result[0]["id"]
    zone = caller.call("POST", "/zones", {"account": {"id": account}, "name": "shield.test"}).result["id"]
    _ = caller.call("PUT", f"/hoplon/v1/zones/{zone}/upstreams", {"upstreams": [{"url": upstream}]}).result
    gateway = f"/zones/{zone}/api_gateway"
    operation = {"method": "GET", "host": HOST, "endpoint": "/items/{id}"}
    saved = caller.call("POST", f"{gateway}/operations/item", operation).result["operation_id"]
    _ = caller.call("POST", f"{gateway}/labels/user", [{"name": "login", "description": "sign in"}]).result
    lists = f"/accounts/{account}/rules/lists"
    made = caller.call("POST", lists, {"kind": "ip", "name": "addresses"}).result["id"]
    _ = caller.call("POST", f"{lists}/{made}/items", [{"ip": "10.0.0.2"}]).result
    item = caller.get(f"{lists}/{made}/items").result[0]["id"]
    caller.close()
    return Ids(account, zone, saved, made, item)


def _await_traffic(up: Installation, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while up.get("/alive", HOST).status != 200:
        assert time.monotonic() < deadline, up.get("/alive", HOST)
        time.sleep(0.05)
