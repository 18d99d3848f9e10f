"""Tokens at work, in a real `hoplon up`: pasted keys, secrets and keys of a URL verify or refuse, keys are rotated
under traffic, conditions on claims decide who may what, and a claim is the session."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.installation import Answer, Installation, apply, await_true, hoplon, policy, running
from support.jwks import Signer, ec_signer, ed_signer, hmac_signer, rsa_signer
from support.key_server import KeyServer, key_server
from support.upstream import Upstream

SAVED = ["GET /open", "GET /users/{user}/orders", "POST /users/{user}/orders"]
ISSUER = "https://issuer.example"


@pytest.fixture
def up(tmp_path: Path, api: Upstream) -> Iterator[Installation]:
    """A `hoplon up` with three saved operations that may fetch keys from this machine."""
    config = tmp_path / "hoplon.toml"
    config.write_text('[jwks]\nnetworks = ["127.0.0.0/8"]\n')
    with running(tmp_path / "state", "--upstream", api.url, "--config", str(config)) as up:
        entries = (each.split() for each in SAVED)
        saved = ", ".join(f'{{ method = "{method}", path = "{path}" }}' for method, path in entries)
        text = policy(api.url).replace("saved = [", f"saved = [{saved}, ")
        assert apply(up.state, text).returncode == 0
        yield up


def run(up: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`hoplon tokens …`, which must succeed."""
    done = hoplon(up.state, "tokens", *arguments)
    assert done.returncode == 0, done.stderr
    return done


def jwks_file(folder: Path, *signers: Signer) -> str:
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": [dict(signer.jwk) for signer in signers]}))
    return str(file)


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"sub": "ann", "iss": ISSUER, "iat": now, "exp": now + 600, **more}


def ask(
    up: Installation, token: str | None, path: str = "/users/ann/orders", method: str = "GET", **more: str
) -> Answer:
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return up.client().send(method, path, **{**headers, **more})


def demand_valid(up: Installation, *options: str) -> None:
    run(
        up,
        "rules",
        "add",
        "Users only",
        'is_jwt_valid("main")',
        "--action",
        "block",
        "--exclude",
        "GET /open",
        *options,
    )


@pytest.mark.parametrize("make", [rsa_signer, ec_signer, ed_signer, hmac_signer])
def test_a_pasted_key_verifies_and_everything_else_is_blocked(up: Installation, tmp_path: Path, make: Any) -> None:
    signer, other = make("key"), rsa_signer("key")
    run(up, "add", "--id", "main", "--jwks", jwks_file(tmp_path, signer), "--issuer", ISSUER)
    demand_valid(up)
    await_true(lambda: ask(up, None).status == 403, "the rule acts")
    good = signer.token(claims())
    assert ask(up, good).status == 200
    now = int(time.time())
    forged = f"{good[:-8]}{'A' * 8}"
    refused = {
        "expired": signer.token(claims(exp=now - 120)),
        "not yet valid": signer.token(claims(nbf=now + 120)),
        "forged": forged,
        "another key": other.token(claims()) if signer.alg != "RS256" else ec_signer("key").token(claims()),
        "another issuer": signer.token(claims(iss="https://evil.example")),
        "no algorithm": signer.token(claims(), alg="none"),
        "nonsense": "a.b.c",
    }
    assert {name: ask(up, token).status for name, token in refused.items()} == dict.fromkeys(refused, 403)
    assert ask(up, None, "/open").status == 200, "an excluded operation"
    assert ask(up, None, "/elsewhere").status == 200, "what is no saved operation comes under no rule"
    preflight = {"origin": "https://app.example", "access-control-request-method": "GET"}
    assert ask(up, None, method="OPTIONS", **preflight).status == 200
    blocked = ask(up, refused["forged"])
    record = up.record(blocked.id)
    assert record["action"] == "block" and good not in json.dumps(record)


def test_an_operator_may_ask_for_a_valid_token_or_none(up: Installation, tmp_path: Path) -> None:
    signer = ec_signer("key")
    run(up, "add", "--id", "main", "--jwks", jwks_file(tmp_path, signer))
    run(up, "rules", "add", "If any", 'is_jwt_valid("main") or not is_jwt_present("main")', "--action", "block")
    await_true(lambda: ask(up, "a.b.c").status == 403, "the rule acts")
    assert (ask(up, None).status, ask(up, signer.token(claims())).status) == (200, 200)


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as server:
        server.headers = {"cache-control": "max-age=60"}
        yield server


def test_keys_of_a_url_are_rotated_under_traffic(up: Installation, server: KeyServer) -> None:
    old, new = rsa_signer("old"), ec_signer("new")
    server.give([old.jwk])
    run(up, "add", "--id", "main", "--jwks-url", server.url)
    demand_valid(up)
    await_true(lambda: ask(up, old.token(claims())).status == 200, "the worker has fetched the keys")
    assert ask(up, new.token(claims())).status == 403
    bundle = up.status()["bundle"]
    server.give([old.jwk, new.jwk])
    run(up, "keys", "refresh", "main")
    await_true(lambda: ask(up, new.token(claims())).status == 200, "the new key has come")
    assert ask(up, old.token(claims())).status == 200
    assert up.status()["bundle"] != bundle
    server.give([new.jwk])
    run(up, "keys", "refresh", "main")
    await_true(lambda: ask(up, old.token(claims())).status == 403, "the old key has gone")
    server.status = 500
    said = json.loads(run(up, "keys", "refresh", "main", "--json").stdout)
    assert "500" in said["key_set"]["error"]
    assert ask(up, new.token(claims())).status == 200, "the last good keys stay"
    assert "tokens.keys" in up.doctor()


def test_conditions_on_claims_decide_who_may_what(up: Installation, tmp_path: Path) -> None:
    signer = ec_signer("key")
    run(up, "add", "--id", "main", "--jwks", jwks_file(tmp_path, signer))
    own = 'claim("sub") eq path_variable("user")'
    run(up, "authorization", "add", "GET /users/{user}/orders", own, "--action", "block")
    run(
        up, "authorization", "add", "POST /users/{id}/orders", 'claim_has("scope", "orders:write")', "--action", "block"
    )
    await_true(lambda: ask(up, None).status == 403, "the condition acts")
    ann, writer = signer.token(claims()), signer.token(claims(scope="orders:read orders:write"))
    assert ask(up, ann).status == 200
    assert ask(up, ann, "/users/bob/orders").status == 403
    assert ask(up, ann, "/users/%61nn/orders").status == 200
    assert ask(up, ann, method="POST").status == 403
    assert ask(up, writer, method="POST").status == 200
    assert ask(up, signer.token(claims(scope=["orders:write"])), method="POST").status == 200
    assert ask(up, signer.token(claims(exp=1)), "/users/ann/orders").status == 403, "only verified claims are read"
    blocked = ask(up, ann, "/users/bob/orders")
    up.record(blocked.id)
    decision = hoplon(up.state, "decisions", blocked.id, "--json").stdout
    assert '"tokens.authorization"' in decision
    assert own.replace('"', '\\"') in decision, "the rule is named as it is written"


def test_a_claim_of_a_verified_token_is_the_session(up: Installation, tmp_path: Path, api: Upstream) -> None:
    signer = ec_signer("key")
    run(up, "add", "--id", "main", "--jwks", jwks_file(tmp_path, signer))
    text = hoplon(up.state, "policy", "export").stdout
    identified = text.replace("identifiers = []", 'identifiers = [{ type = "jwt", name = "main:$.sub" }]')
    done = apply(up.state, identified)
    assert done.returncode == 0, done.stderr

    def session(token: str) -> tuple[object, object]:
        record = up.record(ask(up, token).id)
        return record["session"], record["session_source"]

    one, two, bob = (session(signer.token(claims(**more))) for more in ({"jti": "1"}, {"jti": "2"}, {"sub": "bob"}))
    forged = session(rsa_signer("key").token(claims()))
    assert one == two and one[1] == "identifier"
    assert bob[1] == "identifier" and bob[0] != one[0]
    assert forged[1] == "authorization"
