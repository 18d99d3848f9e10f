"""What is odd and not wrong: whatever is accepted can be read back, is the same when it is sent again, and acts: no
accepted piece may keep the bundle of all the others from its place."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from faults.plane import HOST, Plane, plane_in

pytest.importorskip("hoplon._native")

OPERATIONS = "/zones/{zone}/api_gateway/operations"
LABELS = "/zones/{zone}/api_gateway/labels/user"

ENDPOINTS = [
    "/", "//", "/a//b", "/a/./b", "/a/../b", "/../../a", "/a/%2f", "/a/%41", "/a/%c3%a4", "/ä", "/😀", "/a b",
    "/\u200b", "/{x}", "/{x}/", "/{x}/{x}", "/a/{var2}", "/a/{var1}/{var1}", "/{a}/{b}/{c}", "/" + "{x}/" * 60,
    "/" + "{x}/" * 600,
    "/a/{x}{y}", "/a/{x}-{y}", "/a/{x}.json", "/a/pre{x}", "/a/{}", "/a/{x", "/a/}x{", "/a/{é}", "/a/*", "/a/**",
    "/a/:id", "/a;b=1", "/a?x=1", "/a#f", "/%", "/%zz", "/%00", "/a\\b", "/a\tb", "/a+b", "/a'b", '/a"b', "/a<b>",
    "/$%7B%7D", "/~", "/" + "a" * 4000, "/" + "/".join("a" * 60), "/api/v1/users/{var1}", "/API/v1/users/{id}",
    "/" + "%2F" * 1000,
]  # fmt: skip
HOSTS = [
    "shield.test", "Shield.Test", "www.shield.test", "{a}.shield.test", "{hostVar1}.shield.test", "a_b.shield.test",
    "xn--bcher-kva.shield.test", "bücher.shield.test", "a.b.shield.test", "shield.test.", "shield.test:80",
    "*.shield.test", "-a.shield.test", "", ".", "..", "shield..test", "other.test", "127.0.0.1", "[::1]", "{a}",
    "{a}{b}.shield.test",
]  # fmt: skip
IDENTIFIERS = [
    [{"type": "header", "name": "X-A"}, {"type": "header", "name": "x-a"}],
    [{"type": "cookie", "name": "a"}, {"type": "cookie", "name": "A"}],
    [{"type": "cookie", "name": "a=b"}],
    [{"type": "header", "name": "host"}],
    [{"type": "header", "name": ":path"}],
    [{"type": "header", "name": "!#$%&'*+-.^_`|~"}],
    [{"type": "header", "name": f"h{number}"} for number in range(10)],
    [],
]
NAMES = ["A", "a.b", "a-b", "1", "a" * 64, "a/b", "a%2Fb", "..", "a b", "ä", "😀", "cf-x", "user", "managed", "null"]
ZONES = [
    "y.shield.test",
    "test",
    "w.shield.test",
    "localhost",
    "127.0.0.1",
    "default",
    "x.y.z.test",
    "-",
    "a.",
    "[::1]",
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with plane_in(tmp_path_factory.mktemp("odd") / "state") as plane:
        yield plane
        assert plane.traffic.refused == []


@pytest.fixture
def acting(shared: Plane) -> Iterator[Plane]:
    """The installation; afterwards everything that was accepted is in the bundle in place."""
    yield shared
    deadline = time.monotonic() + 20
    while not all(version == zones_in_place(shared).get(zone) for zone, version in newest_versions(shared).items()):
        assert time.monotonic() < deadline, "what was accepted does not get into a bundle"
        time.sleep(0.05)


def newest_versions(plane: Plane) -> dict[str, int]:
    zones = plane.call("GET", "/zones?per_page=50&status=active").result
    return {zone["id"]: plane.call("GET", f"/zones/{zone['id']}/api_gateway/configuration").etag for zone in zones}


def zones_in_place(plane: Plane) -> dict[str, int]:
    manifest = json.loads((plane.up.state / "bundles" / "current").read_bytes())
    return {zone["id"]: zone["policy_version"] for zone in manifest["zones"]}


def accepted(plane: Plane, method: str, path: str, body: Any) -> Any:
    """The result; None when it was refused, and then as it must be."""
    reply = plane.call(method, path, body)
    if reply.status == 200:
        return reply.result
    assert reply.status in (400, 409), reply
    assert reply.errors
    return None


@pytest.mark.parametrize(
    ("host", "endpoint"), [*((HOST, endpoint) for endpoint in ENDPOINTS), *((host, "/odd") for host in HOSTS)]
)
def test_an_odd_operation_is_refused_or_is_one(shared: Plane, host: str, endpoint: str) -> None:
    sent = {"method": "GET", "host": host, "endpoint": endpoint}
    if (made := accepted(shared, "POST", f"{OPERATIONS}/item", sent)) is None:
        return
    shown = {name: made[name] for name in sent}
    assert accepted(shared, "POST", f"{OPERATIONS}/item", sent)["operation_id"] == made["operation_id"]
    assert accepted(shared, "POST", f"{OPERATIONS}/item", shown)["operation_id"] == made["operation_id"]
    found = shared.call("GET", f"{OPERATIONS}/{made['operation_id']}").result
    assert {name: found[name] for name in sent} == shown


@pytest.mark.parametrize("characteristics", IDENTIFIERS, ids=str)
def test_odd_identifiers_are_refused_or_kept(shared: Plane, characteristics: list[dict[str, str]]) -> None:
    path, sent = "/zones/{zone}/api_gateway/configuration", {"auth_id_characteristics": characteristics}
    if accepted(shared, "PUT", path, sent) is not None:
        assert shared.call("GET", path).result == sent


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_name_of_a_label_is_refused_or_found_again(shared: Plane, name: str) -> None:
    if accepted(shared, "POST", LABELS, [{"name": name}]) is not None:
        assert shared.call("GET", f"{LABELS}/{name}").result["name"] == name
        assert shared.call("DELETE", f"{LABELS}/{name}").status == 200


@pytest.mark.parametrize("name", ZONES)
def test_an_odd_zone_is_refused_or_gets_an_upstream(shared: Plane, name: str) -> None:
    if (zone := accepted(shared, "POST", "/zones", {"account": {}, "name": name})) is not None:
        upstreams = {"upstreams": [{"url": "http://127.0.0.1:9"}]}
        assert shared.call("PUT", f"/hoplon/v1/zones/{zone['id']}/upstreams", upstreams).status == 200


def test_all_that_was_accepted_acts(acting: Plane) -> None:
    made = acting.call("POST", f"{OPERATIONS}/item", {"method": "PUT", "host": HOST, "endpoint": "/last"})
    assert made.status == 200
