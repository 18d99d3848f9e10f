"""The installation at a glance, and which bundle each policy version led to."""

from hoplon.service.workspace import Workspace
from hoplon.storage.bundles import manifest_hash
from support.api_server import Client


def test_the_status_names_the_bundle_in_place_and_the_parts(workspace: Workspace, client: Client) -> None:
    status = client.get("/hoplon/v1/status").result
    assert status["bundle"] == manifest_hash(workspace.state.current)
    assert (status["mode"], status["zones"], status["error"], status["serving"]) == ("enforce", 1, None, None)
    assert [part["name"] for part in status["parts"]] == ["gateway", "api", "worker"]


def test_every_version_names_its_bundle_newest_first(client: Client) -> None:
    zone = client.get("/client/v4/zones").result[0]
    path = f"/hoplon/v1/zones/{zone['id']}/upstreams"
    for port in (1, 2):
        client.ask("PUT", path, {"upstreams": [{"url": f"http://127.0.0.1:{port}"}]})
    bundles = client.get("/hoplon/v1/bundles").result
    assert [each["version"] for each in bundles] == [3, 2, 1]
    assert len({each["bundle"] for each in bundles}) == 3
    assert {each["zone_name"] for each in bundles} == {"default"}
    assert client.get("/hoplon/v1/bundles?page=2").result == []
