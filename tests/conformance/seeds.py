"""The stores that the SDK's tests find: made by a real server, then given the ids that those tests have in them."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from support.api import Caller, api_running

ID32 = "023e105f4ecef8ad9ca31a8372d0c353"
"""The SDK's tests use it for the account and for the zone."""
OPERATION = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"
LIST = "2c0fc9fa937b11eaa1b71c4d701ab86e"
ITEM = "34b12448945f11eaa1b71c4d701ab86e"
BULK_OPERATION = "4da8780eeb215e6cb7f48dd981c4ea02"
TOKEN = "ed17574386854bf78a67040be0a770b0"
OTHER_ZONE = "22b1de5f1c0e4b3ea97bb1e963b06a43"

UNCHANGED = ("audit_log", "alembic_version")
"""Tables that keep the ids they were made with: the audit log is append-only, and says what was done, not what is."""


def make_seeds(folder: Path) -> None:
    """Write `empty.db` (an account, nothing else) and `full.db` (zones, an operation, a label, a list, a token)."""
    state = folder / "state"
    with api_running(state) as api:
        account = api.caller().get("/accounts").result[0]["id"]
        snapshot(state / "hoplon.db", folder / "empty.db")
        ids = {account: ID32, **_fill(api.caller(), account)}
        snapshot(state / "hoplon.db", folder / "full.db")
    for name in ("empty.db", "full.db"):
        rename(folder / name, ids)


def _fill(caller: Caller, account: str) -> dict[str, str]:
    zone = caller.call("POST", "/zones", {"account": {"id": account}, "name": "example.com"}).result["id"]
    other = caller.call("POST", "/zones", {"account": {"id": account}, "name": "other.example"}).result["id"]
    gateway = f"/zones/{zone}/api_gateway"
    operation = {"method": "GET", "host": "www.example.com", "endpoint": "/api/v1/items/{var1}"}
    saved = caller.call("POST", f"{gateway}/operations/item", operation).result["operation_id"]
    _ = caller.call("POST", f"{gateway}/labels/user", [{"name": "login", "description": "sign in"}]).result
    lists = f"/accounts/{account}/rules/lists"
    made = caller.call("POST", lists, {"kind": "ip", "name": "seeded"}).result["id"]
    bulk = caller.call("POST", f"{lists}/{made}/items", [{"ip": "10.0.0.2"}]).result["operation_id"]
    item = caller.get(f"{lists}/{made}/items").result[0]["id"]
    groups = caller.get("/user/tokens/permission_groups").result
    policy = {
        "effect": "allow",
        "resources": {f"com.cloudflare.api.account.{account}": "*"},
        "permission_groups": [{"id": groups[0]["id"]}],
    }
    token = caller.call("POST", "/user/tokens", {"name": "seeded", "policies": [policy]}).result["id"]
    return {
        zone: ID32, other: OTHER_ZONE, saved: OPERATION, made: LIST, bulk: BULK_OPERATION, item: ITEM, token: TOKEN,
    }  # fmt: skip


def snapshot(store: Path, target: Path) -> None:
    """A copy of an open database."""
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def rename(store: Path, ids: dict[str, str]) -> None:
    """Replace ids wherever a text column holds them."""
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table not in UNCHANGED and not table.startswith("sqlite_"):
                _rename_in(database, table, ids)


def _rename_in(database: sqlite3.Connection, table: str, ids: dict[str, str]) -> None:
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")') if re.match("VARCHAR|TEXT", row[2])]
    for column in columns:
        for old, new in ids.items():
            database.execute(f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?)', (old, new))


def install(seeds: Path, state: Path) -> None:
    """Make the state directory in which the seeds were made the one to serve, with the full store in it."""
    shutil.copytree(seeds / "state", state, ignore=shutil.ignore_patterns("hoplon.db*"))
    shutil.copy(seeds / "full.db", state / "hoplon.db")
