"""`token_validation/rules` over HTTP: made, filtered, moved, tried beforehand; the order is the precedence."""

from typing import Any

import pytest

from hoplon.service.policy import find_zone
from hoplon.service.workspace import Workspace
from support.api_server import Client, Reply
from support.jwks import rsa_signer

SAVED = (("GET", "a.example", "/a/{x}"), ("POST", "a.example", "/b"), ("GET", "b.example", "/c"))
NOBODY = "00000000-0000-0000-0000-000000000000"
SOURCES = ['http.request.headers["authorization"][0]']


@pytest.fixture
def zone(client: Client, workspace: Workspace) -> str:
    """The path of a zone with three saved operations."""
    path = f"/client/v4/zones/{find_zone(workspace, None).zone_id}"
    saved = [{"method": method, "host": host, "endpoint": endpoint} for method, host, endpoint in SAVED]
    assert client.ask("POST", f"{path}/api_gateway/operations", saved).status == 200
    return path


@pytest.fixture
def configuration(client: Client, zone: str) -> str:
    basis = {"title": "t", "description": "", "token_type": "JWT", "token_sources": SOURCES}
    made = client.ask(
        "POST", f"{zone}/token_validation/config", {**basis, "credentials": {"keys": [dict(rsa_signer().jwk)]}}
    )
    identity: str = made.result["id"]
    return identity


@pytest.fixture
def rules(zone: str) -> str:
    return f"{zone}/token_validation/rules"


def rule(configuration: str, title: str = "Users only", **more: Any) -> dict[str, Any]:
    basis = {"title": title, "description": "why", "action": "log", "enabled": True, "selector": {}}
    return {**basis, "expression": f'is_jwt_valid("{configuration}")', **more}


def titles(reply: Reply) -> list[str]:
    return [each["title"] for each in reply.result]


def test_a_rule_is_made_read_changed_and_removed(client: Client, rules: str, configuration: str) -> None:
    excluded = [{"operation_ids": [NOBODY]}]
    selector = {"include": [{"host": ["a.example", "B.example"]}], "exclude": excluded}
    made = client.ask("POST", rules, rule(configuration, selector=selector))
    assert made.result["selector"] == {**selector, "include": [{"host": ["a.example", "b.example"]}]}
    one = f"{rules}/{made.result['id']}"
    assert client.get(one).result == made.result
    edited = client.ask("PATCH", one, {"action": "block", "selector": {}})
    assert (edited.result["action"], edited.result["selector"], edited.result["title"]) == ("block", {}, "Users only")
    assert edited.result["created_at"] == made.result["created_at"] < edited.result["last_updated"]
    assert client.ask("PATCH", one, {}).result == edited.result
    assert client.ask("DELETE", one).result == {"id": made.result["id"]}
    assert client.get(one).error["code"] == 11811


def test_positions_order_the_rules(client: Client, rules: str, configuration: str) -> None:
    made = client.ask("POST", f"{rules}/bulk", [rule(configuration, title) for title in "abc"]).result
    a, b, c = (each["id"] for each in made)
    assert titles(client.get(rules)) == ["a", "b", "c"]
    for position, order in (
        ({"index": 1}, "cab"),
        ({"after": a}, "acb"),
        ({"before": a}, "cab"),
        ({"index": 3}, "abc"),
    ):
        assert client.ask("PATCH", f"{rules}/{c}", {"position": position}).status == 200
        assert "".join(titles(client.get(rules))) == order
    edits = [{"id": c, "position": {"index": 1}, "title": "C"}, {"id": b, "position": {"before": a}}]
    assert titles(client.ask("PATCH", f"{rules}/bulk", edits)) == ["C", "b"]
    assert titles(client.get(rules)) == ["C", "b", "a"]
    for position in ({"index": 4}, {"before": c}, {"after": "nothing"}):
        reply = client.ask("PATCH", f"{rules}/{c}", {"position": position})
        assert (reply.status, reply.error["source"]["pointer"]) == (400, f"/position/{next(iter(position))}")
    assert client.ask("PATCH", f"{rules}/bulk", [{"id": c, "title": "x"}, {"id": "nothing"}]).status == 404
    assert titles(client.get(rules)) == ["C", "b", "a"], "all or none"


def test_filters(client: Client, rules: str, zone: str, configuration: str) -> None:
    wanted = [
        rule(configuration, "one", selector={"include": [{"host": ["a.example"]}]}),
        rule(configuration, "two", action="block"),
        rule(configuration, "three", enabled=False),
    ]
    made = client.ask("POST", f"{rules}/bulk", wanted).result
    for query, found in (
        ("host=a.example", ["one"]),
        ("hostname=A.EXAMPLE", ["one"]),
        ("action=block", ["two"]),
        ("enabled=false", ["three"]),
        ("enabled=true&action=log", ["one"]),
        (f"id={made[1]['id']}", ["two"]),
        (f"rule_id={made[2]['id']}", ["three"]),
        (f"token_configuration={configuration}", ["one", "two", "three"]),
        ("token_configuration=other", []),
        ("page=2", []),
    ):
        assert titles(client.get(f"{rules}?{query}")) == found, query


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"title": "x" * 51}, "/title"),
        ({"description": "x" * 501}, "/description"),
        ({"action": "challenge"}, "/action"),
        ({"expression": 'is_jwt_valid("nothing")'}, "/expression"),
        ({"expression": "is_jwt_valid("}, "/expression"),
        ({"expression": 'http.host eq "a"'}, "/expression"),
        ({"selector": {"include": [{"host": ["a b"]}]}}, "/selector/include"),
        ({"selector": {"exclude": [{"operation_ids": ["x"]}]}}, "/selector/exclude"),
        ({"selector": None}, "/selector"),
    ],
)
def test_a_wrong_rule_changes_nothing(
    client: Client, rules: str, configuration: str, more: dict[str, Any], pointer: str
) -> None:
    reply = client.ask("POST", rules, rule(configuration, **more))
    assert (reply.status, reply.error["source"]["pointer"]) == (400, pointer)
    reply = client.ask("POST", f"{rules}/bulk", [rule(configuration), rule(configuration, **more)])
    assert (reply.status, reply.error["source"]["pointer"]) == (400, f"/1{pointer}")
    assert client.get(rules).result == []


def test_a_preview_shows_every_operation_with_its_state(client: Client, rules: str) -> None:
    everything = client.ask("POST", f"{rules}/preview", {})
    assert {each["state"] for each in everything.result["operations"]} == {"included"}
    assert (everything.result["total"], everything.result["included"]) == (3, 3)
    assert everything.result["available_hosts"] == everything.result["selected_hosts"] == ["a.example", "b.example"]
    excluded = next(each for each in everything.result["operations"] if each["endpoint"] == "/b")["operation_id"]
    selector = {"include": [{"host": ["a.example"]}], "exclude": [{"operation_ids": [excluded]}]}
    found = client.ask("POST", f"{rules}/preview", selector).result
    assert {each["endpoint"]: each["state"] for each in found["operations"]} == {
        "/a/{var1}": "included",
        "/b": "excluded",
        "/c": "ignored",
    }
    assert [found[state] for state in ("total", "included", "excluded", "ignored")] == [3, 1, 1, 1]
    assert found["selected_hosts"] == ["a.example"]
    for query, endpoints in (
        ("state=included,excluded", ["/a/{var1}", "/b"]),
        ("state=ignored", ["/c"]),
        ("method=POST", ["/b"]),
        ("host=b.example", ["/c"]),
        ("endpoint=/a", ["/a/{var1}"]),
        ("page=2", []),
    ):
        shown = client.ask("POST", f"{rules}/preview?{query}", selector)
        assert [each["endpoint"] for each in shown.result["operations"]] == endpoints, query
        assert shown.result["total"] == 3
    assert shown.json["result_info"]["total_count"] == 3


def test_what_a_rule_names_is_in_use(client: Client, rules: str, zone: str, configuration: str) -> None:
    made = client.ask("POST", rules, rule(configuration)).result["id"]
    one = f"{zone}/token_validation/config/{configuration}"
    reply = client.ask("DELETE", one)
    assert (reply.status, reply.error["code"]) == (409, 11804) and "token rule Users only" in reply.error["message"]
    client.ask("DELETE", f"{rules}/{made}")
    assert client.ask("DELETE", one).status == 200
