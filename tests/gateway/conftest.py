"""One `hoplon up` for all tests that leave it as it was; each gets a zone of its own, known by its host name."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.installation import Answer, Client, Installation, apply, policy, running
from support.upstream import Script, Upstream, polite

pytest.importorskip("hoplon._native")


class Zone:
    """A zone of the shared installation, and the upstreams behind it."""

    def __init__(self, up: Installation, name: str, upstreams: list[Upstream], read_seconds: float) -> None:
        self.up, self.name, self.upstreams = up, name, upstreams
        self.host = f"{name}.test"
        text = policy(*(upstream.url for upstream in upstreams), name=name, host=self.host, read_seconds=read_seconds)
        applied = apply(up.state, text, "--create")
        assert applied.returncode == 0, applied.stderr

    def client(self) -> Client:
        return self.up.client(self.host)

    def get(self, path: str = "/") -> Answer:
        return self.up.get(path, self.host)


@pytest.fixture(scope="session")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    api = Upstream(polite)
    with running(tmp_path_factory.mktemp("shared") / "state", "--upstream", api.url) as up:
        yield up
    api.close()


@pytest.fixture
def zone(shared_up: Installation, request: pytest.FixtureRequest) -> Iterator[Callable[..., Zone]]:
    """`zone(script, script, …)`: a new zone with as many upstreams."""
    made: list[Zone] = []

    def make(*scripts: Script, read_seconds: float = 5.0) -> Zone:
        name = f"z{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**8}-{len(made)}"
        made.append(Zone(shared_up, name, [Upstream(script) for script in scripts], read_seconds))
        return made[-1]

    yield make
    for zone in made:
        for upstream in zone.upstreams:
            upstream.close()


@pytest.fixture
def api() -> Iterator[Upstream]:
    """An API without faults."""
    upstream = Upstream(polite)
    yield upstream
    upstream.close()


@pytest.fixture
def own_up(tmp_path: Path, api: Upstream) -> Iterator[Installation]:
    """A `hoplon up` that a test may break."""
    with running(tmp_path / "state", "--upstream", api.url) as up:
        yield up
