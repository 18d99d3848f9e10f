"""Key sets of a zone from a real server to the bundle: rotated, kept while the server is ill, policy versions as they
were."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from hoplon.service.changes import local_actor
from hoplon.service.jwks.fetch import Fetcher
from hoplon.service.jwks.refresh import Refresher
from hoplon.service.jwks.watch import Servers, has_key_sets, start_watching
from hoplon.service.policy import create_first_zone, find_zone
from hoplon.service.token_validation import (
    add_configuration,
    edit_configuration,
    get_configuration,
    list_configurations,
    refresh_keys,
    remove_configuration,
)
from hoplon.service.workspace import Workspace
from hoplon.storage.bundles import manifest_hash, part_digests
from support.jwks import ec_signer, rsa_signer
from support.key_server import KeyServer, key_server

SOURCES = ('http.request.headers["authorization"][0]',)
OLD, NEW = rsa_signer("old"), ec_signer("new")


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as server:
        server.give([OLD.jwk])
        yield server


@pytest.fixture
def zone_id(workspace: Workspace) -> str:
    create_first_zone(workspace, "http://127.0.0.1:9")
    return find_zone(workspace, None).zone_id


def added(workspace: Workspace, zone_id: str, url: str) -> str:
    wanted = {"title": "by URL", "token_sources": SOURCES, "jwks_url": url}
    return add_configuration(workspace, local_actor(), zone_id, wanted).shown.configuration.id


def bundled(workspace: Workspace, identity: str) -> Any:
    (digest,) = part_digests(workspace.state.current.read_bytes(), "token_keys")
    part = json.loads((workspace.state.bundle_parts / digest).read_bytes())
    return part["configurations"].get(identity)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refresher(workspace: Workspace, clock: Clock, said: list[str]) -> Refresher:
    fetcher = Fetcher([ip_network("127.0.0.0/8")])
    return Refresher(workspace, fetcher, lambda step, text: said.append(text), clock, lambda: 0.5)


def test_new_keys_make_a_new_bundle_of_the_same_versions(
    workspace: Workspace, zone_id: str, server: KeyServer, refresher: Refresher, clock: Clock
) -> None:
    identity = added(workspace, zone_id, server.url)
    assert bundled(workspace, identity) == []
    clock.now += timedelta(seconds=5)
    assert refresher.look() == 1
    assert bundled(workspace, identity) == [OLD.jwk]
    before, version = json.loads(workspace.state.current.read_bytes()), find_zone(workspace, None).version
    server.give([OLD.jwk, NEW.jwk])
    assert refresher.look() == 0
    clock.now += timedelta(seconds=601)
    assert refresher.look() == 1
    assert bundled(workspace, identity) == [OLD.jwk, NEW.jwk]
    after = json.loads(workspace.state.current.read_bytes())
    assert (after["zones"], find_zone(workspace, None).version) == (before["zones"], version)
    changed = {part["kind"] for part in after["parts"] if part not in before["parts"]}
    assert changed == {"token_keys"}


@pytest.mark.parametrize(
    "ill",
    [
        {"status": 500},
        {"content": b"<html>"},
        {"content": b'{"keys": []}'},
        {"content": b"x" * 300_000},
        {"status": 302, "headers": {"location": "http://169.254.169.254/"}},
    ],
    ids=["failing", "malformed", "keys vanishing", "huge", "redirecting to a private address"],
)
def test_the_last_good_keys_stay_whatever_the_server_does(
    workspace: Workspace, zone_id: str, server: KeyServer, refresher: Refresher, clock: Clock, said: list[str], ill: Any
) -> None:
    identity = added(workspace, zone_id, server.url)
    clock.now += timedelta(seconds=5)
    refresher.look()
    bundle = manifest_hash(workspace.state.current)
    for name, value in ill.items():
        setattr(server, name, value)
    for _ in range(3):
        clock.now += timedelta(hours=1)
        refresher.look()
    shown = get_configuration(workspace, zone_id, identity).value
    assert shown.jwks == [OLD.jwk]
    assert shown.key_set is not None and shown.key_set.failures == 3 and shown.key_set.error
    assert manifest_hash(workspace.state.current) == bundle
    assert len(said) == 1, "a failure is said when it begins"
    server.headers = {}
    server.give([NEW.jwk])
    clock.now += timedelta(hours=1)
    refresher.look()
    assert bundled(workspace, identity) == [NEW.jwk]


def test_a_server_that_is_down_from_the_start_leaves_no_key(
    workspace: Workspace, zone_id: str, server: KeyServer, refresher: Refresher, clock: Clock
) -> None:
    identity = added(workspace, zone_id, "http://127.0.0.1:9/jwks.json")
    clock.now += timedelta(seconds=5)
    refresher.look()
    shown = get_configuration(workspace, zone_id, identity).value
    assert shown.jwks == [] and shown.key_set is not None and shown.key_set.keys is None
    assert bundled(workspace, identity) == []


def test_another_url_begins_without_the_keys_of_the_one_before(
    workspace: Workspace, zone_id: str, server: KeyServer, refresher: Refresher, clock: Clock
) -> None:
    identity = added(workspace, zone_id, server.url)
    clock.now += timedelta(seconds=5)
    refresher.look()
    edit_configuration(workspace, local_actor(), zone_id, identity, {"jwks_url": f"{server.url}?other"})
    assert bundled(workspace, identity) == []
    clock.now += timedelta(seconds=5)
    refresher.look()
    assert bundled(workspace, identity) == [OLD.jwk]
    remove_configuration(workspace, local_actor(), zone_id, identity)
    assert not has_key_sets(workspace.state.database)


def test_a_refresh_makes_it_due_at_once_and_no_version(
    workspace: Workspace, zone_id: str, server: KeyServer, refresher: Refresher, clock: Clock
) -> None:
    identity = added(workspace, zone_id, server.url)
    clock.now += timedelta(seconds=5)
    refresher.look()
    version = list_configurations(workspace, zone_id).version
    assert refresher.look() == 0
    refresh_keys(workspace, local_actor(), zone_id, identity)
    assert refresher.look() == 1
    assert list_configurations(workspace, zone_id).version == version


def test_the_worker_s_thread_fetches_by_itself(workspace: Workspace, zone_id: str, server: KeyServer) -> None:
    stop, said = threading.Event(), []
    thread = start_watching(workspace.state, Servers(["127.0.0.0/8"]), lambda step, text: said.append(text), stop)
    identity = added(workspace, zone_id, server.url)
    deadline = time.monotonic() + 20
    while bundled(workspace, identity) != [OLD.jwk] and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join(20)
    assert bundled(workspace, identity) == [OLD.jwk], said
    assert not thread.is_alive()
