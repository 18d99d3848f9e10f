"""`api_gateway/configuration` over HTTP: session identifiers, replaced as a whole."""

import pytest

from hoplon._native import Engine
from hoplon.service.policy import export_policy, find_zone
from hoplon.service.workspace import Workspace
from support.api_server import Client

HEADER = {"type": "header", "name": "X-User"}
COOKIE = {"type": "cookie", "name": "SID"}


@pytest.fixture
def path(workspace: Workspace) -> str:
    return f"/client/v4/zones/{find_zone(workspace, None).zone_id}/api_gateway/configuration"


def configuration(*identifiers: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    return {"auth_id_characteristics": list(identifiers)}


def test_a_zone_begins_without_identifiers(client: Client, path: str) -> None:
    assert client.get(path).result == {"auth_id_characteristics": []}


def test_put_replaces_the_whole_list_in_its_order(client: Client, path: str) -> None:
    first = client.ask("PUT", path, configuration(HEADER, COOKIE))
    assert first.result == configuration(HEADER, COOKIE)
    assert client.get(path).result == first.result
    second = client.ask("PUT", path, configuration(COOKIE))
    assert second.result == configuration(COOKIE)
    assert (first.headers["etag"], second.headers["etag"]) == ('"2"', '"3"')
    assert client.ask("PUT", path, configuration(COOKIE)).headers["etag"] == '"3"'
    assert client.ask("PUT", path, configuration()).result == configuration()


def test_normalize_shows_or_keeps_the_canonical_form(client: Client, path: str) -> None:
    client.ask("PUT", path, configuration(HEADER, COOKIE))
    lower = configuration({**HEADER, "name": "x-user"}, COOKIE)
    assert client.get(f"{path}?normalize=true").result == lower
    assert client.get(f"{path}?normalize=false").result == configuration(HEADER, COOKIE)
    client.ask("PUT", f"{path}?normalize=true", configuration(HEADER, COOKIE))
    assert client.get(path).result == lower


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (configuration(HEADER, {**HEADER, "name": "x-user"}), "/auth_id_characteristics/1"),
        (configuration({**HEADER, "name": "a b"}), "/auth_id_characteristics/0/name"),
        (configuration({**HEADER, "type": "query"}), "/auth_id_characteristics/0/type"),
        (configuration({"type": "jwt", "name": "sub"}), "/auth_id_characteristics/0/name"),
        (configuration({"type": "jwt", "name": f"{'a' * 32}:$.sub"}), "/auth_id_characteristics/0/name"),
        (configuration(*({"type": "header", "name": f"x{n}"} for n in range(11))), "/auth_id_characteristics"),
        ({}, "/auth_id_characteristics"),
    ],
)
def test_a_wrong_list_changes_nothing(client: Client, path: str, body: object, pointer: str) -> None:
    client.ask("PUT", path, configuration(COOKIE))
    reply = client.ask("PUT", path, body)
    assert (reply.status, reply.error["source"]["pointer"]) == (400, pointer)
    assert client.get(path).result == configuration(COOKIE)


def test_a_stale_if_match_changes_nothing(client: Client, path: str) -> None:
    client.ask("PUT", path, configuration(COOKIE))
    assert client.ask("PUT", path, configuration(HEADER), headers={"If-Match": '"1"'}).status == 412
    assert client.get(path).result == configuration(COOKIE)


def test_the_engine_takes_sessions_from_it(client: Client, path: str, workspace: Workspace) -> None:
    client.ask("PUT", path, configuration(HEADER))
    assert "identifiers = [" in export_policy(workspace)
    workspace.assembler.settle()
    engine = Engine(workspace.state.bundles)

    def session(value: bytes) -> tuple[object, object]:
        record = engine.inspect("GET", "http://a.example/", headers=[("x-user", value)])["record"]
        return record["session"], record["session_source"]

    assert session(b"ann")[1] == "identifier"
    assert session(b"ann") == session(b"ann") != session(b"bob")
