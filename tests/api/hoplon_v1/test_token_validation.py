"""`/hoplon/v1/zones/{zone_id}/token_validation`: what Cloudflare has no word for, over HTTP."""

from typing import Any

import pytest

from hoplon.service.policy import find_zone
from hoplon.service.workspace import Workspace
from support.api_server import Client
from support.jwks import hmac_signer, rsa_signer

RSA, OCT = dict(rsa_signer().jwk), dict(hmac_signer().jwk)
SOURCES = ['http.request.headers["authorization"][0]']
URL = "https://issuer.example/jwks.json"


@pytest.fixture
def zone(workspace: Workspace) -> str:
    return find_zone(workspace, None).zone_id


@pytest.fixture
def path(zone: str) -> str:
    return f"/hoplon/v1/zones/{zone}/token_validation"


def test_a_configuration_says_all_that_hoplon_knows(client: Client, path: str, zone: str) -> None:
    demands = {"issuers": ["https://i"], "audiences": ["a"], "types": ["at+jwt"], "required_claims": ["sub"]}
    wanted = {"id": "main", "title": "t", "token_sources": SOURCES, "max_age_seconds": 60, **demands}
    made = client.ask("POST", f"{path}/config", {**wanted, "keys": [OCT]})
    assert {name: made.result[name] for name in wanted} == wanted
    assert (made.result["jwks_url"], made.result["key_set"]) == (None, None)
    assert made.result["keys"] == [{name: value for name, value in OCT.items() if name != "k"}]
    assert client.get(f"{path}/config").result == [made.result]
    edited = client.ask("PATCH", f"{path}/config/main", {"max_age_seconds": None, "issuers": []}).result
    assert (edited["max_age_seconds"], edited["issuers"], edited["audiences"]) == (None, [], ["a"])
    shown = client.get(f"/client/v4/zones/{zone}/token_validation/config/main").result
    assert (shown["id"], shown["credentials"]["keys"]) == ("main", made.result["keys"])


def test_keys_of_a_url_tell_how_fetching_goes(client: Client, path: str, zone: str) -> None:
    made = client.ask("POST", f"{path}/config", {"id": "main", "token_sources": SOURCES, "jwks_url": URL}).result
    state = made["key_set"]
    assert (made["jwks_url"], made["keys"], state["has_keys"], state["error"], state["failures"]) == (
        URL,
        [],
        False,
        None,
        0,
    )
    again = client.ask("POST", f"{path}/config/main/refresh")
    assert again.status == 200
    assert client.get(f"{path}/config").result[0]["key_set"]["due_at"] > state["due_at"]
    credentials = f"/client/v4/zones/{zone}/token_validation/config/main/credentials"
    assert client.ask("PUT", credentials, {"keys": [RSA]}).error["code"] == 11802
    assert client.ask("POST", f"{path}/config/other/refresh").status == 404


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"id": "Main", "keys": [RSA]}, "/id"),
        ({"jwks_url": "ftp://a.example/"}, "/jwks_url"),
        ({"jwks_url": "https://a.example/", "keys": [RSA], "clock_skew_seconds": 601}, "/clock_skew_seconds"),
        ({"keys": [RSA], "max_age_seconds": 0}, "/max_age_seconds"),
        ({"keys": [RSA], "issuers": [""]}, "/issuers"),
        ({"keys": [RSA], "unknown": 1}, "/unknown"),
        ({"keys": []}, "/credentials/keys"),
    ],
)
def test_a_wrong_configuration_changes_nothing(client: Client, path: str, more: dict[str, Any], pointer: str) -> None:
    reply = client.ask("POST", f"{path}/config", {"token_sources": SOURCES, **more})
    assert (reply.status, reply.error["source"]["pointer"]) == (400, pointer)
    assert client.get(f"{path}/config").result == []


def test_an_id_is_taken_once(client: Client, path: str) -> None:
    wanted = {"id": "main", "token_sources": SOURCES, "keys": [RSA]}
    assert client.ask("POST", f"{path}/config", wanted).status == 200
    assert client.ask("POST", f"{path}/config", wanted).error["source"]["pointer"] == "/id"


def test_authorization_is_replaced_and_its_faults_are_placed(client: Client, path: str, zone: str) -> None:
    client.ask("POST", f"{path}/config", {"id": "main", "token_sources": SOURCES, "keys": [RSA]})
    operation = {"method": "GET", "host": "a.example", "endpoint": "/users/{user}"}
    client.ask("POST", f"/client/v4/zones/{zone}/api_gateway/operations/item", operation)
    good = {"operation": "GET /users/{user} on a.example", "condition": 'claim("sub") eq path_variable("user")'}
    saved = client.ask("PUT", f"{path}/authorization", [{**good, "action": "block"}])
    assert [(each["condition"], each["action"], each["enabled"]) for each in saved.result] == [
        (good["condition"], "block", True)
    ]
    assert client.get(f"{path}/authorization").result == saved.result
    for wrong, pointer in (
        ({**good, "condition": 'claim("sub") eq path_variable("usr")'}, "/1/condition"),
        ({"operation": "GET /nothing", "condition": 'claim("sub") eq "ann"'}, "/1/operation"),
        ({**good, "operation": "nothing"}, "/1/operation"),
        (good, "/1"),
    ):
        reply = client.ask("PUT", f"{path}/authorization", [good, wrong])
        assert (reply.status, reply.error["source"]["pointer"]) == (400, pointer), wrong
    assert client.get(f"{path}/authorization").result == saved.result


def test_secrets_of_the_bundle_are_for_gateways(client: Client, path: str, workspace: Workspace) -> None:
    assert client.get("/hoplon/v1/bundles/secrets").result == {"secrets": {}}
    client.ask("POST", f"{path}/config", {"id": "main", "token_sources": SOURCES, "keys": [OCT]})
    workspace.assembler.settle()
    assert list(client.get("/hoplon/v1/bundles/secrets").result["secrets"].values()) == [OCT["k"]]
