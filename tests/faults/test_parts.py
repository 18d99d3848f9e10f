"""The API of a running `hoplon up` dies or hangs: the gateway does not notice, and the API is back by itself."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.plane import Plane, plane_in
from support.api import api_status, await_api
from support.installation import await_true

pytest.importorskip("hoplon._native")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Plane]:
    with plane_in(tmp_path / "state") as plane:
        yield plane
        assert plane.traffic.refused == []


def test_an_api_that_is_killed_comes_back_and_no_caller_of_the_gateway_notices(own: Plane) -> None:
    label = "/zones/{zone}/api_gateway/labels/user/login"
    for life in range(3):
        kill_and_await_another(own)
        assert own.call("PATCH", label, {"description": f"life {life}"}).status == 200
        assert own.call("GET", label).result["description"] == f"life {life}"
    assert own.up.process.poll() is None


def test_an_api_that_hangs_holds_up_no_traffic_and_no_end(own: Plane) -> None:
    os.kill(api_status(own.up.state)["pid"], signal.SIGSTOP)
    asked = own.traffic.asked
    await_true(lambda: own.traffic.asked > asked + 50, "traffic goes on")
    own.traffic.end()
    assert own.traffic.refused == []
    assert own.up.stop() == 0


def kill_and_await_another(plane: Plane) -> None:
    """Kill the API, and wait for the one that the supervisor starts."""
    dead = api_status(plane.up.state)["pid"]
    os.kill(dead, signal.SIGKILL)
    await_true(lambda: api_status(plane.up.state)["pid"] != dead, "the supervisor starts another API")
    await_api(plane.up.state)
