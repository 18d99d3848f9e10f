"""Lists of the account over the API: made, filled, searched page by page, changed all at once, deleted."""

from typing import Any

import pytest

from hoplon.service import lists as service
from hoplon.service.accounts import the_account
from hoplon.service.workspace import Workspace
from support.api_server import Client

NOTHING = "0" * 32


@pytest.fixture
def root(workspace: Workspace) -> str:
    return f"/client/v4/accounts/{the_account(workspace).id}/rules/lists"


def made(client: Client, root: str, kind: str, *values: Any, name: str = "blocked") -> str:
    """The path of a new list of this kind that holds these values."""
    path = f"{root}/{client.ask('POST', root, {'kind': kind, 'name': name}).result['id']}"
    assert client.ask("POST", f"{path}/items", [{kind: value} for value in values]).status == 200
    return path


def values(client: Client, path: str, kind: str = "ip", query: str = "") -> list[Any]:
    return [item[kind] for item in client.get(f"{path}/items{query}").result]


def test_a_list_comes_back_as_it_was_made(client: Client, root: str) -> None:
    created = client.ask("POST", root, {"kind": "ip", "name": "office_1", "description": "ours"}).result
    assert len(created["id"]) == 32
    assert {
        name: created[name] for name in ("kind", "name", "description", "num_items", "num_referencing_filters")
    } == {
        "kind": "ip",
        "name": "office_1",
        "description": "ours",
        "num_items": 0,
        "num_referencing_filters": 0,
    }
    assert client.get(f"{root}/{created['id']}").result == created
    client.ask("POST", root, {"kind": "asn", "name": "nets"})
    assert [each["name"] for each in client.get(root).result] == ["nets", "office_1"]


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"kind": "ip", "name": "No"}, 400, "/name"),
        ({"kind": "ip", "name": ""}, 400, "/name"),
        ({"kind": "ip", "name": "x" * 51}, 400, "/name"),
        ({"kind": "ip", "name": "a-b"}, 400, "/name"),
        ({"kind": "ip", "name": "taken"}, 409, "/name"),
        ({"kind": "url", "name": "a"}, 400, "/kind"),
        ({"kind": "ip"}, 400, "/name"),
        ({"kind": "ip", "name": "a", "description": "x" * 501}, 400, "/description"),
    ],
)
def test_what_is_no_list_is_refused(client: Client, root: str, body: Any, status: int, pointer: str) -> None:
    client.ask("POST", root, {"kind": "ip", "name": "taken"})
    reply = client.ask("POST", root, body)
    assert (reply.status, reply.error["source"]["pointer"]) == (status, pointer)
    assert len(client.get(root).result) == 1


def test_only_the_description_of_a_list_changes(client: Client, root: str) -> None:
    path = made(client, root, "ip", "10.0.0.1")
    changed = client.ask("PUT", path, {"description": "new", "name": "other"}).result
    assert (changed["description"], changed["name"], changed["num_items"]) == ("new", "blocked", 1)
    assert client.ask("PUT", path).result == client.ask("PUT", path, {}).result == changed


def test_a_deleted_list_is_gone_with_its_items(client: Client, root: str) -> None:
    path = made(client, root, "ip", "10.0.0.1")
    item = client.get(f"{path}/items").result[0]["id"]
    assert client.ask("DELETE", path).result == {"id": path.rpartition("/")[2]}
    replies = [
        client.get(path),
        client.get(f"{path}/items"),
        client.get(f"{path}/items/{item}"),
        client.ask("DELETE", path),
    ]
    assert [reply.error["code"] for reply in replies] == [11401] * 4
    assert values(client, made(client, root, "ip")) == []


def test_items_are_kept_in_one_form(client: Client, root: str) -> None:
    path = made(client, root, "ip", "2001:DB8::1", "10.0.0.0/24")
    reply = client.ask("POST", f"{path}/items", [{"ip": "10.0.0.1/32", "comment": "printer"}])
    assert client.get(f"{root}/bulk_operations/{reply.result['operation_id']}").result["status"] == "completed"
    assert values(client, path) == ["10.0.0.0/24", "10.0.0.1", "2001:db8::1"]
    item = client.get(f"{path}/items?search=10.0.0.1").result[0]
    assert item["comment"] == "printer"
    assert client.get(f"{path}/items/{item['id']}").result == item
    assert client.get(f"{path}/items/{NOTHING}").error["code"] == 11405
    assert client.get(path).result["num_items"] == 3


def test_every_kind_comes_back_under_its_own_member(client: Client, root: str) -> None:
    redirect = {"source_url": "a.example/old", "target_url": "https://a.example/new"}
    assert values(client, made(client, root, "asn", 64496, name="a"), "asn") == [64496]
    host = {"url_hostname": "*.example.com", "exclude_exact_hostname": True}
    assert values(client, made(client, root, "hostname", host, name="b"), "hostname") == [host]
    found = values(client, made(client, root, "redirect", redirect, name="c"), "redirect")[0]
    assert (found["status_code"], found["subpath_matching"]) == (301, False)


def test_an_item_that_is_there_gets_the_new_comment_and_keeps_its_id(client: Client, root: str) -> None:
    path = made(client, root, "ip", "10.0.0.1", "10.0.0.2")
    before = client.get(f"{path}/items").result
    client.ask("POST", f"{path}/items", [{"ip": "10.0.0.1", "comment": "seen"}])
    after = client.get(f"{path}/items").result
    assert [item["id"] for item in after] == [item["id"] for item in before]
    assert (after[0]["comment"], after[0]["created_on"]) == ("seen", before[0]["created_on"])
    assert after[0]["modified_on"] > before[0]["modified_on"]


def test_put_leaves_nothing_else(client: Client, root: str) -> None:
    path = made(client, root, "ip", "10.0.0.1", "10.0.0.2")
    kept = client.get(f"{path}/items?search=10.0.0.2").result[0]["id"]
    client.ask("PUT", f"{path}/items", [{"ip": "10.0.0.3"}, {"ip": "10.0.0.2"}])
    assert values(client, path) == ["10.0.0.2", "10.0.0.3"]
    assert client.get(f"{path}/items").result[0]["id"] == kept
    client.ask("PUT", f"{path}/items", [])
    assert values(client, path) == []


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([{"ip": "10.0.0.9"}, {"ip": "10.0.0.300"}], "/1/ip"),
        ([{"ip": "10.0.0.9"}, {"ip": "10.0.0.9/32"}], "/1/ip"),
        ([{"asn": 5}], "/0/asn"),
        ([{"ip": "10.0.0.9", "comment": 7}], "/0/comment"),
        ([7], "/0"),
    ],
)
def test_one_bad_item_changes_nothing(client: Client, root: str, method: str, body: Any, pointer: str) -> None:
    path = made(client, root, "ip", "10.0.0.1")
    reply = client.ask(method, f"{path}/items", body)
    assert (reply.status, reply.error["code"], reply.error["source"]["pointer"]) == (400, 11403, pointer)
    assert values(client, path) == ["10.0.0.1"]


def test_items_are_removed_by_id_all_or_none(client: Client, root: str) -> None:
    path = made(client, root, "ip", "10.0.0.1", "10.0.0.2", "10.0.0.3")
    ids = [item["id"] for item in client.get(f"{path}/items").result]
    reply = client.ask("DELETE", f"{path}/items", {"items": [{"id": ids[0]}, {"id": NOTHING}]})
    assert (reply.status, reply.error["source"]["pointer"]) == (404, "/items/1/id")
    assert len(values(client, path)) == 3
    assert client.ask("DELETE", f"{path}/items", {"items": [{"id": ids[0]}, {"id": ids[2]}]}).status == 200
    assert values(client, path) == ["10.0.0.2"]


def test_removing_without_saying_what_removes_nothing(client: Client, root: str) -> None:
    path = made(client, root, "ip", "10.0.0.1")
    assert client.ask("DELETE", f"{path}/items").error["code"] == 10402
    nothing: tuple[dict[str, Any], ...] = ({}, {"items": []})
    for body in nothing:
        operation = client.ask("DELETE", f"{path}/items", body).result["operation_id"]
        assert client.get(f"{root}/bulk_operations/{operation}").result["status"] == "completed"
    assert values(client, path) == ["10.0.0.1"]


def test_cursors_lead_through_every_item_once(client: Client, root: str) -> None:
    path = made(client, root, "asn", *range(1, 252))
    seen: list[int] = []
    cursor = ""
    for size in (100, 100, 51):
        reply = client.get(f"{path}/items?per_page=100&cursor={cursor}")
        seen += [item["asn"] for item in reply.result]
        assert len(reply.result) == size
        cursor = reply.json["result_info"].get("cursors", {}).get("after", "")
    assert cursor == ""
    assert sorted(seen) == list(range(1, 252))


def test_a_cursor_stays_good_when_items_come_and_go(client: Client, root: str) -> None:
    path = made(client, root, "ip", "10.0.0.1", "10.0.0.3", "10.0.0.5")
    cursor = client.get(f"{path}/items?per_page=2").json["result_info"]["cursors"]["after"]
    client.ask("PUT", f"{path}/items", [{"ip": "10.0.0.1"}, {"ip": "10.0.0.4"}, {"ip": "10.0.0.5"}])
    assert values(client, path, query=f"?cursor={cursor}") == ["10.0.0.4", "10.0.0.5"]


def test_search_means_what_the_kind_says(client: Client, root: str) -> None:
    addresses = made(client, root, "ip", "1.1.1.1", "1.1.1.2", "11.1.1.1", name="a")
    assert values(client, addresses, query="?search=1.1.1.") == ["1.1.1.1", "1.1.1.2"]
    assert values(client, addresses, query="?search=1.1.1.&per_page=1&cursor=1.1.1.1") == ["1.1.1.2"]
    assert values(client, addresses, query="?search=%25") == []
    assert values(client, made(client, root, "asn", 5, 55, name="b"), "asn", "?search=5") == [5]
    hosts = [{"url_hostname": name} for name in ("shop.example", "my-shop.example", "api.example")]
    found = values(client, made(client, root, "hostname", *hosts, name="c"), "hostname", "?search=SHOP")
    assert [each["url_hostname"] for each in found] == ["my-shop.example", "shop.example"]


@pytest.mark.parametrize("query", ["per_page=0", "per_page=501", "per_page=x"])
def test_pages_are_bounded(client: Client, root: str, query: str) -> None:
    assert client.get(f"{made(client, root, 'ip')}/items?{query}").error["code"] == 10400


def test_a_list_that_would_be_too_long_stays_as_it_is_and_says_why(
    client: Client, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(client, root, "asn", 1, 2)
    monkeypatch.setattr(service, "MAX_ITEMS", 3)
    for method, body in (("POST", [{"asn": 3}, {"asn": 4}]), ("PUT", [{"asn": n} for n in range(5, 9)])):
        reply = client.ask(method, f"{path}/items", body)
        operation = client.get(f"{root}/bulk_operations/{reply.result['operation_id']}").result
        assert (operation["status"], operation["error"]) == (
            "failed",
            "the list would hold 4 items, at most 3 are possible; nothing was changed",
        )
        assert values(client, path, "asn") == [1, 2]
    assert client.ask("POST", f"{path}/items", [{"asn": 1}, {"asn": 3}]).status == 200
    assert values(client, path, "asn") == [1, 2, 3]


def test_an_unknown_bulk_operation(client: Client, root: str) -> None:
    assert client.get(f"{root}/bulk_operations/{NOTHING}").error["code"] == 11406


def test_every_change_is_audited(client: Client, root: str, workspace: Workspace) -> None:
    from hoplon.storage.database import reading
    from hoplon.storage.tables import audit_log

    path = made(client, root, "ip", "10.0.0.1")
    client.ask("PUT", path, {"description": "x"})
    client.ask("PUT", f"{path}/items", [])
    client.ask("DELETE", f"{path}/items", {})
    client.ask("DELETE", path)
    with reading(workspace.database) as connection:
        rows = connection.execute(audit_log.select().order_by(audit_log.c.sequence)).all()
    assert [row.action for row in rows if row.resource_type == "list"] == [
        "create",
        "append_items",
        "update",
        "replace_items",
        "remove_items",
        "delete",
    ]
    assert {row.resource_id for row in rows if row.resource_type == "list"} == {path.rpartition("/")[2]}
