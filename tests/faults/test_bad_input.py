"""What a hostile or broken caller sends: a clear error in the envelope, and nothing is changed by it."""

import json
from typing import Any, NamedTuple

import pytest

from faults.plane import Plane

GATEWAY = "/zones/{zone}/api_gateway"
OPERATIONS = f"{GATEWAY}/operations"
ITEM = f"{OPERATIONS}/item"
CONFIGURATION = f"{GATEWAY}/configuration"
LABELS = f"{GATEWAY}/labels"
LISTS = "/accounts/{account}/rules/lists"
ITEMS = f"{LISTS}/{{list}}/items"
NOBODY = "00000000-0000-4000-8000-000000000000"
GOOD = {"method": "GET", "host": "www.shield.test", "endpoint": "/new/{id}"}


class Bad(NamedTuple):
    """A request, what answers it, and the JSON pointer at which the error says it lies (None: nowhere)."""

    method: str
    path: str
    body: Any
    status: int = 400
    pointer: str | None = None


BODIES = [
    # wrong types
    Bad("POST", OPERATIONS, {}),
    Bad("POST", OPERATIONS, "GET /x"),
    Bad("POST", OPERATIONS, 7),
    Bad("POST", OPERATIONS, [7], 400, "/0"),
    Bad("POST", OPERATIONS, [None], 400, "/0"),
    Bad("POST", ITEM, []),
    Bad("POST", ITEM, {}, 400, "/method"),
    Bad("POST", ITEM, {**GOOD, "method": 1}, 400, "/method"),
    Bad("POST", ITEM, {**GOOD, "method": None}, 400, "/method"),
    Bad("POST", ITEM, {**GOOD, "method": "FETCH"}, 400, "/method"),
    Bad("POST", ITEM, {**GOOD, "method": "get "}, 400, "/method"),
    Bad("POST", ITEM, {**GOOD, "host": ["www.shield.test"]}, 400, "/host"),
    Bad("POST", ITEM, {**GOOD, "host": True}, 400, "/host"),
    Bad("POST", ITEM, {**GOOD, "endpoint": {}}, 400, "/endpoint"),
    Bad("POST", OPERATIONS, [GOOD, {**GOOD, "endpoint": 3}], 400, "/1/endpoint"),
    Bad("PUT", CONFIGURATION, {"auth_id_characteristics": {}}, 400, "/auth_id_characteristics"),
    Bad(
        "PUT", CONFIGURATION, {"auth_id_characteristics": [{"type": "header"}]}, 400, "/auth_id_characteristics/0/name"
    ),
    Bad("PUT", CONFIGURATION, {"auth_id_characteristics": [{"type": "body", "name": "x"}]}, 400),
    Bad("PUT", CONFIGURATION, {}, 400, "/auth_id_characteristics"),
    Bad("PUT", CONFIGURATION, []),
    Bad("POST", f"{LABELS}/user", {"name": "a"}),
    Bad("POST", f"{LABELS}/user", [{"name": 3}], 400, "/0/name"),
    Bad("POST", f"{LABELS}/user", [{"description": "no name"}], 400, "/0/name"),
    Bad("PATCH", f"{LABELS}/user/login", {"description": []}, 400, "/description"),
    Bad("PATCH", f"{LABELS}/user/login", []),
    Bad("POST", LISTS, {"kind": "ip"}, 400, "/name"),
    Bad("POST", LISTS, {"kind": "cheese", "name": "x"}, 400, "/kind"),
    Bad("POST", LISTS, []),
    Bad("POST", ITEMS, {"ip": "10.0.0.3"}),
    Bad("POST", ITEMS, [{"ip": 3}], 400, "/0/ip"),
    Bad("POST", ITEMS, [{"ip": "10.0.0.999"}], 400, "/0/ip"),
    Bad("POST", ITEMS, [{"hostname": {"url_hostname": "a.test"}}], 400),
    Bad("POST", ITEMS, [{"ip": "10.0.0.3"}, {"ip": "nonsense"}], 400, "/1/ip"),
    Bad("PATCH", "/zones/{zone}", []),
    Bad("POST", "/zones", {"account": {"id": "{account}"}}, 400, "/name"),
    Bad("POST", "/zones", {"account": {}, "name": 12}, 400, "/name"),
    # too long, out of form
    Bad("POST", ITEM, {**GOOD, "host": "a" * 256}, 400, "/host"),
    Bad("POST", ITEM, {**GOOD, "host": "www.shield.test/x"}, 400, "/host"),
    Bad("POST", ITEM, {**GOOD, "host": "www .shield.test"}, 400, "/host"),
    Bad("POST", ITEM, {**GOOD, "endpoint": "/" + "a" * 4096}, 400, "/endpoint"),
    Bad("POST", ITEM, {**GOOD, "endpoint": "no/slash"}, 400, "/endpoint"),
    Bad("POST", ITEM, {**GOOD, "endpoint": ""}, 400, "/endpoint"),
    Bad("POST", ITEM, {**GOOD, "endpoint": "/a/{b"}, 400, "/endpoint"),
    Bad("POST", ITEM, {**GOOD, "endpoint": "/a\u0000b"}, 400),
    Bad("POST", ITEM, {**GOOD, "endpoint": "/a\nb"}, 400, "/endpoint"),
    Bad("PUT", CONFIGURATION, {"auth_id_characteristics": [{"type": "header", "name": f"h{n}"} for n in range(11)]}),
    Bad("PUT", CONFIGURATION, {"auth_id_characteristics": [{"type": "header", "name": "a" * 10_000}]}),
    Bad("PUT", CONFIGURATION, {"auth_id_characteristics": [{"type": "header", "name": "two words"}]}),
    Bad("PUT", CONFIGURATION, {"auth_id_characteristics": [{"type": "header", "name": "a\r\nb"}]}),
    Bad("PUT", CONFIGURATION, {"auth_id_characteristics": [{"type": "jwt", "name": "no-config:$.sub"}]}),
    Bad("POST", f"{LABELS}/user", [{"name": "a" * 10_000}], 400, "/0/name"),
    Bad("POST", f"{LABELS}/user", [{"name": ""}], 400, "/0/name"),
    Bad("PATCH", f"{LABELS}/user/login", {"description": "a" * 1_000_000}, 400, "/description"),
    Bad("POST", LISTS, {"kind": "ip", "name": "a" * 1000}, 400, "/name"),
    Bad("POST", LISTS, {"kind": "ip", "name": "Robert'); DROP TABLE lists;--"}, 400, "/name"),
    Bad("POST", ITEMS, [{"ip": "10.0.0.3", "comment": "a" * 10_000}], 400, "/0/comment"),
    Bad("POST", "/zones", {"account": {}, "name": "a" * 300 + ".test"}, 400, "/name"),
    Bad("POST", "/zones", {"account": {}, "name": "../../etc"}, 400, "/name"),
    # duplicates
    Bad("POST", "/zones", {"account": {}, "name": "shield.test"}, 409),
    Bad("POST", "/zones", {"account": {}, "name": "SHIELD.test"}, 409),
    Bad("POST", f"{LABELS}/user", [{"name": "login"}], 409),
    Bad("POST", f"{LABELS}/user", [{"name": "twice"}, {"name": "twice"}]),
    Bad("POST", LISTS, {"kind": "ip", "name": "addresses"}, 409),
    # what belongs to nobody
    Bad("GET", f"{OPERATIONS}/{NOBODY}", None, 404),
    Bad("DELETE", f"{OPERATIONS}/{NOBODY}", None, 404),
    Bad("DELETE", OPERATIONS, [{"operation_id": NOBODY}], 404),
    Bad("DELETE", OPERATIONS, [{"operation_id": "{operation}"}, {"operation_id": NOBODY}], 404),
    Bad("GET", f"{LABELS}/user/nobody", None, 404),
    Bad("DELETE", f"{LABELS}/user/nobody", None, 404),
    Bad("DELETE", f"{LABELS}/user", ["login", "nobody"], 404),
    Bad("GET", f"{LABELS}/managed/nobody", None, 404),
    Bad("PUT", f"{LABELS}/user/login/resources/operation", {"selector": {"include": {"operation_ids": [NOBODY]}}}, 404),
    Bad("POST", f"{OPERATIONS}/{{operation}}/labels", {"user": ["nobody"]}, 400, "/user/0"),
    Bad("POST", f"{OPERATIONS}/{{operation}}/labels", {"managed": ["cf-nobody"]}, 400, "/managed/0"),
    Bad("GET", f"{LISTS}/{'0' * 32}", None, 404),
    Bad("DELETE", f"{LISTS}/{'0' * 32}", None, 404),
    Bad("GET", f"{ITEMS}/{'0' * 32}", None, 404),
    Bad("GET", f"{LISTS}/bulk_operations/{'0' * 32}", None, 404),
    Bad("GET", f"/zones/{'0' * 32}", None, 404),
    Bad("DELETE", f"/zones/{'0' * 32}", None, 404),
    Bad("POST", f"/zones/{'0' * 32}/api_gateway/operations/item", GOOD, 404),
    Bad("GET", f"/accounts/{'0' * 32}/rules/lists", None, 404),
    Bad("POST", f"/accounts/{'0' * 32}/rules/lists", {"kind": "ip", "name": "x"}, 404),
    Bad("GET", "/zones/..%2F..%2Fetc", None, 404),
    Bad("GET", "/nothing/here", None, 404),
    # a DELETE whose body the SDKs cannot send: never everything
    Bad("DELETE", OPERATIONS, None),
    Bad("DELETE", OPERATIONS, {}),
    Bad("DELETE", f"{LABELS}/user", None),
    Bad("DELETE", f"{OPERATIONS}/labels", None),
    Bad("DELETE", f"{OPERATIONS}/labels", {}),
    Bad("DELETE", ITEMS, None),
    # queries
    Bad("GET", f"{OPERATIONS}?page=0", None),
    Bad("GET", f"{OPERATIONS}?page=-1", None),
    Bad("GET", f"{OPERATIONS}?page=one", None),
    Bad("GET", f"{OPERATIONS}?page={10**30}", None),
    Bad("GET", f"{OPERATIONS}?per_page=100000", None),
    Bad("GET", f"{OPERATIONS}?order=DROP", None),
    Bad("GET", f"{OPERATIONS}?direction=sideways", None),
    Bad("GET", f"{OPERATIONS}?feature=nonsense", None),
    Bad("GET", f"{LABELS}?source=nobody", None),
    Bad("GET", f"{LABELS}?order=nothing", None),
    Bad("GET", f"{ITEMS}?cursor=%00%FF", None),
    # methods
    Bad("PUT", OPERATIONS, [GOOD], 405),
    Bad("PATCH", f"{LISTS}/{{list}}", {}, 405),
    Bad("TRACE", OPERATIONS, None, 405),
]


@pytest.mark.parametrize("bad", BODIES, ids=lambda bad: f"{bad.method}-{bad.path}-{str(bad.body)[:48]}")
def test_what_is_wrong_with_a_request_is_said_and_changes_nothing(unharmed: Plane, bad: Bad) -> None:
    body = bad.body if bad.body is None else unharmed.path(json.dumps(bad.body)).encode()
    reply = unharmed.call(bad.method, bad.path, body)
    assert reply.status == bad.status, reply
    errors = reply.errors
    if bad.pointer is not None:
        assert errors[0].get("source", {}).get("pointer") == bad.pointer, errors


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (OPERATIONS, []),
        (f"{LABELS}/user", []),
        (f"{OPERATIONS}/labels", {"selector": {"include": {"operation_ids": []}}, "user": {"labels": []}}),
        (f"{OPERATIONS}/{{operation}}/labels", {}),
    ],
)
def test_deleting_nothing_deletes_nothing(unharmed: Plane, path: str, body: Any) -> None:
    assert unharmed.call("DELETE", path, body).status in (200, 400)


def test_deleting_no_items_of_a_list_deletes_none(plane: Plane) -> None:
    assert plane.call("DELETE", ITEMS, {"items": []}).status in (200, 400)
    assert [item["id"] for item in plane.call("GET", ITEMS).result] == [plane.ids.item]


@pytest.mark.parametrize("value", ["abc", '"-1"', 'W/"1"', '"9999999999999999999999"', '"1", "2"', "", '"1'])
def test_an_if_match_that_is_no_current_version_changes_nothing(unharmed: Plane, value: str) -> None:
    reply = unharmed.call("PATCH", f"{LABELS}/user/login", {"description": "changed"}, if_match=value)
    assert reply.status in (400, 412), reply
    assert reply.errors


@pytest.mark.parametrize("path", [OPERATIONS, LABELS, "/zones", "/accounts"])
@pytest.mark.parametrize("page", [2, 10**6, 10**9])
def test_a_page_out_of_range_is_an_empty_list(unharmed: Plane, path: str, page: int) -> None:
    reply = unharmed.call("GET", f"{path}?page={page}&per_page=50")
    assert reply.result == []
    assert reply.json["result_info"]["count"] == 0
