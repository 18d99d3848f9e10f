"""Putting a restored backup in place: every step may be repeated, so a restore that was cut off is simply finished.

restoring/…        unpacked and checked members
restoring/ready    from here on it will be done; without it, it has never begun
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hoplon.errors import HoplonError
from hoplon.storage.bundles import begin_generation
from hoplon.storage.database import database_revision, open_database
from hoplon.storage.files import replace_file, sync_directory
from hoplon.storage.keys import key_fault
from hoplon.storage.state import StateDirectory

DATABASE = "hoplon.db"
KEYS = ("keys/records.key", "keys/installation.key", "keys/installation.key.previous")
OTHERS = ("bundles/mode", "api-token")
READY = "ready"
_SIDE_FILES = ("-wal", "-shm")


@contextmanager
def preparing(state: StateDirectory) -> Iterator[Path]:
    """An empty directory in which a restore is prepared; gone again when the block raises."""
    directory = _directory(state)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    try:
        yield directory
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    sync_directory(directory)
    sync_directory(state.root)


def fault_of_members(directory: Path) -> str | None:
    """Why what was unpacked into `directory` is not the inside of an installation; None when it is.

    The database must be whole and have the tables, indexes and triggers that this version makes, and no others: a
    trigger would act on everything that comes later.
    """
    for name in KEYS:
        if (directory / name).exists() and (fault := key_fault(directory / name)):
            return f"`{name}` {fault}"
    database, fresh = directory / DATABASE, directory / "fresh.db"
    if not database.exists():
        return "it holds no database"
    if fault := _damage(database):
        return f"its database is damaged: {fault}"
    if database_revision(database) is None:
        return "its database is empty"
    for path in (database, fresh):
        open_database(path).dispose()
    made, expected = _schema(database), _schema(fresh)
    fresh.unlink()
    other = sorted({name for _, name, _ in made ^ expected})
    return f"its database has another form: {', '.join(other[:5])}" if other else None


def finish_restore(state: StateDirectory) -> None:
    """Put a restore that is ready in place, whether it has just been prepared or was cut off. Callers hold the policy
    lock."""
    directory = _directory(state)
    if not (directory / READY).exists():
        return
    try:
        for name in (*KEYS, *OTHERS):
            if (directory / name).exists():
                replace_file(state.root / name, (directory / name).read_bytes())
        _replace_database(directory / DATABASE, state.database)
        begin_generation(state)
        shutil.rmtree(directory)
    except (OSError, sqlite3.Error) as error:
        message = f"the backup could not be put in place: {error}"
        raise HoplonError("restore.unfinished", message, "make room; any command then finishes it") from error


def is_restore_ready(state: StateDirectory) -> bool:
    """Whether a restore waits to be finished."""
    return (_directory(state) / READY).exists()


def _schema(database: Path) -> set[tuple[str, str, str | None]]:
    """Kind and name of everything that the database is made of, and what triggers and views do."""
    query = """SELECT type, name, CASE WHEN type IN ('trigger', 'view') THEN sql END FROM sqlite_schema
               WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"""
    with closing(sqlite3.connect(database)) as connection:
        return set(connection.execute(query))


def _damage(database: Path) -> str | None:
    """What SQLite finds wrong with the file, None when it is whole."""
    with closing(sqlite3.connect(database)) as connection:
        try:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
    return None if found == "ok" else str(found)


def _replace_database(source: Path, target: Path) -> None:
    """Page by page in one transaction, so that processes that have it open go on with the new contents. A file that
    SQLite cannot use is set aside instead."""
    with closing(sqlite3.connect(source)) as restored:
        try:
            with closing(sqlite3.connect(target)) as live:
                restored.backup(live)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            _set_aside(target)
            with closing(sqlite3.connect(target)) as live:
                restored.backup(live)
    target.chmod(0o600)


def _set_aside(database: Path) -> None:
    mark = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for path in (database, *(database.with_name(database.name + suffix) for suffix in _SIDE_FILES)):
        if path.exists():
            path.replace(path.with_name(f"{path.name}.damaged-{mark}"))


def _directory(state: StateDirectory) -> Path:
    return state.root / "restoring"
