"""Labels over the API: made, listed, changed and deleted; which operations carry one."""

from typing import Any

import pytest

from hoplon.labels.managed import MANAGED
from hoplon.labels.names import MAX_LABELS
from hoplon.service.policy import export_policy
from hoplon.service.workspace import Workspace
from support.api_server import Client
from support.saved_zone import NOBODY, SavedZone, saved_zone


@pytest.fixture
def saved(workspace: Workspace) -> SavedZone:
    return saved_zone(workspace)


@pytest.fixture
def zone(saved: SavedZone) -> str:
    """The path of a zone with three operations."""
    return saved.path


@pytest.fixture
def ids(saved: SavedZone) -> tuple[str, ...]:
    """The ids of its operations."""
    return saved.operations


def select(*ids: str) -> dict[str, Any]:
    return {"selector": {"include": {"operation_ids": list(ids)}}}


def names(reply: Any) -> list[str]:
    return [label["name"] for label in reply.result]


def test_a_label_comes_back_as_it_was_made(client: Client, zone: str) -> None:
    made = client.ask(
        "POST", f"{zone}/labels/user", [{"name": "a", "description": "A", "metadata": [1, None]}, {"name": "b"}]
    )
    assert [label["metadata"] for label in made.result] == [[1, None], None]
    assert made.headers["etag"] == '"3"'
    found = client.get(f"{zone}/labels/user/a").result
    assert found == made.result[0]
    assert found["source"] == "user"
    assert "mapped_resources" not in found
    assert client.get(f"{zone}/labels/user/a?with_mapped_resource_counts=true").result["mapped_resources"] == {
        "operations": 0
    }


@pytest.mark.parametrize(
    ("bodies", "status", "pointer"),
    [
        ([{"name": "a"}, {"name": "no good"}], 400, "/1/name"),
        ([{"name": "a"}, {"name": "a"}], 400, "/1/name"),
        ([{"name": "cf-log-in"}], 400, "/0/name"),
        ([{"name": "b"}, {"name": "there"}], 409, "/1/name"),
        ([{"name": "b", "description": "x" * 1001}], 400, "/0/description"),
        ([{"name": "b", "metadata": "x" * 5000}], 400, "/0/metadata"),
        ([{"name": 5}], 400, "/0/name"),
        ([{}], 400, "/0/name"),
        ({"name": "b"}, 400, None),
    ],
)  # fmt: skip
def test_one_bad_label_makes_none(client: Client, zone: str, bodies: Any, status: int, pointer: str | None) -> None:
    client.ask("POST", f"{zone}/labels/user", [{"name": "there"}])
    reply = client.ask("POST", f"{zone}/labels/user", bodies)
    assert (reply.status, reply.error.get("source", {}).get("pointer")) == (status, pointer)
    listing = client.get(f"{zone}/labels?source=user")
    assert (names(listing), listing.headers["etag"]) == (["there"], '"3"')


def test_a_zone_has_so_many_labels_and_no_more(client: Client, zone: str) -> None:
    assert client.ask("POST", f"{zone}/labels/user", [{"name": f"l{n}"} for n in range(MAX_LABELS)]).status == 200
    assert client.ask("POST", f"{zone}/labels/user", [{"name": "more"}]).error["code"] == 11304


def test_listing(client: Client, zone: str, ids: tuple[str, ...]) -> None:
    client.ask(
        "POST", f"{zone}/labels/user", [{"name": "b", "description": "Money"}, {"name": "a", "description": "z"}]
    )
    client.ask("PUT", f"{zone}/labels/user/a/resources/operation", select(*ids))
    assert client.get(f"{zone}/labels").json["result_info"]["total_count"] == 2 + len(MANAGED)
    assert names(client.get(f"{zone}/labels?source=user")) == ["a", "b"]
    assert names(client.get(f"{zone}/labels?source=user&direction=desc")) == ["b", "a"]
    assert names(client.get(f"{zone}/labels?source=user&order=description")) == ["b", "a"]
    assert names(client.get(f"{zone}/labels?order=mapped_resources.operations&direction=desc&per_page=5"))[0] == "a"
    assert names(client.get(f"{zone}/labels?filter=MONEY&source=user")) == ["b"]
    assert names(client.get(f"{zone}/labels?filter=log-in")) == ["cf-log-in"]
    assert names(client.get(f"{zone}/labels?page=99")) == []
    counted = client.get(f"{zone}/labels?source=user&with_mapped_resource_counts=true").result
    assert [label["mapped_resources"]["operations"] for label in counted] == [3, 0]
    assert client.get(f"{zone}/labels?source=mine").status == 400


def test_every_page_of_a_listing_holds_what_the_others_do_not(client: Client, zone: str) -> None:
    pages = [names(client.get(f"{zone}/labels?per_page=7&page={page}")) for page in range(1, 6)]
    assert [len(page) for page in pages] == [7, 7, 7, 4, 0]
    assert sorted(name for page in pages for name in page) == sorted(MANAGED)


def test_put_replaces_and_patch_keeps_what_is_left_out(client: Client, zone: str) -> None:
    client.ask("POST", f"{zone}/labels/user", [{"name": "a", "description": "A", "metadata": 1}])
    path = f"{zone}/labels/user/a"
    before = client.get(path).result
    after = client.ask("PATCH", path, {"metadata": {"x": 2}, "name": "ignored"}).result
    assert (after["name"], after["description"], after["metadata"]) == ("a", "A", {"x": 2})
    assert after["created_at"] == before["created_at"]
    assert after["last_updated"] > before["last_updated"]
    assert client.ask("PATCH", path, {}).result == after
    assert client.ask("PATCH", path, {"metadata": None}).result["metadata"] is None
    assert client.ask("PUT", path, {}).result["description"] == ""
    assert client.get(path).headers["etag"] == '"6"'
    assert client.ask("PUT", f"{zone}/labels/user/b", {}).status == 404
    assert client.ask("PUT", path, {"description": "\u0007"}).error["source"] == {"pointer": "/description"}


def test_deleting_a_label_detaches_it(client: Client, zone: str, ids: tuple[str, ...], workspace: Workspace) -> None:
    client.ask("POST", f"{zone}/labels/user", [{"name": "a"}, {"name": "b"}])
    client.ask("POST", f"{zone}/operations/{ids[0]}/labels", {"user": ["a", "b"]})
    assert client.ask("DELETE", f"{zone}/labels/user/a").result["name"] == "a"
    assert client.get(f"{zone}/labels/user/a").status == 404
    carried = client.ask("POST", f"{zone}/operations/{ids[0]}/labels", {}).result["labels"]
    assert [label["name"] for label in carried] == ["b"]
    assert 'labels = ["b"]' in export_policy(workspace)


def test_labels_are_deleted_by_name_all_or_none(client: Client, zone: str) -> None:
    client.ask("POST", f"{zone}/labels/user", [{"name": "a"}, {"name": "b"}, {"name": "c"}])
    reply = client.ask("DELETE", f"{zone}/labels/user", ["a", "x"])
    assert (reply.status, reply.error["source"]) == (404, {"pointer": "/1"})
    assert names(client.ask("DELETE", f"{zone}/labels/user", ["b", "a", "b"])) == ["b", "a"]
    assert names(client.get(f"{zone}/labels?source=user")) == ["c"]


@pytest.mark.parametrize("path", ["/labels/user", "/operations/labels", f"/operations/{NOBODY}/labels"])
def test_a_delete_without_its_body_deletes_nothing(client: Client, zone: str, path: str) -> None:
    client.ask("POST", f"{zone}/labels/user", [{"name": "a"}])
    reply = client.ask("DELETE", f"{zone}{path}")
    assert (reply.status, reply.error["code"]) == (400, 10402)
    assert names(client.get(f"{zone}/labels?source=user")) == ["a"]


def test_managed_labels_say_whether_people_may_attach_them(client: Client, zone: str) -> None:
    label = client.get(f"{zone}/labels/managed/cf-log-in?with_mapped_resource_counts=true").result
    assert (label["source"], label["metadata"]) == ("managed", {"kind": "use", "attachable": True})
    assert client.get(f"{zone}/labels/managed/cf-risk-zombie").result["metadata"]["attachable"] is False
    assert client.get(f"{zone}/labels/managed/login").status == 404
    assert client.get(f"{zone}/labels/user/cf-log-in").status == 404
    assert client.ask("DELETE", f"{zone}/labels/managed/cf-log-in").status == 405


def test_the_operations_of_a_label_are_replaced_as_a_whole(client: Client, zone: str, ids: tuple[str, ...]) -> None:
    path = f"{zone}/labels/managed/cf-log-in/resources/operation"
    assert client.ask("PUT", path, select(ids[0], ids[1])).result["mapped_resources"] == {"operations": 2}
    assert client.ask("PUT", path, select(ids[2], ids[1])).result["mapped_resources"] == {"operations": 2}
    carrying = client.ask("POST", f"{zone}/operations/labels", select(*ids)).result
    assert [[label["name"] for label in each["labels"]] for each in carrying] == [[], ["cf-log-in"], ["cf-log-in"]]
    assert client.ask("PUT", path, select()).result["mapped_resources"] == {"operations": 0}
    reply = client.ask("PUT", path, select(ids[0], NOBODY))
    assert (reply.status, reply.error["source"]) == (404, {"pointer": "/selector/include/operation_ids/1"})
    assert client.ask("PUT", f"{zone}/labels/managed/cf-risk-zombie/resources/operation", select()).status == 400
    assert client.ask("PUT", f"{zone}/labels/user/none/resources/operation", select()).status == 404


def test_if_match(client: Client, zone: str) -> None:
    body = [{"name": "a"}]
    assert client.ask("POST", f"{zone}/labels/user", body, headers={"If-Match": '"1"'}).status == 412
    assert client.ask("POST", f"{zone}/labels/user", body, headers={"If-Match": '"2"'}).headers["etag"] == '"3"'
    assert client.ask("DELETE", f"{zone}/labels/user/a", headers={"If-Match": '"2"'}).status == 412


def test_an_unknown_zone(client: Client) -> None:
    path = f"/client/v4/zones/{'0' * 32}/api_gateway/labels"
    assert client.get(path).error["code"] == 11011
    assert client.ask("POST", f"{path}/user", [{"name": "a"}]).error["code"] == 11011
