"""The long poll answers at once when there is news, else when there is, and costs no thread meanwhile."""

import hashlib
import json
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest

from hoplon.api.auth import Caller, Groups, RequestFacts
from hoplon.errors import HoplonError
from hoplon.model.mode import Mode
from hoplon.service.policy import apply_policy, export_policy
from hoplon.service.workspace import Workspace
from hoplon.storage.bundles import begin_generation, manifest_hash, write_mode
from support.api_server import TESTER, Client, Reply, serving

CURRENT = "/hoplon/v1/bundles/current"


def ask(client: Client, after: str = "", mode: str = "enforce", wait: int = 0) -> Reply:
    return client.get(f"{CURRENT}?after={after}&mode={mode}&wait={wait}&name=gw-1")


def in_place(workspace: Workspace) -> str:
    found = manifest_hash(workspace.state.current)
    assert found is not None
    return found


def change_policy(workspace: Workspace) -> None:
    text = export_policy(workspace)
    apply_policy(workspace, text.replace("show_violations = false", "show_violations = true"))


class Asking(threading.Thread):
    """One long poll, under way."""

    def __init__(self, client: Client, **query: Any) -> None:
        super().__init__(daemon=True)
        self._client, self._query = client, query
        self._began = time.monotonic()
        self.start()

    def run(self) -> None:
        self.reply = ask(self._client, **self._query)
        self.seconds = time.monotonic() - self._began

    def end(self, within_seconds: float) -> Reply:
        self.join(within_seconds)
        assert not self.is_alive(), "it has not answered"
        return self.reply


def test_who_has_nothing_gets_the_manifest_and_every_part_of_it(workspace: Workspace, client: Client) -> None:
    offer = ask(client).result
    assert offer["bundle"] == hashlib.sha256(offer["manifest"].encode()).hexdigest() == in_place(workspace)
    assert (offer["mode"], offer["generation"]) == ("enforce", 0)
    for entry in json.loads(offer["manifest"])["parts"]:
        reply = client.get(f"/hoplon/v1/bundles/parts/{entry['sha256']}")
        assert reply.headers["content-type"] == "application/octet-stream"
        assert hashlib.sha256(reply.content).hexdigest() == entry["sha256"]
        assert len(reply.content) == entry["bytes"]


def test_without_news_it_is_204_after_the_wait(workspace: Workspace, client: Client) -> None:
    assert ask(client, after=in_place(workspace)).status == 204
    began = time.monotonic()
    reply = ask(client, after=in_place(workspace), wait=1)
    assert (reply.status, reply.content) == (204, b"")
    assert "content-length" not in reply.headers
    assert 1.0 <= time.monotonic() - began < 2.0


def test_a_change_of_policy_answers_all_who_wait_at_once(workspace: Workspace, client: Client) -> None:
    waiting = [Asking(client, after=in_place(workspace), wait=30) for _ in range(5)]
    time.sleep(0.2)
    began = time.monotonic()
    change_policy(workspace)
    for each in waiting:
        assert each.end(5.0).result["bundle"] == in_place(workspace)
    assert time.monotonic() - began < 2.0


def test_the_mode_travels_without_the_manifest(workspace: Workspace, client: Client) -> None:
    waiting = Asking(client, after=in_place(workspace), wait=30)
    time.sleep(0.2)
    began = time.monotonic()
    write_mode(workspace.state, Mode.OFF)
    offer = waiting.end(5.0).result
    assert time.monotonic() - began < 0.5
    assert (offer["mode"], offer["manifest"]) == ("off", None)
    workspace.state.mode.write_text("nonsense")
    assert ask(client).result["mode"] == "off", "what cannot be read leaves the mode before"


def test_the_end_of_the_server_answers_those_who_wait(workspace: Workspace) -> None:
    with serving(workspace) as client:
        waiting = Asking(client, after=in_place(workspace), wait=30)
        time.sleep(0.2)
    assert waiting.end(1.0).status == 204


def test_a_token_revoked_while_it_waits_gets_nothing(workspace: Workspace) -> None:
    revoked: list[bool] = []

    def authorise(workspace: Workspace, facts: RequestFacts, groups: Groups) -> Caller:
        if revoked:
            raise HoplonError("auth.invalid", "this API token is unknown, expired or revoked")
        return Caller(TESTER)

    with serving(workspace, authorise=authorise) as client:
        waiting = Asking(client, after=in_place(workspace), wait=30)
        time.sleep(0.2)
        revoked.append(True)
        write_mode(workspace.state, Mode.OFF)
        assert waiting.end(5.0).status == 401


def test_a_restored_backup_has_another_generation(workspace: Workspace, client: Client) -> None:
    begin_generation(workspace.state)
    first = ask(client).result["generation"]
    begin_generation(workspace.state)
    assert 0 < first < ask(client).result["generation"]


def test_three_hundred_who_wait_leave_the_api_as_quick_as_before(workspace: Workspace, client: Client) -> None:
    request = f"GET {CURRENT}?after={in_place(workspace)}&mode=enforce&wait=30 HTTP/1.1\r\nhost: x\r\n\r\n"
    with ExitStack() as sockets:
        for _ in range(300):
            sent = sockets.enter_context(socket.create_connection((client.host, client.port)))
            sent.sendall(request.encode())
        time.sleep(0.5)
        threads = threading.active_count()
        began = time.monotonic()
        assert client.get("/client/v4/zones").status == 200
        assert time.monotonic() - began < 1.0
        assert threads < 80


@pytest.mark.parametrize("name", ["0" * 64, "..%2F..%2Fcurrent", "A" * 64, "current", "%2e%2e"])
def test_what_names_no_part_is_404(client: Client, name: str) -> None:
    reply = client.get(f"/hoplon/v1/bundles/parts/{name}")
    assert (reply.status, reply.error["code"]) == (404, 11201)


@pytest.mark.parametrize("query", ["wait=61", "wait=-1", "wait=soon", f"after={'0' * 65}"])
def test_a_question_out_of_bounds_is_400(client: Client, query: str) -> None:
    assert client.get(f"{CURRENT}?{query}").status == 400
