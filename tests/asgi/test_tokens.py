"""Tokens and who may what, in process: the engine verifies, and the Shield answers."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("hoplon._native")

from hoplon.asgi import Shield
from hoplon.model.actor import SYSTEM
from hoplon.service.policy import find_zone
from hoplon.service.secrets import put_secret
from hoplon.service.token_store import SECRET_KIND, secret_name
from hoplon.service.workspace import open_workspace
from support.asgi import Answered, Echo, ask, put_in_place
from support.jwks import hmac_signer, rsa_signer

POLICY = """format = 1
[zone]
upstreams = [{{ url = "http://127.0.0.1:9" }}]
[operations]
saved = [{{ method = "GET", path = "/users/{{user}}" }}]
[[tokens.configurations]]
id = "main"
token_sources = ['http.request.headers["authorization"][0]']
keys = [{{ {key} }}]
[[tokens.authorization]]
operation = "GET /users/{{user}}"
condition = 'claim("sub") eq path_variable("user")'
action = "block"
"""


def policy(jwk: Mapping[str, str]) -> str:
    return POLICY.format(key=", ".join(f'{name} = "{value}"' for name, value in jwk.items()))


def who_asks(shield: Shield, path: str, token: str | None) -> Answered:
    credentials = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    return ask(shield, path, headers=[(b"host", b"api.test"), *credentials])


def test_only_the_user_of_a_verified_token_gets_to_its_own_object(tmp_path: Path) -> None:
    signer, echo = rsa_signer(), Echo()
    shield = Shield(echo, bundles=put_in_place(tmp_path / "state", policy(signer.jwk)))
    alice = signer.token({"sub": "alice", "exp": int(time.time()) + 60})
    assert who_asks(shield, "/users/alice", alice).status == 200
    forged = rsa_signer("rsa-2").token({"sub": "bob", "exp": int(time.time()) + 60})
    for path, token in (
        ("/users/bob", alice),
        ("/users/bob", forged),
        ("/users/alice", None),
        ("/users/alice", "x.y.z"),
    ):
        answered = who_asks(shield, path, token)
        assert answered.status == 403 and token not in (answered.body.decode(), ""), path
    assert [scope["path"] for scope in echo.scopes] == ["/users/alice"]


def test_a_secret_key_reaches_the_shield_beside_the_bundle(tmp_path: Path) -> None:
    signer = hmac_signer()
    state = tmp_path / "state"
    bundles = put_in_place(state, POLICY.partition("[[tokens")[0].format())
    with open_workspace(state) as workspace:
        name = secret_name(find_zone(workspace, None).zone_id, "main", "hmac-1")
        secret_id = put_secret(workspace, SYSTEM, SECRET_KIND, name, b"s" * 32)
    put_in_place(
        state, policy({name: text for name, text in signer.jwk.items() if name != "k"} | {"secret": secret_id})
    )
    assert all(b"c3Nzc3" not in part.read_bytes() for part in (bundles / "parts").iterdir())
    secrets = state / "keys" / "token_secrets.json"
    shield = Shield(Echo(), bundles=bundles)
    token = signer.token({"sub": "alice", "exp": int(time.time()) + 60})
    assert who_asks(shield, "/users/alice", token).status == 200
    kept = secrets.read_bytes()
    secrets.write_text('{"format": 1, "secrets": {}}')
    shield.refresh()
    assert who_asks(shield, "/users/alice", token).status == 403, "without its secret a key verifies nothing"
    secrets.write_bytes(kept)
    shield.refresh()
    assert who_asks(shield, "/users/alice", token).status == 200
