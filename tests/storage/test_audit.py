"""The audit log: appended with the change it tells of, never changed, and every tampering found."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.api_token import parse_network
from hoplon.model.audit import AuditEntry, AuditFilter
from hoplon.storage.audit import FIRST_HASH, append, audit_faults, audit_head, audit_records, count_audit
from hoplon.storage.database import open_database, reading, transaction
from hoplon.storage.tables import audit_log

ALICE = Actor("user", "alice", "alice", "192.0.2.1")
ROBOT = Actor("token", "t" * 32, "robot", "2001:db8::1", "r" * 32)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "hoplon.db")
    yield engine
    engine.dispose()


def write(database: Engine, *actors: Actor) -> None:
    for number, actor in enumerate(actors):
        with transaction(database) as connection:
            append(connection, AuditEntry(actor, "create", "zone", f"zone {number}", details={"name": "Zoë", "n": 1}))


def faults(database: Engine) -> list[tuple[int, str]]:
    with reading(database) as connection:
        return [(fault.sequence, fault.reason) for fault in audit_faults(connection)]


def tamper(database: Engine, *statements: str) -> None:
    """What somebody does who owns the file: drop the triggers, change rows, put the triggers back."""
    path = str(database.url.database)
    connection = sqlite3.connect(path, isolation_level=None)
    triggers = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
    for name in ("update", "delete"):
        connection.execute(f"DROP TRIGGER audit_log_no_{name}")
    for statement in (*statements, *triggers):
        connection.execute(statement)
    connection.close()


def test_an_entry_is_written_with_its_change_or_not_at_all(database: Engine) -> None:
    with pytest.raises(ZeroDivisionError), transaction(database) as connection:
        append(connection, AuditEntry(ALICE, "create", "zone", "1"))
        raise ZeroDivisionError
    with reading(database) as connection:
        assert audit_head(connection) == (0, FIRST_HASH)
    write(database, ALICE)
    with reading(database) as connection:
        assert audit_head(connection)[0] == 1


def test_the_hash_is_over_the_documented_bytes(database: Engine) -> None:
    write(database, ALICE, ROBOT)
    with reading(database) as connection:
        rows = [row._asdict() for row in connection.execute(audit_log.select())]
    previous = "0" * 64
    for row in rows:
        found, moment = row.pop("hash"), row["time"]
        row["time"] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        text = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert row["previous_hash"] == previous
        assert sha256(text.encode()).hexdigest() == found
        previous = found
    assert (rows[1]["actor_id"], rows[1]["request_id"], rows[1]["sequence"]) == ("t" * 32, "r" * 32, 2)
    assert faults(database) == []


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor_name = 'mallory'", "DELETE FROM audit_log"])
def test_the_database_refuses_to_change_it(database: Engine, statement: str) -> None:
    write(database, ALICE)
    with pytest.raises(HoplonError, match="append-only"), transaction(database) as connection:
        connection.exec_driver_sql(statement)
    assert faults(database) == []


@pytest.mark.parametrize(
    "column", [column.name for column in audit_log.columns if column.name not in ("sequence", "time")]
)
def test_a_changed_column_is_found(database: Engine, column: str) -> None:
    write(database, *[ALICE] * 5)
    tamper(database, f"UPDATE audit_log SET {column} = 'x' WHERE sequence = 3")  # noqa: S608 - our own names
    assert 3 in {sequence for sequence, _ in faults(database)}


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE audit_log SET time = '2020-01-01 00:00:00.000000' WHERE sequence = 2", 2),
        ("DELETE FROM audit_log WHERE sequence = 2", 3),
        ("DELETE FROM audit_log WHERE sequence = 1", 2),
        ("UPDATE audit_log SET sequence = 9 WHERE sequence = 5", 9),
    ],
)
def test_a_moved_or_removed_entry_is_found(database: Engine, statement: str, place: int) -> None:
    write(database, *[ALICE] * 5)
    tamper(database, statement)
    assert place in {sequence for sequence, _ in faults(database)}


def test_triggers_that_are_gone_are_told(database: Engine) -> None:
    write(database, ALICE)
    with sqlite3.connect(str(database.url.database)) as connection:
        connection.execute("DROP TRIGGER audit_log_no_update")
    assert faults(database) == [(0, "nothing refuses changes any more: audit_log_no_update is gone")]


def test_entries_are_found_by_who_what_when_and_where(database: Engine) -> None:
    write(database, ALICE, ROBOT, ALICE)

    def found(**wanted: object) -> list[int]:
        with reading(database) as connection:
            asked = AuditFilter(**wanted)  # type: ignore[arg-type]
            sequences = [record.sequence for record in audit_records(connection, asked, limit=10)]
            assert count_audit(connection, asked) == len(sequences)
            return sequences

    assert found() == [3, 2, 1]
    assert found(direction="asc") == [1, 2, 3]
    assert found(including=(("actor_name", ("alice",)), ("resource_id", ("zone 0", "zone 1")))) == [1]
    assert found(excluding=(("actor_name", ("alice",)),)) == [2]
    assert found(excluding=(("zone_id", ("z",)),)) == [3, 2, 1]
    assert found(network=parse_network("192.0.2.0/24")) == [3, 1]
    assert found(network=parse_network("2001:db8::/32")) == [2]
    assert found(before=datetime(2020, 1, 1, tzinfo=UTC)) == []
    assert found(since=datetime(2020, 1, 1, tzinfo=UTC)) == [3, 2, 1]


def test_a_cursor_goes_on_behind_the_entry_it_names(database: Engine) -> None:
    write(database, *[ALICE] * 5)
    with reading(database) as connection:
        newest = audit_records(connection, AuditFilter(), limit=2, beyond=4)
        oldest = audit_records(connection, AuditFilter(direction="asc"), limit=2, beyond=4)
    assert [record.sequence for record in newest] == [3, 2]
    assert [record.sequence for record in oldest] == [5]


def test_writers_at_the_same_time_make_one_chain(database: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write, database, *[actor] * 20) for actor in (ALICE, ROBOT) * 4]:
            done.result()
    with reading(database) as connection:
        assert audit_head(connection)[0] == 160
    assert faults(database) == []
