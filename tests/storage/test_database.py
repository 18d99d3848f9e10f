"""The database: made, migrated and checked; every way in which it cannot be used is a clear error."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert

from hoplon.errors import HoplonError
from hoplon.storage import database
from hoplon.storage.database import MIGRATIONS, NEWEST, database_revision, open_database, transaction
from hoplon.storage.tables import accounts, metadata


def code_of(path: Path) -> str:
    with pytest.raises(HoplonError) as caught:
        open_database(path)
    return caught.value.code


def test_the_newest_revision_is_the_head_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST]


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "hoplon.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()
    assert database_revision(tmp_path / "hoplon.db") == NEWEST


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hoplon.db"
    open_database(path).dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    assert code_of(path) == "database.newer"
    assert path.read_bytes() == before


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "hoplon.db"
    path.write_bytes(b"this is text" * 100)
    assert code_of(path) == "database.unusable"
    assert code_of(tmp_path / "none" / "hoplon.db") == "database.unusable"


def test_a_locked_database_is_said_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    path = tmp_path / "hoplon.db"
    engine = open_database(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HoplonError) as caught, transaction(engine):
        pass
    assert caught.value.code == "database.locked"
    other.close()
    engine.dispose()


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    engine = open_database(tmp_path / "hoplon.db")
    with pytest.raises(ZeroDivisionError), transaction(engine) as connection:
        connection.execute(insert(accounts).values(id="0" * 32, name="x", created_at=datetime.now(UTC)))
        raise ZeroDivisionError
    with transaction(engine) as connection:
        assert connection.execute(accounts.select().where(accounts.c.name == "x")).all() == []
    engine.dispose()
