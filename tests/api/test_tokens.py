"""Tokens over the API: Cloudflare's forms in and out, a secret once, and nobody grants more than he has."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hoplon.api.token_forms import TokenBody, spec_of_body, token_form
from hoplon.model.actor import SYSTEM
from hoplon.model.permissions import GROUPS, group_named
from hoplon.service.token_wishes import TokenWish, spec_of_wish
from hoplon.service.tokens import create_token
from hoplon.service.workspace import Workspace
from hoplon.storage.database import reading
from hoplon.storage.policies import all_zones, the_account
from support.api_server import Client, serving

TOKENS = "/client/v4/user/tokens"
ZONE_READ = group_named("Zone Read").id


def secret_of(workspace: Workspace, *permissions: str, **wish: Any) -> str:
    return create_token(workspace, SYSTEM, spec_of_wish(workspace, TokenWish("made", permissions, **wish)), None)[1]


@pytest.fixture
def owner(workspace: Workspace) -> Iterator[Client]:
    """A client whose token may do everything, at the real door."""
    with serving(workspace, authorise=None) as client:
        yield Client(client.host, client.port, secret_of(workspace))


@pytest.fixture
def zone(workspace: Workspace) -> str:
    with reading(workspace.database) as connection:
        return all_zones(connection)[0].id


def body(zone: str, **more: Any) -> dict[str, Any]:
    resources = {f"com.cloudflare.api.account.zone.{zone}": "*"}
    policy = {"effect": "allow", "permission_groups": [{"id": ZONE_READ, "meta": {"x": "y"}}], "resources": resources}
    return {"name": "made", "policies": [policy], **more}


def as_(client: Client, secret: str) -> Client:
    return Client(client.host, client.port, secret)


def test_a_token_lives_and_dies(owner: Client, zone: str) -> None:
    made = owner.ask("POST", TOKENS, body(zone)).result
    path, guest = f"{TOKENS}/{made['id']}", as_(owner, made["value"])
    assert made["policies"][0]["permission_groups"] == [{"id": ZONE_READ, "name": "Zone Read"}]
    assert [each["id"] for each in guest.get("/client/v4/zones").result] == [zone]
    assert "value" not in owner.get(path).result
    assert made["value"] not in owner.get(f"{TOKENS}?include_expired=true").content.decode()
    changed = owner.ask("PUT", path, {**body(zone), "name": "other", "status": "disabled"}).result
    assert (changed["name"], changed["status"]) == ("other", "disabled")
    assert guest.get("/client/v4/zones").status == 401
    owner.ask("PUT", path, body(zone))
    rolled = owner.ask("PUT", f"{path}/value", {}).result
    assert guest.get("/client/v4/zones").status == 401
    assert as_(owner, rolled).get("/client/v4/zones").status == 200
    assert owner.ask("DELETE", path).result == {"id": made["id"]}
    assert as_(owner, rolled).get("/client/v4/zones").status == 401
    assert owner.get(path).error["code"] == 11101


def test_the_account_has_the_same_tokens_as_the_user(workspace: Workspace, owner: Client, zone: str) -> None:
    with reading(workspace.database) as connection:
        account = the_account(connection).id
    made = owner.ask("POST", f"/client/v4/accounts/{account}/tokens", body(zone)).result
    assert owner.get(f"{TOKENS}/{made['id']}").result["id"] == made["id"]
    assert owner.get(f"/client/v4/accounts/{'f' * 32}/tokens").error["code"] == 11001


def test_a_token_verifies_itself_whatever_it_may_do(owner: Client, workspace: Workspace) -> None:
    guest = as_(owner, secret_of(workspace, "Zone Read", expires="1h"))
    reply = guest.get(f"{TOKENS}/verify")
    assert reply.result["status"] == "active"
    assert "expires_on" in reply.result
    assert reply.json["messages"][0]["message"] == "This API Token is valid and active"
    assert as_(owner, "hoplon_nonsense").get(f"{TOKENS}/verify").status == 401


def test_what_was_got_can_be_sent_back(owner: Client, zone: str) -> None:
    condition = {"request_ip": {"in": ["127.0.0.0/8", "2606:4700::/32"], "not_in": ["127.9.9.9/32"]}}
    times = {"expires_on": "2040-01-01T00:00:00Z", "not_before": "2018-07-01T05:20:00Z"}
    made = owner.ask("POST", TOKENS, body(zone, condition=condition, **times)).result
    path = f"{TOKENS}/{made['id']}"
    got = owner.get(path).result
    assert got["condition"] == condition
    assert got["expires_on"].startswith("2040-01-01T00:00:00")
    again = owner.ask("PUT", path, got).result
    for known in (got, again):
        known.pop("modified_on")
        known["policies"][0].pop("id")
    assert again == got


def test_both_spellings_of_the_condition_are_taken(owner: Client, zone: str) -> None:
    made = owner.ask("POST", TOKENS, body(zone, condition={"request.ip": {"in": ["192.0.2.1"]}})).result
    assert made["condition"] == {"request_ip": {"in": ["192.0.2.1/32"]}}


ANY_ZONE = {"com.cloudflare.api.account.zone.*": "*"}


@pytest.mark.parametrize(
    ("resources", "shown"),
    [
        (ANY_ZONE, ANY_ZONE),
        ({"com.cloudflare.api.account.*": "*"}, {"com.cloudflare.api.account.*": "*"}),
        ({"com.cloudflare.api.account.A": ANY_ZONE}, {"com.cloudflare.api.account.A": ANY_ZONE}),
        ({"com.cloudflare.api.account.*": ANY_ZONE}, ANY_ZONE),
        ({"com.cloudflare.api.user.A": "*"}, {"com.cloudflare.api.user.A": "*"}),
        (
            {"com.cloudflare.api.account.A": {"com.cloudflare.api.account.zone.Z": "*"}, **ANY_ZONE},
            {"com.cloudflare.api.account.A": {"com.cloudflare.api.account.zone.Z": "*"}, **ANY_ZONE},
        ),
    ],
)
def test_every_form_of_a_resource_is_read_and_written(
    workspace: Workspace, owner: Client, zone: str, resources: dict[str, Any], shown: dict[str, Any]
) -> None:
    with reading(workspace.database) as connection:
        account = the_account(connection).id

    def filled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name.replace("account.A", f"account.{account}")
            .replace("user.A", f"user.{account}")
            .replace("zone.Z", f"zone.{zone}"): filled(inner)
            for name, inner in value.items()
        }

    sent = body(zone)
    sent["policies"][0]["resources"] = filled(resources)
    assert owner.ask("POST", TOKENS, sent).result["policies"][0]["resources"] == filled(shown)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 121}, "/name"),
        ({"policies": []}, "/policies"),
        ({"condtion": {}}, "/condtion"),
        ({"condition": {"request_ip": {"in": ["here"]}}}, "/condition/request_ip/in/0"),
        ({"condition": {"request_ip": {}, "request.ip": {}}}, "/condition"),
        ({"expires_on": "tomorrow"}, "/expires_on"),
        ({"expires_on": "2020-01-01T00:00:00Z", "not_before": "2021-01-01T00:00:00Z"}, "/expires_on"),
        ({"groups": [{"id": "0" * 32}]}, "/policies/0/permission_groups/0/id"),
        ({"groups": []}, "/policies/0/permission_groups"),
        ({"resources": {}}, "/policies/0/resources"),
        ({"resources": {"com.cloudflare.api.account.zone." + "f" * 32: "*"}}, "/policies/0/resources"),
        ({"resources": {"com.cloudflare.api.account." + "f" * 32: "*"}}, "/policies/0/resources"),
        ({"resources": {"com.cloudflare.edge.r2.bucket.x": "*"}}, "/policies/0/resources"),
        ({"resources": {"com.cloudflare.api.account.*": "yes"}}, "/policies/0/resources"),
        ({"resources": {"com.cloudflare.api.account.*": {}}}, "/policies/0/resources"),
        (
            {"resources": {"com.cloudflare.api.account.zone.*": {"com.cloudflare.api.account.zone.*": "*"}}},
            "/policies/0/resources",
        ),
        ({"effect": "maybe"}, "/policies/0/effect"),
    ],
)
def test_what_is_wrong_is_pointed_at(owner: Client, zone: str, change: dict[str, Any], pointer: str) -> None:
    sent = body(zone)
    for name, member in (("groups", "permission_groups"), ("resources", "resources"), ("effect", "effect")):
        if name in change:
            sent["policies"][0][member] = change.pop(name)
    reply = owner.ask("POST", TOKENS, {**sent, **change})
    assert reply.status == 400
    assert pointer in {each["source"]["pointer"] for each in reply.json["errors"]}


def test_nobody_grants_more_than_he_has(workspace: Workspace, owner: Client, zone: str) -> None:
    guest = as_(owner, secret_of(workspace, "API Tokens Write", "Zone Read"))
    assert guest.ask("POST", TOKENS, body(zone)).status == 200
    more = body(zone)
    more["policies"][0]["permission_groups"] = [{"id": group_named("Zone Write").id}]
    refused = guest.ask("POST", TOKENS, more)
    assert (refused.status, refused.error["code"], refused.error["source"]["pointer"]) == (403, 11103, "/policies")
    everything = next(
        each["id"] for each in owner.get(TOKENS).result if len(each["policies"][0]["permission_groups"]) > 5
    )
    assert guest.ask("PUT", f"{TOKENS}/{everything}/value", {}).status == 403


def test_the_permission_groups_are_listed_and_found(owner: Client) -> None:
    path = f"{TOKENS}/permission_groups"
    assert [each["id"] for each in owner.get(path).result] == [group.id for group in GROUPS]
    assert [each["id"] for each in owner.get(f"{path}?name=zone%20read").result] == [ZONE_READ]
    users = owner.get(f"{path}?scope=com.cloudflare.api.user").result
    assert {each["name"] for each in users} == {"API Tokens Read", "API Tokens Write"}


def test_pages_of_tokens_end(workspace: Workspace, owner: Client) -> None:
    for _ in range(6):
        secret_of(workspace, "Zone Read")
    first, second, third = (owner.get(f"{TOKENS}?per_page=5&page={page}") for page in (1, 2, 3))
    assert (len(first.result), len(second.result), third.result) == (5, 2, [])
    assert first.json["result_info"]["total_count"] == 7


def test_form_and_body_say_the_same(workspace: Workspace) -> None:
    token, _ = create_token(workspace, SYSTEM, spec_of_wish(workspace, TokenWish("all")), None)
    form = token_form(token)
    spec = spec_of_body(TokenBody.model_validate_json(json.dumps(form)))
    assert [(each.effect, each.resources, each.groups) for each in spec.policies] == [
        (each.effect, each.resources, each.groups) for each in token.policies
    ]
