"""The stores that the SDK's tests find: made by a real server, then given the ids that those tests have in them."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from support.api import Caller, api_running
from support.jwks import rsa_signer

ID32 = "023e105f4ecef8ad9ca31a8372d0c353"
"""The SDK's tests use it for the account and for the zone."""
OPERATION = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"
LIST = "2c0fc9fa937b11eaa1b71c4d701ab86e"
ITEM = "34b12448945f11eaa1b71c4d701ab86e"
BULK_OPERATION = "4da8780eeb215e6cb7f48dd981c4ea02"
TOKEN = "ed17574386854bf78a67040be0a770b0"
TOKENS = "4a7ee8d3-dd63-4ceb-9d5f-c27831854ce7"
"""A token configuration, and a token rule."""
NAMED_TOKENS = ("52973293-cb04-4a97-8f55-e7d2ad1107dd", "46eab8d1-6376-45e3-968f-2c649d77d423")
OTHER_RULE = "0d9bf70c-92e1-4bb3-9411-34a3bcc59003"
AUDITED_ACCOUNT = "a67e14daa5f8dceeb91fe5449ba496ef"
AUDIT_ENTRY = "f174be97-19b1-40d6-954d-70cd5fbd52db"
RULESET = "2f2feab2026849078ba485f918791bdc"
RULE = "3a03d665bac047339bb530ecb439a90d"
OTHER_ZONE = "22b1de5f1c0e4b3ea97bb1e963b06a43"


def make_seeds(folder: Path) -> None:
    """Write `empty.db` (an account), `zone.db` (and zones with an operation), `full.db` (and all else), and `audit.db`
    (the same under the account that the tests of the audit log ask for)."""
    folder.mkdir()
    state = folder / "state"
    with api_running(state) as api:
        caller, store = api.caller(), state / "hoplon.db"
        account = caller.get("/accounts").result[0]["id"]
        ids = {account: ID32}
        snapshot(store, folder / "empty.db")
        ids |= _make_zones(caller, account)
        snapshot(store, folder / "zone.db")
        ids |= _make_the_rest(caller, account, _zone(caller))
        snapshot(store, folder / "full.db")
        snapshot(store, folder / "audit.db")
        entry = caller.get(f"/accounts/{account}/audit_logs").result[0]["id"]
    for name in ("empty.db", "zone.db", "full.db"):
        rename(folder / name, ids)
    rename(folder / "audit.db", {account: AUDITED_ACCOUNT, entry: AUDIT_ENTRY})


def _zone(caller: Caller) -> str:
    found: str = caller.get("/zones?name=example.com").result[0]["id"]
    return found


def _make_zones(caller: Caller, account: str) -> dict[str, str]:
    names = ("example.com", "other.example")
    zone, other = (
        caller.call("POST", "/zones", {"account": {"id": account}, "name": name}).result["id"] for name in names
    )
    operation = {"method": "GET", "host": "www.example.com", "endpoint": "/api/v1/items/{var1}"}
    saved = caller.call("POST", f"/zones/{zone}/api_gateway/operations/item", operation).result["operation_id"]
    return {zone: ID32, other: OTHER_ZONE, saved: OPERATION}


def _make_the_rest(caller: Caller, account: str, zone: str) -> dict[str, str]:
    _ = caller.call("POST", f"/zones/{zone}/api_gateway/labels/user", [{"name": "login", "description": "x"}]).result
    lists = f"/accounts/{account}/rules/lists"
    made = caller.call("POST", lists, {"kind": "ip", "name": "seeded"}).result["id"]
    bulk = caller.call("POST", f"{lists}/{made}/items", [{"ip": "10.0.0.2"}]).result["operation_id"]
    item = caller.get(f"{lists}/{made}/items").result[0]["id"]
    entrypoint = f"/zones/{zone}/rulesets/phases/http_request_firewall_custom/entrypoint"
    ruleset = caller.call("PUT", entrypoint, {"rules": [{"action": "log", "expression": "ssl"}]}).result
    groups = caller.get("/user/tokens/permission_groups").result
    policy = {
        "effect": "allow",
        "resources": {f"com.cloudflare.api.account.{account}": "*"},
        "permission_groups": [{"id": groups[0]["id"]}],
    }
    token = caller.call("POST", "/user/tokens", {"name": "seeded", "policies": [policy]}).result["id"]
    rules = {ruleset["id"]: RULESET, ruleset["rules"][0]["id"]: RULE}
    return {made: LIST, bulk: BULK_OPERATION, item: ITEM, token: TOKEN, **rules, **_make_tokens(caller, zone)}


def _make_tokens(caller: Caller, zone: str) -> dict[str, str]:
    """A token configuration and a rule with the one id that the SDK's tests have for both, the two configurations that
    their expressions name, and a second rule, so that rules can be moved."""
    tokens = f"/zones/{zone}/token_validation"
    sources = ['http.request.headers["authorization"][0]']
    basis = {"title": "seeded", "description": "", "token_type": "JWT", "token_sources": sources}
    configuration = {**basis, "credentials": {"keys": [dict(rsa_signer("seeded").jwk)]}}
    made = [caller.call("POST", f"{tokens}/config", configuration).result["id"] for _ in range(3)]
    rule = {
        "title": "seeded",
        "description": "",
        "action": "log",
        "enabled": True,
        "expression": f'is_jwt_valid("{made[1]}")',
        "selector": {},
    }
    rules = [caller.call("POST", f"{tokens}/rules", rule).result["id"] for _ in range(2)]
    return dict(zip([*made, *rules], [TOKENS, *NAMED_TOKENS, TOKENS, OTHER_RULE], strict=True))


def snapshot(store: Path, target: Path) -> None:
    """A copy of an open database."""
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def rename(store: Path, ids: dict[str, str]) -> None:
    """Replace ids wherever a text column holds them; also where triggers forbid it to everybody else."""
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for name, _ in triggers:
            database.execute(f'DROP TRIGGER "{name}"')
        for (table,) in tables.fetchall():
            _rename_in(database, table, ids)
        for _, text in triggers:
            database.execute(text)


def _rename_in(database: sqlite3.Connection, table: str, ids: dict[str, str]) -> None:
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")') if re.match("VARCHAR|TEXT", row[2])]
    for column in columns:
        for old, new in ids.items():
            database.execute(f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?)', (old, new))


def install(seeds: Path, state: Path) -> None:
    """Make the state directory in which the seeds were made the one to serve, with the full store in it."""
    shutil.copytree(seeds / "state", state, ignore=shutil.ignore_patterns("hoplon.db*"))
    shutil.copy(seeds / "full.db", state / "hoplon.db")
