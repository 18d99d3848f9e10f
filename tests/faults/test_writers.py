"""Many writers at once on one zone: whatever was acknowledged is there, once, and nobody's change is lost."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from faults.plane import Plane, plane_in
from support.api import Caller, Reply

pytest.importorskip("hoplon._native")

WRITERS = 200
LABEL = "/zones/{zone}/api_gateway/labels/user/login"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with plane_in(tmp_path_factory.mktemp("writers") / "state") as plane:
        yield plane
        assert plane.traffic.refused == []


def at_once(plane: Plane, write: Callable[[Caller, int], Reply]) -> list[Reply]:
    """What each of 200 callers got, who all began at the same moment, each on a connection of its own."""
    barrier = Barrier(WRITERS)

    def one(number: int) -> Reply:
        caller = plane.caller(timeout_seconds=120)
        barrier.wait()
        try:
            return write(caller, number)
        finally:
            caller.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def version(plane: Plane) -> int:
    return plane.call("GET", LABEL).etag


def test_every_post_is_there_and_each_made_its_own_version(shared: Plane) -> None:
    path = shared.path("/zones/{zone}/api_gateway/operations/item")
    before = version(shared)

    def post(caller: Caller, number: int) -> Reply:
        body = {"method": "GET", "host": "www.shield.test", "endpoint": f"/post/{number}/{{id}}"}
        return caller.call("POST", path, body)

    replies = at_once(shared, post)
    assert {reply.status for reply in replies} == {200}
    assert len({reply.result["operation_id"] for reply in replies}) == WRITERS
    assert sorted(reply.etag for reply in replies) == list(range(before + 1, before + 1 + WRITERS))
    listed = [
        operation["endpoint"]
        for page in range(1, 6)
        for operation in shared.call(
            "GET", f"/zones/{{zone}}/api_gateway/operations?endpoint=/post/&per_page=50&page={page}"
        ).result
    ]
    assert len(set(listed)) == len(listed) == WRITERS


def test_the_same_post_by_all_makes_one_operation(shared: Plane) -> None:
    path = shared.path("/zones/{zone}/api_gateway/operations/item")
    body = {"method": "PUT", "host": "www.shield.test", "endpoint": "/same/{id}"}
    replies = at_once(shared, lambda caller, number: caller.call("POST", path, body))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.result["operation_id"] for reply in replies}) == 1


def test_a_patch_of_one_member_loses_nothing_of_the_other(shared: Plane) -> None:
    path = shared.path(LABEL)

    def patch(caller: Caller, number: int) -> Reply:
        body = {"description": f"writer {number}"} if number % 2 else {"metadata": {"writer": number}}
        return caller.call("PATCH", path, body)

    replies = at_once(shared, patch)
    assert {reply.status for reply in replies} == {200}
    last = shared.call("GET", LABEL).result
    assert int(last["description"].removeprefix("writer ")) % 2 == 1
    assert last["metadata"]["writer"] % 2 == 0
    newest = max(replies, key=lambda reply: reply.etag).result
    assert (last["description"], last["metadata"]) == (newest["description"], newest["metadata"])


def test_a_put_with_if_match_counts_every_writer(shared: Plane) -> None:
    path = shared.path(LABEL)
    assert shared.call("PUT", LABEL, {"metadata": {"count": 0}}).status == 200
    refused: list[int] = []

    def count(caller: Caller, number: int) -> Reply:
        chance = random.Random(number)
        while True:
            seen = caller.get(path)
            body = {"metadata": {"count": seen.result["metadata"]["count"] + 1}}
            reply = caller.call("PUT", path, body, if_match=seen.headers["etag"])
            if reply.status != 412:
                return reply
            refused.append(number)
            time.sleep(chance.random())

    replies = at_once(shared, count)
    assert {reply.status for reply in replies} == {200}
    assert sorted(reply.result["metadata"]["count"] for reply in replies) == list(range(1, WRITERS + 1))
    assert refused, "nobody met anybody: this proved nothing"


def test_everybody_with_the_same_if_match_lets_one_through(shared: Plane) -> None:
    path, stale = shared.path(LABEL), f'"{version(shared)}"'
    replies = at_once(shared, lambda caller, n: caller.call("PUT", path, {"description": f"{n}"}, if_match=stale))
    assert sorted(reply.status for reply in replies) == [200] + [412] * (WRITERS - 1)
