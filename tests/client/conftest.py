"""The same Hoplon twice: in a state directory here, and behind a server that asks for a token. What holds for one must
hold for the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hoplon.client.local import Local
from hoplon.client.remote import Remote
from hoplon.service.policy import create_first_zone
from hoplon.service.token_wishes import TokenWish
from hoplon.service.workspace import open_workspace
from support.api_server import serving

Control = Local | Remote


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with the zone `default`."""
    with open_workspace(tmp_path / "state", create=True) as workspace:
        create_first_zone(workspace, "http://127.0.0.1:9")
    return tmp_path / "state"


@pytest.fixture
def secret(state: Path) -> str:
    """The secret of the token `tests`, which may do everything."""
    with Local(state) as local:
        return local.tokens.create(TokenWish("tests"))[1]


@pytest.fixture(params=["local", "remote"])
def control(request: pytest.FixtureRequest, state: Path, secret: str) -> Iterator[Control]:
    if request.param == "local":
        with Local(state) as local:
            yield local
        return
    with (
        open_workspace(state) as workspace,
        serving(workspace, authorise=None) as client,
        Remote(f"http://127.0.0.1:{client.port}", secret) as remote,
    ):
        yield remote
