"""The decision log over the API: of one zone, of all of them, one by its id."""

from datetime import timedelta

import pytest

from hoplon.service.workspace import Workspace
from support.api_server import Client
from support.decided import Decided, write_decided
from support.saved_zone import saved_zone

MINUTE = timedelta(minutes=1)


def test_a_zone_sees_its_own_decisions_only(client: Client, workspace: Workspace) -> None:
    zone = saved_zone(workspace)
    own, other = write_decided(
        workspace.state,
        zone.id,
        [Decided(MINUTE, {"action": "block", "status": 403}), Decided(MINUTE, {"action": "block", "zone": "f" * 32})],
    )
    path = f"/hoplon/v1/zones/{zone.id}/decisions"
    listed = client.get(path).result
    assert [each["id"] for each in listed["decisions"]] == [own] and listed["is_complete"]
    assert len(client.get("/hoplon/v1/decisions").result["decisions"]) == 2
    assert client.get(f"{path}/{own}").result["zone_name"] == "default"
    assert client.get(f"{path}/{other}").error["code"] == 11503
    assert client.get(f"/hoplon/v1/decisions/{other}").result["zone_id"] == "f" * 32


@pytest.mark.parametrize(
    ("query", "code"), [("action=drop", 10400), ("limit=0", 10400), ("since=yesterday", 11506), ("action=block", None)]
)
def test_a_query_is_checked(client: Client, workspace: Workspace, query: str, code: int | None) -> None:
    reply = client.get(f"/hoplon/v1/zones/{saved_zone(workspace).id}/decisions?{query}")
    assert (reply.result["decisions"] == []) if code is None else (reply.error["code"] == code)
