"""One `hoplon up` whose upstream keeps every byte it gets."""

from collections.abc import Iterator

import pytest

from support.installation import Installation, running
from support.upstream import Upstream
from support.wire import Recorder

pytest.importorskip("hoplon._native")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Recorder]]:
    recorder = Recorder()
    upstream = Upstream(recorder)
    with running(tmp_path_factory.mktemp("smuggling") / "state", "--upstream", upstream.url) as up:
        yield up, recorder
    upstream.close()


@pytest.fixture
def gateway(recorded: tuple[Installation, Recorder]) -> tuple[Installation, Recorder]:
    """The same, with nothing seen yet."""
    recorded[1].seen.clear()
    return recorded
