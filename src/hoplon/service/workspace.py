"""One installation: its state directory, its database and the engine's own check of a bundle."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from hoplon.storage.database import open_database
from hoplon.storage.keys import ensure_keys
from hoplon.storage.state import StateDirectory, create_state, open_state

CheckBundle = Callable[[bytes, Mapping[str, bytes]], list[tuple[str, str]]]
"""Manifest and parts to the (path, message) of every error the engine finds in them."""


def check_with_engine(manifest: bytes, parts: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """What the gateway will say about a bundle, asked before anything is committed."""
    from hoplon._native import check_bundle

    return check_bundle(manifest, dict(parts))


@dataclass(frozen=True, slots=True)
class Workspace:
    """What the functions of `service` work on."""

    state: StateDirectory
    database: Engine
    check_bundle: CheckBundle = check_with_engine


@contextmanager
def open_workspace(root: Path, create: bool = False) -> Iterator[Workspace]:
    """The installation in the state directory `root`; with `create`, made where it is missing."""
    state = create_state(root) if create else open_state(root)
    ensure_keys(state)
    database = open_database(state.database)
    try:
        yield Workspace(state, database)
    finally:
        database.dispose()
