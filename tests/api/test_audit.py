"""The audit log over the API, in both forms that the SDKs read."""

from typing import Any
from urllib.parse import urlencode

import pytest

from hoplon.model.actor import Actor
from hoplon.model.audit import AuditEntry
from hoplon.service.workspace import Workspace
from hoplon.storage.audit import append
from hoplon.storage.database import reading, transaction
from hoplon.storage.policies import all_zones, the_account
from support.api_server import Client

RANGE = {"since": "2020-01-01", "before": "2100-01-01T00:00:00Z"}
ALICE = Actor("user", "alice", "alice")
ROBOT = Actor("token", "t" * 32, "robot", "192.0.2.7", "r" * 32)


@pytest.fixture
def account(workspace: Workspace) -> str:
    """An account in whose log three entries follow on the zone's creation: numbers 2, 3 and 4."""
    with transaction(workspace.database) as connection:
        zone = all_zones(connection)[0].id
        append(connection, AuditEntry(ALICE, "create", "list", "l1", details={"name": "blocked"}))
        append(connection, AuditEntry(ROBOT, "delete", "operation", "o1", zone_id=zone))
        append(connection, AuditEntry(ROBOT, "roll", "token", "t1"))
        return the_account(connection).id


def listed(client: Client, path: str, **query: Any) -> list[Any]:
    found: list[Any] = client.get(f"{path}?{urlencode(query, doseq=True)}").result
    return found


def numbers(client: Client, account: str, **query: Any) -> list[int]:
    found = listed(client, f"/client/v4/accounts/{account}/audit_logs", **query)
    return [each["metadata"]["sequence"] for each in found]


def kinds(client: Client, account: str, **query: Any) -> list[str]:
    found = listed(client, f"/client/v4/accounts/{account}/logs/audit", **RANGE, **query)
    return [each["resource"]["type"] for each in found]


def test_an_entry_in_the_first_form(client: Client, account: str) -> None:
    entry = listed(client, "/client/v4/user/audit_logs", **{"action.type": "delete"})[0]
    assert entry["actor"] == {"id": "t" * 32, "email": "robot", "type": "user", "ip": "192.0.2.7"}
    assert (entry["action"], entry["interface"]) == ({"result": True, "type": "delete"}, "API")
    assert entry["resource"] == {"id": "o1", "type": "operation"}
    assert entry["metadata"]["zone_name"] == "default"
    assert len(entry["metadata"]["hash"]) == 64


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [4, 3, 2, 1]),
        ({"direction": "asc"}, [1, 2, 3, 4]),
        ({"action.type": "delete"}, [3]),
        ({"actor.email": "alice"}, [2]),
        ({"actor.ip": "192.0.2.0/24"}, [4, 3]),
        ({"zone.name": "default", "actor.email": "robot"}, [3]),
        ({"zone.name": "nowhere"}, []),
        ({"before": "2020-01-01"}, []),
        ({"since": "2100-01-01"}, []),
        ({"hide_user_logs": "true", "actor.email": "alice"}, []),
        ({"export": "true", "per_page": 1, "page": 2}, [3]),
        ({"page": 50, "per_page": 25}, []),
        ({"id": "f174be97-19b1-40d6-954d-70cd5fbd52db"}, []),
    ],
)
def test_the_filters_of_the_first_form(
    client: Client, account: str, query: dict[str, Any], expected: list[int]
) -> None:
    assert numbers(client, account, **query) == expected


def test_an_entry_in_the_second_form(client: Client, account: str) -> None:
    path = f"/client/v4/accounts/{account}/logs/audit"
    entry = listed(client, path, **RANGE, resource_type="operation")[0]
    assert entry["action"]["type"] == "delete"
    assert entry["action"]["result"] == "success"
    assert entry["actor"]["context"] == "api_token"
    assert (entry["actor"]["type"], entry["actor"]["token_name"]) == ("account", "robot")
    assert entry["raw"] == {"cf_ray_id": "r" * 32}
    assert (entry["resource"]["scope"], entry["zone"]["name"]) == ("zones", "default")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"actor_email": "robot"}, ["token", "operation"]),
        ({"actor_email.not": "robot", "resource_type": ["list", "token"]}, ["list"]),
        ({"action_type": "update"}, ["token"]),
        ({"action_type": ["update", "delete"]}, ["token", "operation"]),
        ({"action_type.not": "update", "resource_type.not": "zone"}, ["operation", "list"]),
        ({"action_type": "view"}, []),
        ({"action_result": "failure"}, []),
        ({"action_result.not": "failure", "resource_type": "list"}, ["list"]),
        ({"actor_context": "api_token"}, ["token", "operation"]),
        ({"actor_context.not": ["api_token", "dash"], "resource_type": "list"}, ["list"]),
        ({"actor_type": "account"}, ["token", "operation"]),
        ({"actor_ip_address": "192.0.2.7"}, ["token", "operation"]),
        ({"resource_scope": "zones", "actor_email": "robot"}, ["operation"]),
        ({"resource_scope": "accounts"}, ["token", "list"]),
        ({"resource_scope": "user"}, []),
        ({"zone_name": "default", "actor_email": "robot"}, ["operation"]),
        ({"zone_name": "nowhere"}, []),
        ({"account_name": "nobody"}, []),
        ({"raw_method": "GET"}, []),
        ({"raw_method.not": "GET", "resource_type": "list"}, ["list"]),
        ({"raw_cf_ray_id": "r" * 32}, ["token", "operation"]),
        ({"product_category": "hoplon", "resource_type": "list"}, ["list"]),
        ({"resource_product.not": "hoplon"}, []),
        ({"direction": "asc", "actor_email": "robot"}, ["operation", "token"]),
    ],
)
def test_the_filters_of_the_second_form(
    client: Client, account: str, query: dict[str, Any], expected: list[str]
) -> None:
    assert kinds(client, account, **query) == expected


def test_a_cursor_leads_through_the_whole_log(client: Client, account: str) -> None:
    path, cursor, found = f"/client/v4/accounts/{account}/logs/audit", "", []
    for _ in range(10):
        query = {**RANGE, "limit": 1, **({"cursor": cursor} if cursor else {})}
        reply = client.get(f"{path}?{urlencode(query)}")
        found += [each["resource"]["type"] for each in reply.result]
        cursor = reply.json["result_info"]["cursors"]["after"]
        if not cursor:
            break
    assert found == ["token", "operation", "list", "zone"]


def test_behind_a_strange_cursor_there_is_nothing(client: Client, account: str) -> None:
    for cursor in ("Q1buH-__DQqqig7SVYXT==", "%%%", "é", "YWZ0ZXIgMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"):
        assert kinds(client, account, cursor=cursor) == []


@pytest.mark.parametrize(
    "query", [{}, {"since": "x", "before": "2100-01-01"}, {**RANGE, "product_category": "zerotrust"}]
)
def test_a_query_that_cannot_be_taken_is_refused(client: Client, account: str, query: dict[str, str]) -> None:
    reply = client.get(f"/client/v4/accounts/{account}/logs/audit?{urlencode(query)}")
    assert (reply.status, reply.error["code"]) == (400, 10400)


def test_the_history_of_an_entry_is_that_of_its_resource(client: Client, workspace: Workspace, account: str) -> None:
    with transaction(workspace.database) as connection:
        append(connection, AuditEntry(ALICE, "update", "list", "l1"))
    path = f"/client/v4/accounts/{account}/logs/audit"
    entry = listed(client, path, **RANGE, resource_type="list", action_type="create")[0]
    history = listed(client, f"{path}/{entry['id']}/history", **RANGE, action_time=entry["action"]["time"])
    assert [each["action"]["type"] for each in history] == ["update", "create"]
    assert listed(client, f"{path}/f174be97-19b1-40d6-954d-70cd5fbd52db/history", **RANGE) == []


def test_there_is_one_product_category(client: Client, account: str) -> None:
    assert [
        each["value"] for each in listed(client, f"/client/v4/accounts/{account}/logs/audit/product_categories")
    ] == ["hoplon"]


def test_what_the_api_changes_is_logged_with_who_where_and_the_request(client: Client, workspace: Workspace) -> None:
    with reading(workspace.database) as connection:
        account = the_account(connection).id
    reply = client.ask("POST", f"/client/v4/accounts/{account}/rules/lists", {"kind": "ip", "name": "blocked"})
    assert reply.result["name"] == "blocked"
    entry = listed(client, f"/client/v4/accounts/{account}/logs/audit", **RANGE, limit=1)[0]
    assert (entry["resource"]["type"], entry["actor"]["email"]) == ("list", "tester")
