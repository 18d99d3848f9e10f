"""Waiting for the gateway: taken, refused, silent or not running, each told apart."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hoplon.model.mode import Mode
from hoplon.service.gateway import await_bundle, await_mode, gateway_status
from hoplon.service.mode import current_mode, set_mode
from hoplon.service.workspace import Workspace
from hoplon.storage.files import replace_file
from hoplon.storage.locks import holding_part
from hoplon.storage.state import StateDirectory


def say(state: StateDirectory, document: dict[str, Any]) -> None:
    replace_file(state.status("gateway"), json.dumps(document).encode())


@contextmanager
def said_soon(state: StateDirectory, document: dict[str, Any]) -> Iterator[None]:
    """A gateway that runs and says `document` after 50 ms."""
    speaker = threading.Timer(0.05, say, (state, document))
    with holding_part(state, "gateway"):
        speaker.start()
        yield
        speaker.join()


def test_without_a_gateway_there_is_nothing_to_wait_for(workspace: Workspace) -> None:
    assert await_bundle(workspace.state, "a").outcome == "not_running"


def test_a_bundle_that_is_served_is_taken(workspace: Workspace) -> None:
    with said_soon(workspace.state, {"bundle": "a"}):
        acknowledgement = await_bundle(workspace.state, "a", 5.0)
    assert acknowledgement.outcome == "taken"
    assert 0.02 < acknowledgement.seconds < 2


def test_a_refused_bundle_comes_with_its_errors(workspace: Workspace) -> None:
    errors = [{"path": "zones[0].upstreams", "message": "is empty"}]
    with said_soon(workspace.state, {"bundle": "old", "bundle_refused": "a", "bundle_errors": errors}):
        acknowledgement = await_bundle(workspace.state, "a", 5.0)
    assert acknowledgement.outcome == "refused"
    assert [str(problem) for problem in acknowledgement.problems] == ["zones[0].upstreams: is empty"]


def test_the_refusal_of_another_bundle_is_no_answer(workspace: Workspace) -> None:
    with said_soon(workspace.state, {"bundle": "old", "bundle_refused": "other"}):
        assert await_bundle(workspace.state, "a", 0.3).outcome == "silent"


def test_the_word_of_a_dead_gateway_is_no_answer(workspace: Workspace) -> None:
    with said_soon(workspace.state, {"bundle": "a", "pid": os.getpid() + 1}):
        assert await_bundle(workspace.state, "a", 0.3).outcome == "silent"


def test_a_mode_is_set_and_awaited(workspace: Workspace) -> None:
    assert current_mode(workspace.state) is Mode.ENFORCE
    with said_soon(workspace.state, {"mode": "log"}):
        assert set_mode(workspace.state, Mode.LOG).outcome == "taken"
    assert current_mode(workspace.state) is Mode.LOG
    assert await_mode(workspace.state, Mode.LOG).outcome == "not_running"


def test_a_status_that_is_torn_or_strange_is_none(workspace: Workspace) -> None:
    assert gateway_status(workspace.state) is None
    for content in ("{", "[]", "null", ""):
        workspace.state.status("gateway").write_text(content)
        assert gateway_status(workspace.state) is None
