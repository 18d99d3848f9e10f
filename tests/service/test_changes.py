"""One change: wholly there or wholly absent, in the order of coming, never lost, whoever else writes."""

import multiprocessing
import os
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.operations.policy import SavedOperation
from hoplon.service.changes import ZoneChange, changing_zone
from hoplon.service.policy import create_first_zone, export_policy, policy_history
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage import database
from hoplon.storage.bundles import manifest_hash
from hoplon.storage.database import reading
from hoplon.storage.tables import audit_log
from support.installation import await_true

ACTOR = Actor("system", "test", "test")


@pytest.fixture
def zone_id(workspace: Workspace) -> str:
    applied = create_first_zone(workspace, "http://127.0.0.1:9000")
    assert applied is not None
    return applied.zone_id


def save(change: ZoneChange, path: str) -> None:
    policy = change.load("operations")
    saved = SavedOperation("*", path, "GET")
    change.save("operations", replace(policy, saved=(*policy.saved, saved)))
    change.describe(f"saves operation {saved}")
    change.audit("create", "operation", saved.id, {"path": path})


def paths(workspace: Workspace) -> list[str]:
    return [
        line.split('path = "')[1].split('"')[0] for line in export_policy(workspace).splitlines() if "path =" in line
    ]


def audited(workspace: Workspace) -> list[str]:
    with reading(workspace.database) as connection:
        return [row.action for row in connection.execute(audit_log.select().order_by(audit_log.c.sequence))]


def test_rows_version_and_audit_entry_are_committed_together(workspace: Workspace, zone_id: str) -> None:
    with changing_zone(workspace, ACTOR, zone_id) as change:
        assert (change.old_version, change.new_version) == (1, 2)
        save(change, "/a")
    newest = policy_history(workspace)[0]
    assert (newest.version, newest.author, newest.changes) == (2, "test", ("saves operation GET /a",))
    assert newest.bundle == manifest_hash(workspace.state.current)
    assert (paths(workspace), audited(workspace)) == (["/a"], ["create", "create"])


def test_a_change_that_raises_leaves_nothing(workspace: Workspace, zone_id: str) -> None:
    with pytest.raises(ZeroDivisionError), changing_zone(workspace, ACTOR, zone_id) as change:
        save(change, "/a")
        raise ZeroDivisionError
    assert (paths(workspace), len(policy_history(workspace)), audited(workspace)) == ([], 1, ["create"])


def test_what_was_not_said_has_not_happened(workspace: Workspace, zone_id: str) -> None:
    with changing_zone(workspace, ACTOR, zone_id) as change:
        save(change, "/a")
        change.changes.clear()
    assert (paths(workspace), len(policy_history(workspace)), audited(workspace)) == ([], 1, ["create"])


def test_a_long_list_of_changes_is_kept_in_short(workspace: Workspace, zone_id: str) -> None:
    with changing_zone(workspace, ACTOR, zone_id) as change:
        change.describe(*(f"says {number}" for number in range(130)))
    changes = policy_history(workspace)[0].changes
    assert (len(changes), changes[99:]) == (101, ("says 99", "and 30 more"))


def test_a_stale_if_match_and_an_unknown_zone_change_nothing(workspace: Workspace, zone_id: str) -> None:
    for zone, if_match, code in ((zone_id, 7, "precondition.failed"), ("f" * 32, None, "zone.unknown")):
        with pytest.raises(HoplonError) as caught, changing_zone(workspace, ACTOR, zone, if_match):
            pytest.fail("the block must not begin")
        assert caught.value.code == code
    assert len(policy_history(workspace)) == 1


def test_of_many_writers_with_if_match_each_wins_once(workspace: Workspace, zone_id: str) -> None:
    """Read, change, write with the version read; when it moved on, again: a lost update would be a missing path."""

    def write(number: int) -> None:
        while True:
            version = policy_history(workspace, limit=1)[0].version
            try:
                with changing_zone(workspace, ACTOR, zone_id, if_match=version) as change:
                    save(change, f"/{number}")
            except HoplonError as error:
                assert error.code == "precondition.failed"
            else:
                return

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(paths(workspace)) == sorted(f"/{number}" for number in range(12))
    assert [each.version for each in policy_history(workspace)] == list(range(13, 0, -1))


def write_some(root: Path, zone_id: str, name: str) -> None:
    with open_workspace(root) as workspace:
        for number in range(15):
            with changing_zone(workspace, ACTOR, zone_id) as change:
                save(change, f"/{name}/{number}")


def test_two_processes_write_beside_each_other(workspace: Workspace, zone_id: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_some, args=(workspace.state.root, zone_id, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert sorted(paths(workspace)) == sorted(f"/{name}/{number}" for name in "ab" for number in range(15))
    newest = policy_history(workspace)[0]
    assert (newest.version, newest.bundle) == (31, manifest_hash(workspace.state.current))


def die_before_assembly(root: Path, zone_id: str) -> None:
    with open_workspace(root) as workspace:
        object.__setattr__(workspace.assembler, "request", lambda: os.kill(os.getpid(), 9))
        with changing_zone(workspace, ACTOR, zone_id) as change:
            save(change, "/committed")


def test_a_death_between_commit_and_assembly_is_mended_by_the_next(workspace: Workspace, zone_id: str) -> None:
    before = manifest_hash(workspace.state.current)
    process = multiprocessing.get_context("spawn").Process(
        target=die_before_assembly, args=(workspace.state.root, zone_id)
    )
    process.start()
    process.join()
    assert process.exitcode == -9
    newest = policy_history(workspace)[0]
    assert (paths(workspace), newest.bundle, manifest_hash(workspace.state.current)) == (["/committed"], None, before)
    bundle = workspace.assembler.settle()
    assert bundle not in (None, before)
    assert policy_history(workspace)[0].bundle == bundle == manifest_hash(workspace.state.current)


def code_of_a_write(workspace: Workspace, zone_id: str) -> str:
    with pytest.raises(HoplonError) as caught, changing_zone(workspace, ACTOR, zone_id) as change:
        save(change, "/a")
    return caught.value.code


def test_a_locked_database_is_said_and_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    with open_workspace(tmp_path / "state", create=True) as workspace:
        applied = create_first_zone(workspace, "http://127.0.0.1:9000")
        assert applied is not None
        with closing(sqlite3.connect(workspace.state.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert code_of_a_write(workspace, applied.zone_id) == "database.locked"
            assert paths(workspace) == []
        with changing_zone(workspace, ACTOR, applied.zone_id) as change:
            save(change, "/a")
        assert paths(workspace) == ["/a"]


def test_a_full_database_is_said_and_whole_afterwards(workspace: Workspace, zone_id: str) -> None:
    def limit(pages: int) -> Any:
        with workspace.database.connect() as connection:
            return connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar()

    big = "/" + "x" * 4000
    workspace.database.dispose()
    limit(1)
    with pytest.raises(HoplonError) as caught, changing_zone(workspace, ACTOR, zone_id) as change:
        for number in range(40):
            save(change, f"{big}{number}")
    assert (caught.value.code, "no space left" in caught.value.message) == ("database.unusable", True)
    limit(1_000_000)
    assert (paths(workspace), len(policy_history(workspace))) == ([], 1)
    with changing_zone(workspace, ACTOR, zone_id) as change:
        save(change, "/a")
    assert paths(workspace) == ["/a"]


def test_a_database_that_was_moved_away_takes_nothing_and_comes_back(workspace: Workspace, zone_id: str) -> None:
    path, aside = workspace.state.database, workspace.state.root / "aside"
    path.rename(aside)
    assert code_of_a_write(workspace, zone_id) == "database.unusable"
    assert not path.exists()
    aside.rename(path)
    with changing_zone(workspace, ACTOR, zone_id) as change:
        save(change, "/a")
    assert paths(workspace) == ["/a"]


def test_a_database_that_was_replaced_is_the_one_that_is_used(
    workspace: Workspace, zone_id: str, tmp_path: Path
) -> None:
    with (
        closing(sqlite3.connect(workspace.state.database)) as live,
        closing(sqlite3.connect(tmp_path / "copy")) as copy,
    ):
        live.backup(copy)
    with changing_zone(workspace, ACTOR, zone_id) as change:
        save(change, "/lost")
    workspace.state.database.with_name("hoplon.db-wal").unlink()
    (tmp_path / "copy").rename(workspace.state.database)
    with changing_zone(workspace, ACTOR, zone_id) as change:
        save(change, "/kept")
    assert paths(workspace) == ["/kept"]


def test_a_read_only_database_is_said(workspace: Workspace, zone_id: str) -> None:
    with workspace.database.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    assert code_of_a_write(workspace, zone_id) == "database.unusable"
    assert len(policy_history(workspace)) == 1


def test_changes_in_a_row_share_a_bundle_when_debounced(workspace: Workspace, zone_id: str) -> None:
    with open_workspace(workspace.state.root, is_debounced=True) as debounced:
        before = manifest_hash(workspace.state.current)
        for number in range(5):
            with changing_zone(debounced, ACTOR, zone_id) as change:
                save(change, f"/{number}")
        assert manifest_hash(workspace.state.current) == before
        await_true(lambda: policy_history(workspace)[0].bundle, "the bundle")
    bundles = {each.bundle for each in policy_history(workspace, limit=5)}
    assert bundles == {manifest_hash(workspace.state.current)}


def test_what_was_changed_right_before_the_end_is_in_place_at_the_end(workspace: Workspace, zone_id: str) -> None:
    with open_workspace(workspace.state.root, is_debounced=True) as debounced:
        for number in range(3):
            with changing_zone(debounced, ACTOR, zone_id) as change:
                save(change, f"/{number}")
            time.sleep(number * 0.15)
        with changing_zone(debounced, ACTOR, zone_id) as change:
            save(change, "/last")
    assert policy_history(workspace)[0].bundle == manifest_hash(workspace.state.current)


def test_the_debounced_one_outlives_a_failure(
    workspace: Workspace, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hoplon.service.assembler.HEAL_SECONDS", 0.05)

    def fail(*arguments: object) -> None:
        raise MemoryError("too much")

    with open_workspace(workspace.state.root, is_debounced=True) as debounced:
        with monkeypatch.context() as broken:
            broken.setattr("hoplon.service.assembler.join", fail)
            with changing_zone(debounced, ACTOR, zone_id) as change:
                save(change, "/a")
            await_true(lambda: debounced.assembler.error, "an error")
            error = debounced.assembler.error
            assert error is not None
            assert (error.code, "too much" in error.message) == ("bundle.failed", True)
        await_true(lambda: policy_history(workspace)[0].bundle, "the bundle")
        assert debounced.assembler.error is None


def test_what_another_process_left_is_found_by_the_debounced_one(
    workspace: Workspace, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hoplon.service.assembler.HEAL_SECONDS", 0.05)
    with open_workspace(workspace.state.root, is_debounced=True):
        monkeypatch.setattr(workspace.assembler, "request", lambda: None)
        with changing_zone(workspace, ACTOR, zone_id) as change:
            save(change, "/left")
        await_true(lambda: policy_history(workspace)[0].bundle, "the bundle")
    assert policy_history(workspace)[0].bundle == manifest_hash(workspace.state.current)
