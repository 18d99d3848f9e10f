"""Everything that an installation cannot make again, into one file and back, while it runs.

A restore is prepared aside and marked ready; from then on it is finished by whoever comes next, so that a crash in the
middle leaves either what was before or what was restored. Bundles are not in a backup: the database makes them again.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.audit import AuditEntry
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage import audit, policies
from hoplon.storage.archive import invalid, read_archive, write_archive
from hoplon.storage.bundles import begin_generation
from hoplon.storage.database import open_database, reading, transaction
from hoplon.storage.locks import changing_policy, holding_part
from hoplon.storage.restoring import DATABASE, KEYS, OTHERS, READY, fault_of_members, finish_restore, preparing
from hoplon.storage.state import PARTS, StateDirectory, create_state

_RUNNING = ("supervisor", *PARTS)
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup file holds: when it was made, its zones with their versions, and the members of the archive."""

    created_at: datetime
    zones: Mapping[str, int]
    members: tuple[str, ...]
    bytes: int

    @property
    def holds_secrets_key(self) -> bool:
        """Whether sealed secrets can be opened with this file alone."""
        return "keys/installation.key" in self.members


def backup(workspace: Workspace, file: Path) -> Contents:
    """Write what is committed now, the keys and the mode to `file`, mode 0600; traffic and changes go on meanwhile.

    Raises `output.unwritable`; then `file` is as it was.
    """
    target = file.absolute()
    now = datetime.now(UTC)
    with _beside(target) as directory:
        members = _copied(workspace, directory)
        zones = _zones_of(directory / DATABASE)
        about = {"created_at": now.isoformat(), "zones": zones}
        size_bytes = write_archive(target, members, about)
    return Contents(now, zones, tuple(members), size_bytes)


def restore(root: Path, file: Path, actor: Actor, *, is_forced: bool = False) -> Contents:
    """Make `file` the contents of the state directory `root`, which is made where it is missing. Records stay.

    When it raises `backup.invalid`, `database.newer`, or (unless `is_forced`) `part.in_use` because a part runs there,
    nothing has changed.
    """
    state = create_state(root)
    with ExitStack() as stack:
        if not is_forced:
            for part in _RUNNING:
                stack.enter_context(holding_part(state, part))
        stack.enter_context(changing_policy(state))
        finish_restore(state)
        contents = _prepare(state, file)
        begin_generation(state)
        finish_restore(state)
    with open_workspace(root) as workspace:
        with transaction(workspace.database) as connection:
            details = {"file": file.name, "created_at": contents.created_at.isoformat(), "zones": dict(contents.zones)}
            audit.append(connection, AuditEntry(actor, "restore", "backup", file.name, None, details))
        workspace.assembler.settle()
    return contents


def _prepare(state: StateDirectory, file: Path) -> Contents:
    """Unpack and check aside. The database is brought to this version there: one that is newer is found out in time."""
    with preparing(state) as directory:
        listing = read_archive(file, directory, frozenset((DATABASE, *KEYS, *OTHERS)))
        created_at = _moment(listing, file)
        if fault := fault_of_members(directory):
            raise invalid(file, fault)
        zones = _zones_of(directory / DATABASE)
        (directory / READY).touch(0o600)
    return Contents(created_at, zones, tuple(listing["members"]), file.stat().st_size)


def _moment(listing: Mapping[str, Any], file: Path) -> datetime:
    try:
        return datetime.fromisoformat(listing["created_at"])
    except (KeyError, TypeError, ValueError):
        raise invalid(file, "its list does not say when it was made") from None


def _copied(workspace: Workspace, directory: Path) -> dict[str, Path]:
    """A copy of every member. The keys are read on both sides of the database: a copy of it under keys that were
    replaced meanwhile would hold secrets that no key of the backup opens."""
    for _ in range(_ATTEMPTS):
        before = _keys(workspace.state)
        _copy_database(workspace.state.database, directory / DATABASE)
        if _keys(workspace.state) == before:
            break
    else:
        raise HoplonError("backup.keys_moving", "the installation key is being replaced", "try again when that is done")
    members = {DATABASE: directory / DATABASE}
    for name, content in {**before, **_others(workspace.state)}.items():
        members[name] = directory / name
        members[name].parent.mkdir(exist_ok=True, mode=0o700)
        members[name].write_bytes(content)
    return members


def _keys(state: StateDirectory) -> dict[str, bytes]:
    return {name: (state.root / name).read_bytes() for name in KEYS if (state.root / name).exists()}


def _others(state: StateDirectory) -> dict[str, bytes]:
    return {name: (state.root / name).read_bytes() for name in OTHERS if (state.root / name).exists()}


def _copy_database(source: Path, target: Path) -> None:
    """SQLite's online backup: one committed state, without keeping writers waiting."""
    target.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy)
    except sqlite3.Error as error:
        message = f"the database {source} cannot be copied: {error}"
        raise HoplonError("database.unusable", message, "`hoplon doctor` says more") from error


def _zones_of(database: Path) -> dict[str, int]:
    engine = open_database(database)
    try:
        with reading(engine) as connection:
            return {zone.name: zone.version for zone in policies.all_zones(connection)}
    finally:
        engine.dispose()


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A private directory beside `file`, gone afterwards."""
    try:
        directory = Path(tempfile.mkdtemp(prefix=f".{file.name}.", dir=file.parent))
    except OSError as error:
        message = f"cannot write {file}: {error.strerror}"
        raise HoplonError("output.unwritable", message, "choose another place") from error
    try:
        yield directory
    except OSError as error:
        message = f"cannot write {file}: {error.strerror}"
        raise HoplonError("output.unwritable", message, "make room, or choose another place") from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)
