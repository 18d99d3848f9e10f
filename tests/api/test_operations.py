"""`api_gateway/operations` over HTTP: saving again is saving once, pages end empty, every fault has its pointer."""

from typing import Any

import pytest

from hoplon.service.policy import apply_policy, export_policy, find_zone, policy_history
from hoplon.service.workspace import Workspace
from support.api_server import Client, Reply

USERS = {"method": "GET", "host": "api.example.com", "endpoint": "/users/{id}"}


@pytest.fixture
def path(workspace: Workspace) -> str:
    return f"/client/v4/zones/{find_zone(workspace, None).zone_id}/api_gateway/operations"


def operation(endpoint: str, method: str = "GET", host: str = "api.example.com") -> dict[str, str]:
    return {"method": method, "host": host, "endpoint": endpoint}


def pointers(reply: Reply) -> list[str]:
    return [error["source"]["pointer"] for error in reply.json["errors"]]


def endpoints(reply: Reply) -> list[str]:
    return [each["endpoint"] for each in reply.result]


def test_an_operation_is_saved_renamed_and_found_again(client: Client, path: str) -> None:
    saved = client.ask("POST", f"{path}/item", USERS)
    assert saved.result["endpoint"] == "/users/{var1}"
    assert set(saved.result) == {"operation_id", "method", "host", "endpoint", "last_updated"}
    found = client.get(f"{path}/{saved.result['operation_id']}")
    assert found.result == saved.result
    assert found.headers["etag"] == saved.headers["etag"] == '"2"'


def test_saving_again_keeps_the_id_and_the_version_and_moves_last_updated(client: Client, path: str) -> None:
    first = client.ask("POST", f"{path}/item", USERS)
    again = client.ask("POST", path, [{**USERS, "endpoint": "/./users/{uid}", "host": "API.example.com"}])
    assert again.status == 200
    (same,) = again.result
    assert same["operation_id"] == first.result["operation_id"]
    assert same["last_updated"] > first.result["last_updated"]
    assert again.headers["etag"] == first.headers["etag"]
    assert client.get(f"{path}/{same['operation_id']}").result == same


def test_a_bulk_answers_in_its_order_and_a_listed_operation_can_be_sent_back(client: Client, path: str) -> None:
    bodies = [operation("/b"), operation("/a"), operation("/b")]
    saved = client.ask("POST", path, bodies).result
    assert [each["endpoint"] for each in saved] == ["/b", "/a", "/b"]
    assert saved[0] == saved[2]
    listed = client.get(f"{path}?feature=thresholds").result
    assert [each["operation_id"] for each in client.ask("POST", path, listed).result] == [
        each["operation_id"] for each in listed
    ]


def test_one_bad_operation_saves_none_and_each_fault_has_its_pointer(client: Client, path: str) -> None:
    reply = client.ask("POST", path, [operation("/fine"), operation("/a?b"), operation("/x", host="a b")])
    assert reply.status == 400
    assert pointers(reply) == ["/1/endpoint", "/2/host"]
    assert client.get(path).result == []
    assert pointers(client.ask("POST", f"{path}/item", operation("/{a}.json"))) == ["/endpoint"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([{**USERS, "method": "CONNECT"}], "/0/method"),
        ([{**USERS, "method": "get"}], "/0/method"),
        ([{**USERS, "endpoint": "users"}], "/0/endpoint"),
        ([{**USERS, "endpoint": "/" + "a" * 4096}], "/0/endpoint"),
        ([{**USERS, "host": "a" * 256}], "/0/host"),
        ([{**USERS, "host": 3}], "/0/host"),
        ([{"method": "GET", "host": "a.example"}], "/0/endpoint"),
        ([USERS, None], "/1"),
    ],
)
def test_wrong_bodies_are_pointed_at(client: Client, path: str, body: Any, pointer: str) -> None:
    reply = client.ask("POST", path, body)
    assert reply.status == 400
    assert pointers(reply) == [pointer]


def test_a_bulk_has_a_bound(client: Client, path: str) -> None:
    reply = client.ask("POST", path, [operation(f"/{number}") for number in range(10_001)])
    assert reply.status == 400
    assert "10000" in reply.error["message"]


def test_pages_filters_and_orders(client: Client, path: str) -> None:
    client.ask("POST", path, [operation(f"/p/{number:02}") for number in range(12)])
    client.ask("POST", path, [operation("/Q", "PUT", "b.example.com"), operation("/q", "DELETE", "b.example.com")])
    page = client.get(f"{path}?per_page=5&page=3")
    assert page.json["result_info"] == {"page": 3, "per_page": 5, "count": 4, "total_count": 14, "total_pages": 3}
    assert client.get(f"{path}?page=1000000").result == []
    assert endpoints(client.get(f"{path}?host=b.example.com&host=c.example.com")) == ["/Q", "/q"]
    assert endpoints(client.get(f"{path}?method=PUT,DELETE&order=method")) == ["/q", "/Q"]
    assert endpoints(client.get(f"{path}?endpoint=Q")) == ["/Q"]
    assert endpoints(client.get(f"{path}?endpoint=/p/1")) == ["/p/10", "/p/11"]
    assert endpoints(client.get(f"{path}?endpoint=%25"))[:1] == []
    assert endpoints(client.get(f"{path}?order=endpoint&direction=desc&per_page=5"))[:2] == ["/q", "/p/11"]
    for wrong in ("per_page=4", "per_page=51", "page=0", "order=colour", "direction=up", "feature=all"):
        assert client.get(f"{path}?{wrong}").status == 400


def test_features_are_there_when_asked_for_with_nothing_invented(client: Client, path: str) -> None:
    operation_id = client.ask("POST", f"{path}/item", USERS).result["operation_id"]
    (listed,) = client.get(f"{path}?feature=thresholds&feature=schema_info").result
    assert listed["features"] == {}
    found = client.get(f"{path}/{operation_id}?feature=thresholds&with_schemas=true").result
    assert (found["features"], found["schemas"]) == ({}, {})
    assert client.get(f"{path}?feature=thresholds&order=thresholds.p99").status == 200
    assert client.get(f"{path}?order=thresholds.p99").status == 400


def test_deleting_takes_what_is_named_and_nothing_else(client: Client, path: str) -> None:
    saved = client.ask("POST", path, [operation(f"/{name}") for name in "abcd"]).result
    ids = [each["operation_id"] for each in saved]
    gone = client.ask("DELETE", f"{path}/{ids[0]}")
    assert gone.json == {"success": True, "errors": [], "messages": []}
    assert gone.headers["etag"] == '"3"'
    assert client.ask("DELETE", f"{path}/{ids[0]}").status == 404
    assert client.get(f"{path}/{ids[0]}").status == 404
    assert client.ask("DELETE", path, [{"operation_id": ids[1]}, {"operation_id": ids[1]}]).status == 200
    assert endpoints(client.get(path)) == ["/c", "/d"]


def test_deleting_without_a_body_or_with_an_unknown_id_deletes_nothing(client: Client, path: str) -> None:
    saved = client.ask("POST", f"{path}/item", USERS).result
    assert client.ask("DELETE", path).status == 400
    assert client.ask("DELETE", path, []).status == 200
    for wrong in ({}, {"operation_id": saved["operation_id"]}, [saved["operation_id"]]):
        assert client.ask("DELETE", path, wrong).status == 400
    unknown = client.ask("DELETE", path, [{"operation_id": saved["operation_id"]}, {"operation_id": "x"}])
    assert (unknown.status, pointers(unknown)) == (404, ["/1/operation_id"])
    assert len(client.get(path).result) == 1


def test_the_last_operation_stays_while_the_zone_blocks_the_rest(
    client: Client, path: str, workspace: Workspace
) -> None:
    saved = client.ask("POST", f"{path}/item", USERS).result
    apply_policy(workspace, export_policy(workspace).replace('fallthrough = "log"', 'fallthrough = "block"'))
    assert client.ask("DELETE", f"{path}/{saved['operation_id']}").status == 409
    assert len(client.get(path).result) == 1


def test_a_removed_operation_leaves_no_label_behind(client: Client, path: str, workspace: Workspace) -> None:
    saved = client.ask("POST", path, [USERS, operation("/kept")]).result
    policy = export_policy(workspace)
    attached = 'attached = [{ method = "GET", host = "api.example.com", path = "/users/{x}", labels = ["cf-log-in"] }]'
    apply_policy(workspace, policy.replace("attached = []", attached))
    assert "cf-log-in" in export_policy(workspace)
    client.ask("DELETE", f"{path}/{saved[0]['operation_id']}")
    client.ask("POST", path, [USERS])
    assert "attached = []" in export_policy(workspace)


def test_a_stale_if_match_changes_nothing(client: Client, path: str) -> None:
    saved = client.ask("POST", f"{path}/item", USERS, headers={"If-Match": '"1"'})
    assert saved.headers["etag"] == '"2"'
    for method, target, body in (
        ("POST", path, [operation("/x")]),
        ("POST", f"{path}/item", USERS),
        ("DELETE", f"{path}/{saved.result['operation_id']}", None),
        ("DELETE", path, [{"operation_id": saved.result["operation_id"]}]),
    ):
        assert client.ask(method, target, body, headers={"If-Match": '"1"'}).status == 412
    assert client.get(path).result == [saved.result]


def test_hosts_belong_to_the_zone(client: Client, path: str, workspace: Workspace) -> None:
    text = export_policy(workspace).replace("hosts = []", 'hosts = ["example.com", "{sub}.example.com"]')
    apply_policy(workspace, text)
    assert client.ask("POST", path, [operation("/", host="a.example.com"), operation("/", host="*")]).status == 200
    foreign = client.ask("POST", path, [operation("/", host="example.net"), operation("/", host="a.b.example.com")])
    assert (foreign.status, pointers(foreign)) == (400, ["/0/host", "/1/host"])


def test_what_was_saved_is_policy_with_its_history(client: Client, path: str, workspace: Workspace) -> None:
    saved = client.ask("POST", f"{path}/item", USERS).result
    assert '{ method = "GET", host = "api.example.com", path = "/users/{id}" }' in export_policy(workspace)
    client.ask("DELETE", f"{path}/{saved['operation_id']}")
    newest, before, *_ = policy_history(workspace)
    assert newest.changes == ("removes operation GET /users/{id} on api.example.com",)
    assert before.changes == ("saves operation GET /users/{id} on api.example.com",)
    assert before.author == "tester"


def test_the_export_has_one_document_for_each_host(client: Client, path: str) -> None:
    bodies = [
        operation("/users/{id}"),
        operation("/users/{id}", "DELETE"),
        operation("/", host="{tenant}.example.com"),
        operation("/any", host="*"),
    ]
    client.ask("POST", path, bodies)
    schemas = path.replace("/operations", "/schemas")
    documents = client.get(f"{schemas}?include_schema_kind=learned&feature=thresholds").result["schemas"]
    assert [each["servers"] for each in documents] == [
        [{"url": "/"}],
        [{"url": "https://api.example.com"}],
        [{"url": "https://{tenant}.example.com", "variables": {"tenant": {"default": "tenant"}}}],
    ]
    item = documents[1]["paths"]["/users/{var1}"]
    assert item["parameters"] == [{"name": "var1", "in": "path", "required": True, "schema": {"type": "string"}}]
    assert set(item) == {"parameters", "get", "delete"}
    only = client.get(f"{schemas}?host=API.example.com").result
    assert [each["servers"] for each in only["schemas"]] == [[{"url": "https://api.example.com"}]]


def test_an_unknown_zone_is_said(client: Client) -> None:
    path = f"/client/v4/zones/{'0' * 32}/api_gateway"
    for method, target, body in (
        ("GET", "operations", None),
        ("GET", "operations/x", None),
        ("POST", "operations", [USERS]),
        ("DELETE", "operations/x", None),
        ("GET", "schemas", None),
        ("GET", "configuration", None),
        ("PUT", "configuration", {"auth_id_characteristics": []}),
    ):
        assert client.ask(method, f"{path}/{target}", body).error["code"] == 11011
