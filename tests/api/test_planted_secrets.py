"""Secrets planted wherever one can come in: none is found in the state directory, in a log, or in an answer."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hoplon.api.routes import ROUTES
from hoplon.model.actor import SYSTEM
from hoplon.service.secrets import put_secret, rotate_key
from hoplon.service.token_secret import new_secret
from hoplon.service.workspace import open_workspace
from hoplon.service.zones import create_zone
from hoplon.storage.database import reading
from hoplon.storage.policies import the_account
from support.api_server import Client
from support.installation import await_true, hoplon

TOKENS = "/client/v4/user/tokens"
SOURCE = 'http.request.headers["authorization"][0]'
SEALED = b"planted-sealed-value-7f3a"
PLANTED = {
    "unknown token": new_secret(),
    "bearer": "planted-bearer-81c2",
    "key": "planted-key-55d0",
    "service key": "planted-service-key-9b1e",
    "query": "planted-query-31aa",
    "cookie": "planted-cookie-c0de",
    "body": "planted-body-77aa",
    "wrong policy": "planted-policy-12fe",
    "hmac key": "cGxhbnRlZC1obWFjLWtleS0wMTIzNDU2Nzg5YWJjZGVm",
    "private key": "cGxhbnRlZC1wcml2YXRlLWtleS0wMTIzNDU2Nzg5YWI",
}


@contextmanager
def api(state: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "hoplon", "api", "--state", str(state), "--admin", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        await_true(lambda: status(state).get("pid") == process.pid, "the API serves")
        yield process
        process.terminate()


def status(state: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((state / "run" / "api.status.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def plant(client: Client, zone: str) -> list[bytes]:
    """Send every planted secret where such a thing may stand; what was answered."""
    stranger = Client(client.host, client.port, None)
    path = "/client/v4/zones"
    asked = [
        stranger.get(path, headers={"Authorization": f"Bearer {PLANTED['unknown token']}"}),
        stranger.get(path, headers={"Authorization": f"Bearer {PLANTED['bearer']}"}),
        stranger.get(path, headers={"X-Auth-Key": PLANTED["key"], "X-Auth-Email": "x"}),
        stranger.get(path, headers={"X-Auth-User-Service-Key": PLANTED["service key"]}),
        client.get(f"{path}?name={PLANTED['query']}&per_page=none&token={PLANTED['query']}"),
        client.get(path, headers={"Cookie": f"session={PLANTED['cookie']}"}),
        client.ask("POST", path, {"password": PLANTED["body"], "type": {"secret": PLANTED["body"]}}),
        client.ask("PUT", f"/client/v4/zones/{zone}/api_gateway/configuration", {"auth": PLANTED["body"]}),
        client.ask(
            "PUT",
            f"/hoplon/v1/zones/{zone}/policy",
            content=f"format = 1\nsecret = '{PLANTED['wrong policy']}'\n".encode(),
            headers={"Content-Type": "application/toml"},
        ),
    ]
    tokens = f"/client/v4/zones/{zone}/token_validation/config"
    basis = {"title": "t", "description": "", "token_type": "JWT", "token_sources": [SOURCE]}
    for member, kind in (("k", "hmac key"), ("d", "private key")):
        jwk = {"kty": "oct" if member == "k" else "RSA", "alg": "HS256", "kid": "planted", member: PLANTED[kind]}
        asked.append(client.ask("POST", tokens, {**basis, "credentials": {"keys": [jwk]}}))
    assert [reply.status for reply in asked] == [401, 401, 401, 401, 400, 200, 400, 400, 400, 200, 400]
    return [reply.content for reply in asked]


def everything_readable(client: Client, account: str, zone: str) -> list[bytes]:
    """The answer of every route that reads, but for the long poll."""
    ids = {"account_id": account, "zone_id": zone}
    return [
        client.get(re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "x"), route.path)).content
        for route in ROUTES
        if route.method == "GET" and route.path != "/hoplon/v1/bundles/current"
    ] + [client.get(path).content for path in ("/metrics", "/openapi.json", "/client/v4/user/audit_logs?per_page=1000")]


def test_no_planted_secret_is_found_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with open_workspace(state, create=True) as workspace:
        put_secret(workspace, SYSTEM, "hmac_key", "of the shop", SEALED)
        rotate_key(workspace, SYSTEM)
        zone = create_zone(workspace, SYSTEM, "shop.test").id
        with reading(workspace.database) as connection:
            account = the_account(connection).id
    with api(state) as process:
        host, _, port = str(status(state)["address"]).rpartition(":")
        first = (state / "api-token").read_text().strip()
        client = Client(host, int(port), first)
        policy = {
            "effect": "allow",
            "permission_groups": [{"id": "c8fed203ed3043cba015a93ad1616f1f"}],
            "resources": {f"com.cloudflare.api.account.zone.{zone}": "*"},
        }
        made = client.ask("POST", TOKENS, {"name": "made", "policies": [policy]}).result
        rolled = client.ask("PUT", f"{TOKENS}/{made['id']}/value", {}).result
        answers = [*plant(client, zone), *everything_readable(client, account, zone)]
        commands = ["token list", "token list --json", "audit", "audit --json", "audit export", "secrets list --json"]
        commands += ["tokens", "tokens --json", "policy export"]
        said = [hoplon(state, *command.split()) for command in (*commands, "audit verify", "doctor --json")]
        process.terminate()
        log, _ = process.communicate(timeout=30)

    shown = b"".join(answers) + "".join(each.stdout + each.stderr for each in said).encode() + log.encode()
    kept = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    mine = {"made": made["value"], "rolled": rolled, "first": first}
    for name, secret in {**PLANTED, **mine, "sealed": SEALED.decode()}.items():
        token = secret.encode()
        assert token not in shown, name
        holders = [path.name for path, content in kept.items() if token in content]
        assert holders == (["api-token"] if name == "first" else []), (name, holders)
        assert token not in log.encode(), name
