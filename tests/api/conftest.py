"""The API of a fresh installation with one zone, asked over HTTP by somebody who may everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hoplon.service.policy import create_first_zone
from hoplon.service.workspace import Workspace, open_workspace
from support.api_server import Client, serving


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "state", create=True) as workspace:
        create_first_zone(workspace, "http://127.0.0.1:9")
        yield workspace


@pytest.fixture
def client(workspace: Workspace) -> Iterator[Client]:
    with serving(workspace) as client:
        yield client
