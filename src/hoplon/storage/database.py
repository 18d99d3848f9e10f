"""The database: SQLite in WAL mode through SQLAlchemy, written portably; opening it, and its two kinds of transaction.

A writing transaction is short and immediate, so writers queue instead of failing half-way: those of one process first
among themselves, in the order of their coming. Errors of the store become `HoplonError`s with what to do.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from hoplon.errors import HoplonError
from hoplon.storage.turns import Turns, TurnTimeoutError

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0004"
"""The revision that this version of Hoplon needs; a test compares it with the migrations."""
_BUSY_SECONDS = 5.0
_TURN_SECONDS = 30.0
_BEGIN = "hoplon_begin"


def open_database(path: Path) -> Engine:
    """The database at `path`, made or brought to the newest version where needed.

    Raises `database.newer` when a newer Hoplon has written it, `database.unusable` or `database.locked` when it
    cannot be used.
    """
    _make_private(path)
    engine = _connect(path)
    try:
        revision = _revision(engine)
        if revision != NEWEST:
            _migrate(engine, revision)
    except SQLAlchemyError as error:
        raise _explained(error, path) from error
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed when the block ends, undone when it raises."""
    path = Path(engine.url.database or "")
    try:
        with _turns(path).taken(_TURN_SECONDS), engine.begin() as connection:
            yield connection
    except TurnTimeoutError as error:
        raise HoplonError(
            "database.locked",
            f"so many changes are waiting that none of the database {path} came through for {_TURN_SECONDS:g} s",
            "try again; nothing was changed",
        ) from error
    except SQLAlchemyError as error:
        raise _explained(error, path) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One reading transaction: it sees one state of the database throughout, and waits for no writer."""
    try:
        with engine.connect().execution_options(**{_BEGIN: "BEGIN"}) as connection, connection.begin():
            yield connection
    except SQLAlchemyError as error:
        raise _explained(error, Path(engine.url.database or "")) from error


@cache
def _turns(path: Path) -> Turns:
    """Engines of one process on the same file share one queue."""
    return Turns()


def database_revision(path: Path) -> str | None:
    """The version of an existing database without changing it; None when it has none yet."""
    engine = _connect(path)
    try:
        return _revision(engine)
    except SQLAlchemyError as error:
        raise _explained(error, path) from error
    finally:
        engine.dispose()


def check_revision(path: Path) -> None:
    """Raise `database.newer` when this version does not know the database. Changes nothing."""
    revision = database_revision(path)
    if revision is not None and revision > NEWEST:
        raise _newer(revision)


def _make_private(path: Path) -> None:
    """Create the file where it is missing: SQLite would let everybody read it. What stands in the way, SQLite says."""
    with suppress(OSError):
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _connect(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        """Never makes the file: one that was moved away would come back empty."""
        address = f"file:{quote(str(path))}?mode=rw"
        return sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)

    def on_checkout(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        """A connection to a file that is not at its place any more would take changes that nobody reads again."""
        if record.info["inode"] != _inode(path):
            raise DisconnectionError

    engine = create_engine(f"sqlite:///{path}", creator=connect, pool_size=16, max_overflow=64)
    event.listen(engine, "connect", lambda _connection, record: record.info.update(inode=_inode(path)))
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "checkout", on_checkout)
    event.listen(engine, "begin", _begin)
    return engine


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    """WAL for readers beside a writer; FULL so that what is acknowledged survives a power cut."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE"))


def _revision(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine, revision: str | None) -> None:
    """Alembic is imported only here: it costs a fifth of a second, and nearly every start needs no migration."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise _newer(revision)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _newer(revision: str) -> HoplonError:
    return HoplonError(
        "database.newer",
        f"the database was written by a newer version of Hoplon (revision {revision}, this one knows {NEWEST})",
        "install that version again, or use another --state DIR; nothing was changed",
    )


def _explained(error: SQLAlchemyError, path: Path) -> HoplonError:
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", "")
    for prefix, (code, message, hint) in _STORE_ERRORS.items():
        if name.startswith(prefix):
            return HoplonError(code, message.format(path=path), hint)
    return HoplonError("database.unusable", f"the database {path} cannot be used: {cause}", "`hoplon doctor` says more")


_STORE_ERRORS: dict[str, tuple[str, str, str]] = {
    "SQLITE_BUSY": (
        "database.locked",
        f"the database {{path}} was locked by another process for {_BUSY_SECONDS:g} s",
        "try again; nothing was changed",
    ),
    "SQLITE_READONLY": ("database.unusable", "the database {path} is read-only", "run as the user who owns it"),
    "SQLITE_FULL": (
        "database.unusable",
        "no space left for the database {path}",
        "free disk space; nothing was changed",
    ),
    "SQLITE_NOTADB": ("database.unusable", "{path} is no database", "move it away, or restore a backup"),
    "SQLITE_CORRUPT": ("database.unusable", "the database {path} is damaged", "restore a backup"),
    "SQLITE_CANTOPEN": (
        "database.unusable",
        "the database {path} cannot be opened",
        "check that its directory exists and belongs to you",
    ),
}
