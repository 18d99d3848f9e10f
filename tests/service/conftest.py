"""A workspace in a fresh state directory. The engine's check is the real one where the engine is built."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from hoplon.service.workspace import Workspace, check_with_engine
from hoplon.storage.database import open_database
from hoplon.storage.keys import ensure_keys
from hoplon.storage.state import create_state


def accept_anything(manifest: bytes, parts: Mapping[str, bytes]) -> list[tuple[str, str]]:
    return []


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    state = create_state(tmp_path / "state")
    ensure_keys(state)
    database = open_database(state.database)
    yield Workspace(state, database, check_with_engine if find_spec("hoplon._native") else accept_anything)
    database.dispose()
