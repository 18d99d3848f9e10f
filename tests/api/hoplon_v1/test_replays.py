"""Replays over the API: nothing is changed, each is bounded, one at a time."""

from datetime import timedelta

import pytest

from hoplon.api.hoplon_v1 import replays
from hoplon.service.workspace import Workspace
from support.api_server import Client, Reply
from support.decided import Decided, write_decided
from support.saved_zone import POLICY, saved_zone

BLOCKING = POLICY.replace("operations.saved", 'operations.fallthrough = "block"\noperations.saved').encode()


def replay(client: Client, workspace: Workspace, query: str = "", content: bytes = BLOCKING) -> Reply:
    path = f"/hoplon/v1/zones/{saved_zone(workspace).id}/replays{query}"
    return client.ask("POST", path, content=content, headers={"Content-Type": "application/toml"})


def test_a_document_is_replayed_over_what_is_stored(client: Client, workspace: Workspace) -> None:
    zone = saved_zone(workspace)
    requests = [Decided(timedelta(minutes=n), {"path": "/debug", "host": "api.example.com"}) for n in range(1, 6)]
    ids = write_decided(workspace.state, zone.id, requests)
    report = replay(client, workspace, "?since=2h").result
    assert (report["records"], report["would"]["block"], report["present"]["log"]) == (5, 5, 5)
    assert set(report["examples"]["block"]) == set(ids)
    assert report["rules"][0]["rule_name"] == "requests that match no saved operation"
    newest = replay(client, workspace, "?max_records=2").result
    assert (newest["stored"], newest["records"]) == (5, 2)


@pytest.mark.parametrize(
    ("query", "content", "code"),
    [
        ("?since=yesterday", BLOCKING, 11506),
        ("?max_records=0", BLOCKING, 10400),
        ("", BLOCKING.replace(b"/login", b"login"), 11021),
        ("", b"\xff", 11021),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    client: Client, workspace: Workspace, query: str, content: bytes, code: int
) -> None:
    assert replay(client, workspace, query, content).error["code"] == code


def test_a_second_one_waits_its_turn(client: Client, workspace: Workspace) -> None:
    with replays._one_at_a_time():
        assert replay(client, workspace).error["code"] == 11508
    assert replay(client, workspace).status == 200
