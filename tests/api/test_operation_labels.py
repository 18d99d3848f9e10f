"""The labels of operations over the API: attach, detach and replace, one operation or many; all or nothing."""

from typing import Any

import pytest

from hoplon.labels.names import MAX_PER_OPERATION
from hoplon.service.policy import policy_history
from hoplon.service.workspace import Workspace
from support.api_server import Client
from support.saved_zone import NOBODY, SavedZone, saved_zone


@pytest.fixture
def saved(workspace: Workspace, client: Client) -> SavedZone:
    """A zone with three operations and the labels a, b and c."""
    zone = saved_zone(workspace)
    assert client.ask("POST", f"{zone.path}/labels/user", [{"name": name} for name in "abc"]).status == 200
    return zone


def many(*ids: str, managed: Any = None, user: Any = None) -> dict[str, Any]:
    body: dict[str, Any] = {"selector": {"include": {"operation_ids": list(ids)}}}
    named = {"managed": managed, "user": user}
    return {**body, **{source: {"labels": names} for source, names in named.items() if names is not None}}


def carried(operation: Any) -> list[str]:
    return [label["name"] for label in operation["labels"]]


def test_one_operation(client: Client, saved: SavedZone) -> None:
    path = f"{saved.path}/operations/{saved.operations[0]}/labels"
    reply = client.ask("POST", path, {"user": ["b", "a"], "managed": ["cf-log-in"]})
    assert carried(reply.result) == ["cf-log-in", "a", "b"]
    assert {name: reply.result[name] for name in ("operation_id", "method", "endpoint")} == {
        "operation_id": saved.operations[0],
        "method": "GET",
        "endpoint": "/users/{var1}",
    }
    assert [label["source"] for label in reply.result["labels"]] == ["managed", "user", "user"]
    assert carried(client.ask("POST", path, {"user": ["c"]}).result) == ["cf-log-in", "a", "b", "c"]
    assert carried(client.ask("DELETE", path, {"user": ["a", "c"], "managed": []}).result) == ["cf-log-in", "b"]
    assert carried(client.ask("PUT", path, {"user": ["c"]}).result) == ["c"]
    assert carried(client.ask("PUT", path, {}).result) == []


def test_what_changes_nothing_makes_no_version(client: Client, saved: SavedZone, workspace: Workspace) -> None:
    path = f"{saved.path}/operations/{saved.operations[0]}/labels"
    versions = [
        client.ask(method, path, body).headers["etag"]
        for method, body in (
            ("POST", {"user": ["a"]}),
            ("POST", {"user": ["a"]}),
            ("DELETE", {"user": ["b"]}),
            ("POST", None),
        )
    ]
    assert versions == ['"4"', '"4"', '"4"', '"4"']
    assert policy_history(workspace)[0].changes == ("attaches label a to GET /users/{id} on api.example.com",)


def test_many_operations(client: Client, saved: SavedZone) -> None:
    path, (first, second, third) = f"{saved.path}/operations/labels", saved.operations
    reply = client.ask("POST", path, many(third, first, third, user=["a"], managed=["cf-llm"]))
    assert [each["operation_id"] for each in reply.result] == [third, first]
    assert [carried(each) for each in reply.result] == [["cf-llm", "a"]] * 2
    reply = client.ask("PUT", path, many(first, second, user=["b"], managed=[]))
    assert [carried(each) for each in reply.result] == [["b"]] * 2
    reply = client.ask("DELETE", path, many(first, second, third, user=["b"]))
    assert [carried(each) for each in reply.result] == [[], [], ["cf-llm", "a"]]
    assert client.ask("POST", path, many()).result == []


@pytest.mark.parametrize(
    ("method", "body", "status", "pointer"),
    [
        ("POST", many("GET", NOBODY, user=["a"]), 404, "/selector/include/operation_ids/1"),
        ("POST", many("GET", user=["a", "x"]), 400, "/user/labels/1"),
        ("POST", many("GET", user=["cf-log-in"]), 400, "/user/labels/0"),
        ("POST", many("GET", managed=["a"]), 400, "/managed/labels/0"),
        ("POST", many("GET", managed=["cf-log-in", "cf-risk-zombie"]), 400, "/managed/labels/1"),
        ("DELETE", many("GET", user=["x"]), 400, "/user/labels/0"),
        ("DELETE", {"user": {"labels": ["a"]}}, 400, "/selector"),
        ("PUT", many("GET", user=["a"]), 400, "/managed"),
        ("POST", many("GET", user=["a"] * (MAX_PER_OPERATION + 1)), 400, "/user/labels"),
        ("POST", {"selector": {"include": {"operation_ids": "all"}}}, 400, "/selector/include/operation_ids"),
    ],
)  # fmt: skip
def test_one_fault_changes_nothing(
    client: Client, saved: SavedZone, method: str, body: dict[str, Any], status: int, pointer: str
) -> None:
    path, first = f"{saved.path}/operations/labels", saved.operations[0]
    client.ask("POST", path, many(first, user=["b"]))
    selected = body.get("selector", {}).get("include", {}).get("operation_ids")
    if isinstance(selected, list):
        selected[0] = first
    reply = client.ask(method, path, body)
    assert (reply.status, reply.error["source"]["pointer"]) == (status, pointer)
    reply = client.ask("POST", path, many(first))
    assert (carried(reply.result[0]), reply.headers["etag"]) == (["b"], '"4"')


def test_one_unknown_operation(client: Client, saved: SavedZone) -> None:
    reply = client.ask("POST", f"{saved.path}/operations/{NOBODY}/labels", {"user": ["a"]})
    assert (reply.status, "source" in reply.error) == (404, False)


def test_an_operation_carries_so_many_labels_and_no_more(client: Client, saved: SavedZone) -> None:
    path = f"{saved.path}/operations/{saved.operations[0]}/labels"
    names = [f"l{number}" for number in range(MAX_PER_OPERATION)]
    client.ask("POST", f"{saved.path}/labels/user", [{"name": name} for name in names])
    assert client.ask("POST", path, {"user": names}).status == 200
    assert client.ask("POST", path, {"user": ["a"]}).error["code"] == 11304
    full = f"{saved.path}/labels/user/a/resources/operation"
    body = {"selector": {"include": {"operation_ids": [saved.operations[0]]}}}
    assert client.ask("PUT", full, body).error["code"] == 11304


def test_a_removed_operation_comes_back_without_labels(client: Client, saved: SavedZone) -> None:
    one = f"{saved.path}/operations/{saved.operations[2]}"
    client.ask("POST", f"{one}/labels", {"user": ["a"]})
    assert client.ask("DELETE", one).status == 200
    count = client.get(f"{saved.path}/labels/user/a?with_mapped_resource_counts=true").result["mapped_resources"]
    assert count == {"operations": 0}
    again = client.ask(
        "POST", f"{saved.path}/operations/item", {"method": "POST", "host": "api.example.com", "endpoint": "/login"}
    )
    assert again.result["operation_id"] == saved.operations[2]
    assert carried(client.ask("POST", f"{one}/labels", {}).result) == []


def test_every_change_is_audited(client: Client, saved: SavedZone, workspace: Workspace) -> None:
    from hoplon.storage.database import reading
    from hoplon.storage.tables import audit_log

    client.ask("POST", f"{saved.path}/operations/labels", many(*saved.operations, user=["a"]))
    client.ask("DELETE", f"{saved.path}/labels/user/a")
    with reading(workspace.database) as connection:
        rows = connection.execute(audit_log.select().order_by(audit_log.c.sequence)).all()
    assert [(row.action, row.resource_type, row.resource_id) for row in rows][-2:] == [
        ("attach", "operation_labels", saved.id),
        ("delete", "label", "a"),
    ]
    assert rows[-1].actor_name == "tester"
