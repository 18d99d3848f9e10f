"""`kill -9` of the API at random moments while several callers write: no acknowledged write is lost, none is half
there, and every bundle that the gateway was ever given is one committed version of each zone."""

import http.client
import json
import os
import random
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from faults.ledger import Model, Watcher, check_bundles, check_history
from support.api import ApiProcess, Caller
from support.installation import running

pytest.importorskip("hoplon._native")

WRITES = 10_000 if os.environ.get("HOPLON_EVAL") else 240
WRITES_PER_LIFE = 60
"""On average so many writes are acknowledged before the API is killed."""
WRITERS = 4
HOST = "www.shield.test"
BULK = 5


@pytest.mark.slow
@pytest.mark.timeout(3000 if os.environ.get("HOPLON_EVAL") else 120)
def test_kill_9_loses_no_acknowledged_write_and_leaves_none_half_done(tmp_path: Path) -> None:
    state, models = tmp_path / "state", [Model(number) for number in range(WRITERS)]
    api = ApiProcess(state)
    zone = make_zone(api.caller())
    await_bundle_of(state, zone)
    watcher = Watcher(state)
    watcher.start()
    with running(state, part="gateway") as gateway:
        api = live_and_die_again_and_again(api, zone, models)
        await_bundle_of(state, zone)
        watcher.end()
        assert api.stop() == 0
        assert gateway.get("/any", HOST).status == 502, "its upstream is not there, but the gateway is"
    check_history(state / "hoplon.db", zone)
    check_bundles(state / "hoplon.db", watcher)
    assert not [code for code in gateway.doctor() if code.startswith(("audit", "database", "bundle"))]


def live_and_die_again_and_again(api: ApiProcess, zone: str, models: list[Model]) -> ApiProcess:
    """Kill and start anew until enough was written; look each time. The API that is left."""
    chance = random.Random(5)
    while sum(model.acknowledged for model in models) < WRITES:
        live_and_die(api, zone, models, chance)
        api = ApiProcess(api.state)
        stored = stored_operations(api.caller(), zone)
        for model in models:
            model.settle({path: name for path, name in stored.items() if path.startswith(f"/w{model.number}/")})
    return api


def make_zone(caller: Caller) -> str:
    account = caller.get("/accounts").result[0]["id"]
    zone: str = caller.call("POST", "/zones", {"account": {"id": account}, "name": "shield.test"}).result["id"]
    upstreams = {"upstreams": [{"url": "http://127.0.0.1:9"}]}
    assert caller.call("PUT", f"/hoplon/v1/zones/{zone}/upstreams", upstreams).status == 200
    return zone


def live_and_die(api: ApiProcess, zone: str, models: list[Model], chance: random.Random) -> None:
    """Write with every writer until the API is killed, some random while after it began."""
    before, goal = sum(model.acknowledged for model in models), chance.randint(1, 2 * WRITES_PER_LIFE)
    threads = [
        threading.Thread(target=keep_writing, args=(api.caller(), zone, model, random.Random(chance.random())))
        for model in models
    ]
    for thread in threads:
        thread.start()
    while sum(model.acknowledged for model in models) - before < goal:
        time.sleep(0.001)
        assert any(thread.is_alive() for thread in threads), "every writer gave up"
    time.sleep(chance.random() * 0.02)
    api.kill()
    for thread in threads:
        thread.join()


def keep_writing(caller: Caller, zone: str, model: Model, chance: random.Random) -> None:
    """Write until nothing answers any more."""
    try:
        while True:
            write_once(caller, f"/zones/{zone}/api_gateway/operations", model, chance)
            model.acknowledged += 1
    except (OSError, http.client.HTTPException):
        caller.close()


def write_once(caller: Caller, operations: str, model: Model, chance: random.Random) -> None:
    """One write of some kind: one operation, several in one request, or several removed in one request."""
    if model.sure and chance.random() < 0.3:
        model.removing = set(chance.sample(sorted(model.sure), min(BULK, len(model.sure))))
        body = [{"operation_id": model.sure[path]} for path in sorted(model.removing)]
        reply = caller.call("DELETE", operations, body)
        assert reply.status == 200, reply
        model.sure = {path: name for path, name in model.sure.items() if path not in model.removing}
        model.removing = set()
        return
    endpoints = model.next_endpoints(chance.choice((1, BULK)))
    model.adding = set(endpoints)
    reply = caller.call("POST", operations, [{"method": "GET", "host": HOST, "endpoint": path} for path in endpoints])
    model.sure |= {operation["endpoint"]: operation["operation_id"] for operation in reply.result}
    model.adding = set()


def stored_operations(caller: Caller, zone: str) -> dict[str, str]:
    """Every stored operation: endpoint to id."""
    found: dict[str, str] = {}
    page = 1
    while batch := caller.get(f"/zones/{zone}/api_gateway/operations?per_page=50&page={page}").result:
        found |= {operation["endpoint"]: operation["operation_id"] for operation in batch}
        page += 1
    caller.close()
    return found


def await_bundle_of(state: Path, zone: str, seconds: float = 20.0) -> None:
    """Wait until the bundle in place holds the zone's newest version."""
    deadline, current = time.monotonic() + seconds, state / "bundles" / "current"
    while True:
        manifest = json.loads(current.read_bytes()) if current.exists() else {"zones": []}
        with closing(sqlite3.connect(state / "hoplon.db", timeout=30)) as database:
            (newest,) = database.execute("SELECT version FROM zones WHERE id = ?", (zone,)).fetchone()
        if newest in [each["policy_version"] for each in manifest["zones"] if each["id"] == zone]:
            return
        assert time.monotonic() < deadline, f"version {newest} is in no bundle"
        time.sleep(0.05)
