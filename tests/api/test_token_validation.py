"""`token_validation/config` over HTTP: configurations and their keys, as Cloudflare's clients see them."""

from typing import Any

import pytest

from hoplon.service.policy import export_policy, find_zone
from hoplon.service.secrets import list_secrets, open_secret
from hoplon.service.workspace import Workspace
from hoplon.storage.token_secrets import read_token_secrets
from support.api_server import Client, Reply
from support.jwks import ec_signer, hmac_signer, rsa_signer

RSA = dict(rsa_signer("key-1").jwk)
EC = dict(ec_signer("key-2").jwk)
OCT = dict(hmac_signer("shared").jwk)
OTHER = dict(hmac_signer("other", b"o" * 32).jwk)
SOURCES = ['http.request.headers["authorization"][0]', 'http.request.cookies["Authorization"][0]']


@pytest.fixture
def path(workspace: Workspace) -> str:
    return f"/client/v4/zones/{find_zone(workspace, None).zone_id}/token_validation/config"


def wanted(*keys: dict[str, Any], **more: Any) -> dict[str, Any]:
    basis = {"title": "Production", "description": "Of our users", "token_type": "JWT", "token_sources": SOURCES}
    return {**basis, "credentials": {"keys": list(keys or (RSA,))}, **more}


def public(jwk: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in jwk.items() if name != "k"}


def keys_of(reply: Reply) -> Any:
    return reply.result["credentials"]["keys"]


def test_a_configuration_is_made_read_listed_and_removed(client: Client, path: str) -> None:
    made = client.ask("POST", path, wanted(RSA, EC))
    assert keys_of(made) == [RSA, EC]
    assert (made.result["title"], made.result["token_type"], made.result["token_sources"]) == (
        "Production",
        "JWT",
        SOURCES,
    )
    assert made.result["created_at"] == made.result["last_updated"]
    one = f"{path}/{made.result['id']}"
    assert client.get(one).result == made.result
    assert client.get(path).result == [made.result]
    assert client.get(f"{path}?page=2").result == []
    assert client.ask("DELETE", one).result == {"id": made.result["id"]}
    assert client.get(one).status == 404
    assert client.get(path).result == []


def test_an_edit_changes_what_it_names_only(client: Client, path: str) -> None:
    made = client.ask("POST", path, wanted())
    edited = client.ask("PATCH", f"{path}/{made.result['id']}", {"title": "Staging"})
    assert edited.result == {
        "id": made.result["id"],
        "title": "Staging",
        "description": "Of our users",
        "token_sources": SOURCES,
    }
    now = client.get(f"{path}/{made.result['id']}").result
    assert (now["credentials"], now["created_at"]) == (made.result["credentials"], made.result["created_at"])
    assert now["last_updated"] > now["created_at"]


def test_what_was_done_to_keys_is_said(client: Client, path: str) -> None:
    unnamed = {name: value for name, value in RSA.items() if name != "alg"}
    made = client.ask("POST", path, wanted({**unnamed, "use": "sig"}, {**EC, "use": "enc"}))
    assert keys_of(made) == [RSA]
    messages = made.json["messages"]
    assert messages[0]["message"].endswith('keys[0].alg was omitted and defaulted to "RS256" (kid "key-1")')
    assert [message["code"] for message in messages] == [110003, 110102, 110101]


def test_a_secret_is_kept_apart_and_never_given_back(client: Client, path: str, workspace: Workspace) -> None:
    made = client.ask("POST", path, wanted(OCT))
    identity = made.result["id"]
    assert keys_of(made) == [public(OCT)]
    secret_ids = [info.id for info in list_secrets(workspace) if info.kind == "token_key"]
    assert open_secret(workspace, secret_ids[0]) == b"s" * 32
    workspace.assembler.settle()
    assert read_token_secrets(workspace.state) == {secret_ids[0]: OCT["k"]}
    everything = [made.content, client.get(path).content, client.get(f"{path}/{identity}").content]
    everything += [export_policy(workspace).encode()]
    everything += [part.read_bytes() for part in workspace.state.bundle_parts.iterdir()]
    assert not [where for where in everything if OCT["k"].encode() in where]
    assert secret_ids[0] in export_policy(workspace)


def test_put_replaces_all_keys_and_needs_their_secrets(client: Client, path: str) -> None:
    one = f"{path}/{client.ask('POST', path, wanted(RSA, EC)).result['id']}/credentials"
    assert client.ask("PUT", one, {"keys": [EC]}).result == {"keys": [EC]}
    assert client.ask("PUT", one, {"keys": [OCT]}).result == {"keys": [public(OCT)]}
    refused = client.ask("PUT", one, {"keys": [public(OCT)]})
    assert (refused.status, refused.error["source"]["pointer"]) == (400, "/keys/0")


def test_patch_keeps_the_secrets_that_it_leaves_out(client: Client, path: str, workspace: Workspace) -> None:
    identity = client.ask("POST", path, wanted(OCT)).result["id"]
    one = f"{path}/{identity}/credentials"
    workspace.assembler.settle()
    before = read_token_secrets(workspace.state)
    assert client.ask("PATCH", one, {"keys": [public(OCT), OTHER]}).result == {"keys": [public(OCT), public(OTHER)]}
    workspace.assembler.settle()
    assert before.items() < read_token_secrets(workspace.state).items()
    rotated = {**OCT, "k": hmac_signer(secret=b"t" * 32).jwk["k"]}
    client.ask("PATCH", one, {"keys": [rotated]})
    workspace.assembler.settle()
    workspace.assembler.settle()
    assert set(read_token_secrets(workspace.state).values()) == {rotated["k"]}
    assert client.ask("PATCH", one, {"keys": [{**OCT, "k": None}]}).status == 400
    assert client.ask("PATCH", one, {"keys": [{**public(OCT), "kid": "unknown"}]}).status == 400


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"title": "x" * 51}, "/title"),
        ({"description": "x" * 501}, "/description"),
        ({"token_type": "PASETO"}, "/token_type"),
        ({"token_sources": []}, "/token_sources"),
        ({"token_sources": SOURCES * 3}, "/token_sources"),
        ({"token_sources": ["http.request.body.raw"]}, "/token_sources/0"),
        ({"token_sources": ['http.request.headers["authorization"][1]']}, "/token_sources/0"),
        ({"credentials": {"keys": []}}, "/credentials/keys"),
        ({"credentials": {"keys": [{**RSA, "d": "AQAB"}]}}, "/credentials/keys/0/d"),
        ({"credentials": {"keys": [RSA, RSA]}}, "/credentials/keys"),
        ({"credentials": {"keys": [RSA, OCT]}}, "/credentials/keys"),
        ({"credentials": {"keys": [{**RSA, "kid": str(n)} for n in range(17)]}}, "/credentials/keys"),
        ({"credentials": {"keys": "x"}}, "/credentials/keys"),
        ({"credentials": None}, "/credentials"),
    ],
)
def test_a_wrong_configuration_changes_nothing(client: Client, path: str, more: dict[str, Any], pointer: str) -> None:
    reply = client.ask("POST", path, wanted(**more))
    assert (reply.status, reply.error["source"]["pointer"]) == (400, pointer)
    assert client.get(path).result == []


def test_there_are_at_most_32_configurations(client: Client, path: str) -> None:
    for number in range(32):
        assert client.ask("POST", path, wanted(title=f"number {number}")).status == 200
    assert client.ask("POST", path, wanted()).error["code"] == 11803
    assert [len(client.get(f"{path}?per_page=20&page={page}").result) for page in (1, 2, 3)] == [20, 12, 0]


def test_what_identifies_sessions_is_in_use(client: Client, path: str) -> None:
    identity = client.ask("POST", path, wanted()).result["id"]
    sessions = path.replace("token_validation/config", "api_gateway/configuration")
    claim = {"auth_id_characteristics": [{"type": "jwt", "name": f"{identity}:$.sub"}]}
    assert client.ask("PUT", sessions, claim).result == claim
    reply = client.ask("DELETE", f"{path}/{identity}")
    assert (reply.status, reply.error["code"]) == (409, 11804)
    assert "session identifier" in reply.error["message"]
    client.ask("PUT", sessions, {"auth_id_characteristics": []})
    assert client.ask("DELETE", f"{path}/{identity}").status == 200
    refused = client.ask("PUT", sessions, claim)
    assert (refused.status, refused.error["source"]["pointer"]) == (400, "/auth_id_characteristics/0/name")
    assert identity in refused.error["message"]


def test_secrets_go_with_their_zone(client: Client, path: str, workspace: Workspace) -> None:
    account = client.get("/client/v4/accounts").result[0]["id"]
    other = client.ask("POST", "/client/v4/zones", {"name": "other.example", "account": {"id": account}}).result["id"]
    kept, gone = path, path.replace(path.split("/")[4], other)
    assert [client.ask("POST", each, wanted(OCT)).status for each in (kept, gone)] == [200, 200]
    assert len(list_secrets(workspace)) == 2
    client.ask("DELETE", f"/client/v4/zones/{other}")
    assert [info.name.split("/")[0] for info in list_secrets(workspace)] == [path.split("/")[4]]
