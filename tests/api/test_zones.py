"""`/zones` and `/accounts` as SDKs ask for them, and the upstreams that Cloudflare has no word for."""

from typing import Any

import pytest

from hoplon.api.auth import Caller
from hoplon.api.zones import matches_text
from hoplon.service.workspace import Workspace
from support.api_server import TESTER, Client, serving

ZONES = "/client/v4/zones"


def create(client: Client, name: str, **more: Any) -> Any:
    return client.ask("POST", ZONES, {"name": name, "account": {}, **more}).result


def names(client: Client, query: str) -> list[str]:
    return [zone["name"] for zone in client.get(f"{ZONES}?{query}").result]


def test_the_account_is_one_and_owns_every_zone(client: Client) -> None:
    (account,) = client.get("/client/v4/accounts").result
    assert client.get(f"/client/v4/accounts/{account['id']}").result == account
    assert client.get(ZONES).result[0]["account"] == {"id": account["id"], "name": account["name"]}
    assert client.get(f"/client/v4/accounts/{'0' * 32}").error["code"] == 11001
    assert client.get("/client/v4/accounts?page=2").result == []
    assert client.get("/client/v4/accounts?name=nobody").json["result_info"]["total_count"] == 0


def test_a_new_zone_waits_for_upstreams_and_is_active_with_them(client: Client) -> None:
    zone = create(client, "shop.example")
    assert (zone["status"], zone["activated_on"], zone["type"]) == ("pending", None, "full")
    path = f"/hoplon/v1/zones/{zone['id']}/upstreams"
    assert client.get(path).result == {"hosts": ["shop.example", "{hostvar1}.shop.example"], "upstreams": []}
    reply = client.ask("PUT", path, {"upstreams": [{"url": "http://127.0.0.1:9000"}]}, headers={"If-Match": '"1"'})
    assert reply.result["upstreams"][0]["url"] == "http://127.0.0.1:9000"
    assert reply.headers["etag"] == '"2"'
    assert client.get(f"{ZONES}/{zone['id']}").result["status"] == "active"


def test_what_is_read_of_the_upstreams_can_be_written_back(client: Client) -> None:
    path = f"/hoplon/v1/zones/{create(client, 'shop.example')['id']}/upstreams"
    wish = [{"url": "http://127.0.0.1:9000"}, {"url": "http://127.0.0.1:9001", "drain": True}]
    written = client.ask("PUT", path, {"upstreams": wish}).result["upstreams"]
    assert [upstream["drain"] for upstream in written] == [False, True]
    assert client.ask("PUT", path, {"upstreams": written}).result["upstreams"] == written
    refused = client.ask("PUT", path, {"upstreams": wish[1:]})
    assert (refused.status, refused.error["source"]["pointer"]) == (400, "/upstreams")


def test_a_change_for_an_older_version_is_refused(client: Client) -> None:
    zone = create(client, "shop.example")
    path = f"/hoplon/v1/zones/{zone['id']}/upstreams"
    body = {"upstreams": [{"url": "http://127.0.0.1:9000"}]}
    for tag in ('"7"', 'W/"9"', '"abc"'):
        reply = client.ask("PUT", path, body, headers={"If-Match": tag})
        assert (reply.status, reply.error["code"]) == (412, 10412), tag
    assert client.ask("PUT", path, body, headers={"If-Match": "1"}).status == 400
    assert client.ask("PUT", path, body, headers={"If-Match": "*"}).status == 200


def test_what_is_wrong_in_an_upstream_is_pointed_at(client: Client) -> None:
    zone = create(client, "shop.example")
    path = f"/hoplon/v1/zones/{zone['id']}/upstreams"
    wrong = [
        ({"upstreams": [{"url": "ftp://x"}]}, "/upstreams/0/url"),
        ({"upstreams": [{}]}, "/upstreams/0/url"),
        ({"upstreams": [{"url": "http://x", "weight": 1}]}, "/upstreams/0/weight"),
        ({"upstreams": {}}, "/upstreams"),
    ]
    for body, pointer in wrong:
        reply = client.ask("PUT", path, body)
        assert (reply.status, reply.error["source"]["pointer"]) == (400, pointer), body


def test_zones_are_filtered_sorted_and_paged(client: Client) -> None:
    for name in ("a.example", "b.example", "c.test"):
        create(client, name)
    assert names(client, "name=a.example") == ["a.example"]
    assert names(client, "name=ends_with:.example") == ["a.example", "b.example"]
    assert names(client, "status=active") == ["default"]
    assert names(client, "status=pending&direction=desc") == ["c.test", "b.example", "a.example"]
    assert names(client, "order=status&direction=asc")[0] == "default"
    assert names(client, "name=a.example&status=active&match=all") == []
    assert names(client, "name=a.example&status=active&match=any") == ["a.example", "default"]
    assert names(client, "type=partial,secondary") == []
    assert len(names(client, "type=full&type=partial")) == 4
    assert names(client, "account.id=nobody") == []
    assert names(client, "account.id=nobody&name=a.example&match=any") == ["a.example"]


def test_a_token_of_some_zones_sees_those(workspace: Workspace) -> None:
    with serving(workspace) as all_seeing:
        zone = create(all_seeing, "a.example")
    with serving(workspace, authorise=lambda *_: Caller(TESTER, frozenset({zone["id"]}))) as client:
        assert names(client, "") == ["a.example"]


def test_a_zone_can_be_deleted_unless_gateways_would_have_none_left(client: Client) -> None:
    zone = create(client, "a.example")
    assert client.ask("DELETE", f"{ZONES}/{zone['id']}").result == {"id": zone["id"]}
    assert client.get(f"{ZONES}/{zone['id']}").status == 404
    last = client.get(ZONES).result[0]
    reply = client.ask("DELETE", f"{ZONES}/{last['id']}")
    assert (reply.status, reply.error["code"]) == (409, 11016)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "default", "account": {}}, 409, 11014),
        ({"name": "no host name", "account": {}}, 400, 11021),
        ({"name": "a.example", "account": {"id": "f" * 32}}, 404, 11001),
        ({"name": "a.example", "type": "partial"}, 400, 11015),
        ({"name": "a.example", "type": "whole"}, 400, 10404),
        ({"name": 7}, 400, 10404),
        ({"name": "x" * 254}, 400, 10404),
        ({}, 400, 10404),
        ([], 400, 10404),
    ],
)
def test_a_zone_that_cannot_be_created_changes_nothing(client: Client, body: Any, status: int, code: int) -> None:
    reply = client.ask("POST", ZONES, body)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert len(client.get(ZONES).result) == 1


def test_what_a_zone_cannot_become_is_refused_and_what_it_is_accepted(client: Client) -> None:
    zone = client.get(ZONES).result[0]
    path = f"{ZONES}/{zone['id']}"
    for body in ({"paused": True}, {"type": "partial"}, {"vanity_name_servers": ["ns1.example"]}):
        reply = client.ask("PATCH", path, body)
        assert (reply.status, reply.error["code"]) == (400, 11015)
    assert client.ask("PATCH", path, {"paused": False, "unknown": 1}).result == zone


def test_operators_of_text_filters() -> None:
    assert matches_text("shop.example", "SHOP.example")
    assert matches_text("shop.example", "starts_with:Shop")
    assert not matches_text("shop.example", "starts_with_case_sensitive:Shop")
    assert matches_text("shop.example", "not_equal:other")
    assert not matches_text("shop.example", "near:shop")
