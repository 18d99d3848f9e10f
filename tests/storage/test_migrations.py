"""Installations of earlier versions: every policy version stays readable, the newest is what it was."""

import getpass
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from hoplon.errors import HoplonError
from hoplon.policy.document import read_policy, write_policy
from hoplon.service.features import FEATURES
from hoplon.service.policy import apply_policy, diff_policy, export_policy, find_zone, policy_history
from hoplon.service.workspace import open_workspace
from hoplon.storage.database import MIGRATIONS
from hoplon.storage.state import create_state

ZONE_ID = "a" * 32
HEAD = """format = 1

[zone]
name = "shop"
hosts = [
    "api.example.com",
    "{tenant}.example.com",
]
merge_slashes = false
upstreams = [
    { url = "http://127.0.0.1:9000", protocol = "http1" },
]

[zone.timeouts]
connect_seconds = 5.0
read_seconds = 60.0
idle_seconds = 60.0

[zone.inspection]
limit_bytes = %d

[zone.observe]
probability = 0.02
full_per_minute = 60
per_session_per_minute = 30
max_leaves = 200
body_copy_bytes = 65536
literal_sessions = 5

[zone.block]
status = 403
show_violations = false

[operations]
fallthrough = "%s"
"""
USERS = '{ method = "GET", host = "*", path = "/users/{id}" }'
PEOPLE = '{ method = "GET", host = "*", path = "/users/{person}" }'
FILES = '{ method = "PUT", host = "{tenant}.example.com", path = "/files/{name}/parts/{number}" }'


def document(*saved: str, limit: int = 1, fallthrough: str = "log") -> str:
    entries = "".join(f"    {entry},\n" for entry in saved)
    return HEAD % (limit, fallthrough) + (f"saved = [\n{entries}]\n" if saved else "")


DOCUMENTS = (
    document(),
    document(USERS),
    document(USERS, FILES, fallthrough="block"),
    document(FILES, fallthrough="block"),
    document(PEOPLE, FILES, limit=2),
    document(PEOPLE, FILES, limit=1),
)

EXPORTED = tuple(write_policy(read_policy(text, FEATURES), FEATURES) for text in DOCUMENTS)
"""With the tables of features that came later, at their defaults."""


@pytest.fixture
def old_state(tmp_path: Path) -> Path:
    """An installation as revision 0001 left it."""
    state = create_state(tmp_path / "state")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{state.database}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(state.database)) as database, database:
        database.execute("INSERT INTO zones VALUES (?, 'shop', '2026-01-01 00:00:00.000000')", (ZONE_ID,))
        for number, text in enumerate(DOCUMENTS, start=1):
            moment = datetime(2026, 1, number, tzinfo=UTC).strftime("%Y-%m-%d 12:00:00.000000")
            row = (ZONE_ID, number, moment, getpass.getuser(), text, json.dumps([f"change {number}"]), "b" * 64)
            database.execute("INSERT INTO policy_versions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row)
    return state.root


def test_every_version_reads_as_it_was_written(old_state: Path) -> None:
    with open_workspace(old_state) as workspace:
        assert tuple(export_policy(workspace, version=number) for number in range(1, 7)) == EXPORTED
        assert export_policy(workspace) == EXPORTED[-1]


def test_the_history_and_the_zone_stay(old_state: Path) -> None:
    with open_workspace(old_state) as workspace:
        history = policy_history(workspace)
        assert [(each.version, each.changes, each.bundle) for each in history] == [
            (number, (f"change {number}",), "b" * 64) for number in range(6, 0, -1)
        ]
        zone = find_zone(workspace, "shop")
        assert (zone.zone_id, zone.version, zone.committed_at) == (ZONE_ID, 6, datetime(2026, 1, 6, 12, tzinfo=UTC))


def test_changes_go_on_from_there(old_state: Path) -> None:
    with open_workspace(old_state) as workspace:
        assert diff_policy(workspace, DOCUMENTS[-1]).changes == ()
        applied = apply_policy(workspace, DOCUMENTS[1])
        assert applied.version == 7
        assert (export_policy(workspace), export_policy(workspace, version=6)) == (EXPORTED[1], EXPORTED[-1])


def test_rows_that_did_not_change_are_kept_once(old_state: Path) -> None:
    with open_workspace(old_state):
        pass
    with closing(sqlite3.connect(old_state / "hoplon.db")) as database:
        spans = database.execute("SELECT path, first_version, last_version FROM operations ORDER BY 1, 2").fetchall()
    assert spans == [
        ("/files/{name}/parts/{number}", 3, None),
        ("/users/{id}", 2, 3),
        ("/users/{person}", 5, None),
    ]


def test_a_version_that_never_was_is_said(old_state: Path) -> None:
    with open_workspace(old_state) as workspace:
        for version in (0, 7):
            with pytest.raises(HoplonError) as caught:
                export_policy(workspace, version=version)
            assert caught.value.code == "policy.version_unknown"
