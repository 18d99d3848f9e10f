"""One installation: its state directory, its database, the engine's own check of a bundle, and who assembles them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from hoplon.service.assembler import Assembler, CheckBundle
from hoplon.service.totals import Totals
from hoplon.storage.database import open_database
from hoplon.storage.keys import ensure_keys
from hoplon.storage.locks import changing_policy
from hoplon.storage.restoring import finish_restore, is_restore_ready
from hoplon.storage.state import StateDirectory, create_state, open_state


def check_with_engine(manifest: bytes, parts: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """What the gateway will say about a bundle, asked before anything is committed."""
    from hoplon._native import check_bundle

    return check_bundle(manifest, dict(parts))


@dataclass(frozen=True)
class Workspace:
    """What the functions of `service` work on."""

    state: StateDirectory
    database: Engine
    check_bundle: CheckBundle = check_with_engine
    assembler: Assembler = field(init=False)
    totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        object.__setattr__(self, "assembler", Assembler(self.state, self.database, self.check_bundle))


@contextmanager
def open_workspace(root: Path, create: bool = False, *, is_debounced: bool = False) -> Iterator[Workspace]:
    """The installation in the state directory `root`; with `create`, made where it is missing.

    Changes are in place when the call that made them returns; with `is_debounced` shortly afterwards, so that many in a
    row share a bundle (the API's way).
    """
    state = create_state(root) if create else open_state(root)
    if is_restore_ready(state):
        with changing_policy(state):
            finish_restore(state)
    ensure_keys(state)
    database = open_database(state.database)
    workspace = Workspace(state, database)
    try:
        if is_debounced:
            workspace.assembler.start()
        yield workspace
    finally:
        workspace.assembler.close()
        database.dispose()
