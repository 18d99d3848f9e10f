"""Backup and restore: what was committed comes back whole, while things run, and a crash leaves the old or the new."""

import hashlib
import io
import json
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.mode import Mode
from hoplon.operations.policy import SavedOperation
from hoplon.service.backup import backup, restore
from hoplon.service.changes import changing_zone
from hoplon.service.policy import create_first_zone, export_policy, policy_history
from hoplon.service.secrets import open_secret, put_secret
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage import restoring
from hoplon.storage.archive import write_archive
from hoplon.storage.bundles import manifest_hash, read_generation, read_mode, write_mode
from hoplon.storage.database import reading
from hoplon.storage.locks import holding_part
from hoplon.storage.state import StateDirectory
from hoplon.storage.tables import audit_log

ACTOR = Actor("user", "test", "test")


@pytest.fixture
def zone_id(workspace: Workspace) -> str:
    applied = create_first_zone(workspace, "http://127.0.0.1:9000")
    assert applied is not None
    save(workspace, applied.zone_id, "/first")
    return applied.zone_id


def save(workspace: Workspace, zone_id: str, path: str) -> None:
    with changing_zone(workspace, ACTOR, zone_id) as change:
        policy = change.load("operations")
        change.save("operations", replace(policy, saved=(*policy.saved, SavedOperation("*", path, "GET"))))
        change.describe(f"saves {path}")


def restored(root: Path) -> tuple[str, list[int], str | None]:
    """The policy, the numbers of its versions and the bundle in place."""
    with open_workspace(root) as workspace:
        versions = [each.version for each in policy_history(workspace)]
        return export_policy(workspace), versions, manifest_hash(workspace.state.current)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(HoplonError) as caught:
        call()
    return caught.value.code


def test_a_backup_makes_the_same_installation_elsewhere(workspace: Workspace, zone_id: str, tmp_path: Path) -> None:
    secret_id = put_secret(workspace, ACTOR, "test", "one", b"value")
    write_mode(workspace.state, Mode.LOG)
    contents = backup(workspace, tmp_path / "hoplon.backup")
    assert stat.S_IMODE((tmp_path / "hoplon.backup").stat().st_mode) == 0o600
    assert (contents.zones, contents.holds_secrets_key) == ({"default": 2}, True)
    assert restore(tmp_path / "other", tmp_path / "hoplon.backup", ACTOR) == contents
    assert restored(tmp_path / "other") == restored(workspace.state.root)
    other = StateDirectory(tmp_path / "other")
    assert (read_mode(other), other.records_key.read_bytes()) == (Mode.LOG, workspace.state.records_key.read_bytes())
    assert stat.S_IMODE(other.database.stat().st_mode) == stat.S_IMODE(other.records_key.stat().st_mode) == 0o600
    with open_workspace(other.root) as there:
        assert open_secret(there, secret_id) == b"value"


def test_going_back_replaces_what_came_after(workspace: Workspace, zone_id: str, tmp_path: Path) -> None:
    before, generation = restored(workspace.state.root), read_generation(workspace.state)
    backup(workspace, tmp_path / "file")
    save(workspace, zone_id, "/second")
    restore(workspace.state.root, tmp_path / "file", ACTOR)
    assert restored(workspace.state.root) == before
    assert read_generation(workspace.state) > generation
    save(workspace, zone_id, "/third")
    assert "/third" in export_policy(workspace)
    assert policy_history(workspace)[0].bundle == manifest_hash(workspace.state.current)
    with reading(workspace.database) as connection:
        actions = [row.action for row in connection.execute(audit_log.select())]
    assert actions.count("restore") == 1


def test_a_backup_beside_writers_is_one_committed_state(workspace: Workspace, zone_id: str, tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        for number in range(1000):
            if done.is_set():
                return
            save(workspace, zone_id, f"/{number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        files = [tmp_path / f"{number}.backup" for number in range(4)]
        for file in files:
            backup(workspace, file)
    finally:
        done.set()
        writer.join()
    for file in files:
        restore(tmp_path / file.stem, file, ACTOR)
        text, versions, _ = restored(tmp_path / file.stem)
        assert text.count("path = ") == versions[0] - 1


@pytest.mark.parametrize("part", ["supervisor", "gateway", "api", "worker"])
def test_nothing_is_restored_over_a_running_part_unless_told(
    workspace: Workspace, zone_id: str, tmp_path: Path, part: str
) -> None:
    backup(workspace, tmp_path / "file")
    save(workspace, zone_id, "/second")
    before = restored(workspace.state.root)
    with holding_part(workspace.state, part):
        assert code_of(lambda: restore(workspace.state.root, tmp_path / "file", ACTOR)) == "part.in_use"
        assert restored(workspace.state.root) == before
        restore(workspace.state.root, tmp_path / "file", ACTOR, is_forced=True)
    assert "/second" not in export_policy(workspace)


def test_open_connections_go_on_with_what_was_restored(workspace: Workspace, zone_id: str, tmp_path: Path) -> None:
    with open_workspace(workspace.state.root, is_debounced=True) as running:
        backup(running, tmp_path / "file")
        save(running, zone_id, "/second")
        running.assembler.settle()
        restore(workspace.state.root, tmp_path / "file", ACTOR, is_forced=True)
        save(running, zone_id, "/other")
        assert running.assembler.settle() == manifest_hash(workspace.state.current)
        part = next(p for p in json.loads(workspace.state.current.read_bytes())["parts"] if p["kind"] == "operations")
        saved = json.loads((workspace.state.bundle_parts / part["sha256"]).read_bytes())["operations"]
    assert [each["path"] for each in saved] == ["/first", "/other"]


@pytest.mark.parametrize("step", ["replace_file", "_replace_database", "begin_generation"])
def test_a_restore_that_was_cut_off_is_finished_by_the_next(
    workspace: Workspace, zone_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Crash(BaseException):
        """The process died here."""

    def die(*arguments: object) -> None:
        raise Crash

    backup(workspace, tmp_path / "file")
    before = restored(workspace.state.root)
    save(workspace, zone_id, "/second")
    with monkeypatch.context() as broken:
        broken.setattr(restoring, step, die)
        with pytest.raises(Crash):
            restore(workspace.state.root, tmp_path / "file", ACTOR)
    text, versions, _ = restored(workspace.state.root)
    assert (text, versions) == before[:2]
    assert not (workspace.state.root / "restoring").exists()


def test_a_restore_that_dies_before_it_is_ready_has_never_begun(
    workspace: Workspace, zone_id: str, tmp_path: Path
) -> None:
    before = restored(workspace.state.root)
    left = workspace.state.root / "restoring"
    left.mkdir()
    (left / "hoplon.db").write_bytes(b"half")
    assert restored(workspace.state.root) == before


def test_a_damaged_database_is_set_aside(workspace: Workspace, zone_id: str, tmp_path: Path) -> None:
    before = restored(workspace.state.root)
    backup(workspace, tmp_path / "file")
    workspace.database.dispose()
    workspace.state.database.write_bytes(b"not a database at all" * 500)
    restore(workspace.state.root, tmp_path / "file", ACTOR)
    assert restored(workspace.state.root) == before
    (aside,) = workspace.state.root.glob("hoplon.db.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


def members_of(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def write(file: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(file, "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def with_link(file: Path) -> None:
    members = members_of(file)
    with tarfile.open(file, "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if name == "keys/records.key":
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


def with_foreign_name(file: Path) -> None:
    members = members_of(file)
    listing = json.loads(members["backup.json"])
    listing["members"]["../outside"] = {"sha256": "0" * 64, "bytes": 0}
    write(file, {**members, "backup.json": json.dumps(listing).encode(), "../outside": b""})


def with_other_format(file: Path) -> None:
    members = members_of(file)
    members["backup.json"] = members["backup.json"].replace(b'"format": 1', b'"format": 9')
    write(file, members)


def without_database(file: Path) -> None:
    members = members_of(file)
    listing = json.loads(members["backup.json"])
    del listing["members"]["hoplon.db"], members["hoplon.db"]
    write(file, {**members, "backup.json": json.dumps(listing).encode()})


def repacked(file: Path, name: str, content: bytes, **about: object) -> None:
    """The archive with another content of one member, and a list that fits."""
    members = members_of(file)
    listing = {**json.loads(members["backup.json"]), **about}
    members[name] = content
    listing["members"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    write(file, {**members, "backup.json": json.dumps(listing).encode()})


def with_other_time(file: Path, time: object) -> None:
    repacked(file, "bundles/mode", b"log", created_at=time)


def with_sql(file: Path, statement: str) -> None:
    database = file.with_name("altered.db")
    database.write_bytes(members_of(file)["hoplon.db"])
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(statement)
        connection.commit()
    repacked(file, "hoplon.db", database.read_bytes())


def with_damage(file: Path) -> None:
    database = members_of(file)["hoplon.db"]
    repacked(file, "hoplon.db", database[:8192] + b"\xa5" * 8192 + database[16384:])


def with_a_hole(file: Path) -> None:
    """A sparse member: what takes a few bytes here would be a gigabyte there."""
    members = members_of(file)
    listing = json.loads(members["backup.json"])
    listing["members"]["hoplon.db"]["bytes"] = 1 << 30
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in {**members, "backup.json": json.dumps(listing).encode()}.items():
            entry = tarfile.TarInfo(name)
            stored = b"x" * 512 if name == "hoplon.db" else content
            entry.size = len(stored)
            if name == "hoplon.db":
                entry.pax_headers = {"GNU.sparse.map": "0,512", "GNU.sparse.size": str(1 << 30)}
            archive.addfile(entry, io.BytesIO(stored))


BROKEN: dict[str, Callable[[Path], object]] = {
    "gone": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_bytes(b"hello" * 1000),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:9000]),
    "changed": lambda file: file.write_bytes(file.read_bytes().replace(b"SQLite format 3", b"SQLite format 4")),
    "link": with_link,
    "foreign name": with_foreign_name,
    "other format": with_other_format,
    "no database": without_database,
    "no list": lambda file: write(file, {"hoplon.db": b""}),
    "a list of another kind": lambda file: write(file, {"backup.json": b"[1]"}),
    "a deep list": lambda file: write(file, {"backup.json": b"[" * 900_000}),
    "no time": lambda file: with_other_time(file, None),
    "another time": lambda file: with_other_time(file, "yesterday"),
    "an empty database": lambda file: repacked(file, "hoplon.db", b""),
    "no database inside": lambda file: repacked(file, "hoplon.db", b"no database" * 1000),
    "a damaged database": with_damage,
    "a table less": lambda file: with_sql(file, "DROP TABLE audit_log"),
    "a trigger more": lambda file: with_sql(
        file, "CREATE TRIGGER t AFTER INSERT ON audit_log BEGIN DELETE FROM tokens; END"
    ),
    "half a key": lambda file: repacked(file, "keys/records.key", b"short"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_whole_backup_changes_nothing(workspace: Workspace, zone_id: str, tmp_path: Path, name: str) -> None:
    file = tmp_path / "file"
    backup(workspace, file)
    BROKEN[name](file)
    save(workspace, zone_id, "/second")
    before = restored(workspace.state.root)
    assert code_of(lambda: restore(workspace.state.root, file, ACTOR)) == "backup.invalid"
    assert restored(workspace.state.root) == before
    assert not (tmp_path / "outside").exists()


def test_what_is_stored_with_holes_is_not_unpacked(workspace: Workspace, zone_id: str, tmp_path: Path) -> None:
    backup(workspace, tmp_path / "file")
    with_a_hole(tmp_path / "file")
    with pytest.raises(HoplonError, match=r"`hoplon\.db` is not what its list says"):
        restore(workspace.state.root, tmp_path / "file", ACTOR)


def test_a_backup_of_a_newer_version_changes_nothing(workspace: Workspace, zone_id: str, tmp_path: Path) -> None:
    backup(workspace, tmp_path / "file")
    database = tmp_path / "newer.db"
    database.write_bytes(members_of(tmp_path / "file")["hoplon.db"])
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    write_archive(tmp_path / "file", {"hoplon.db": database}, {"created_at": "2030-01-01T00:00:00+00:00"})
    before = restored(workspace.state.root)
    assert code_of(lambda: restore(workspace.state.root, tmp_path / "file", ACTOR)) == "database.newer"
    assert restored(workspace.state.root) == before


def test_a_file_that_cannot_be_written_is_said(workspace: Workspace, zone_id: str, tmp_path: Path) -> None:
    assert code_of(lambda: backup(workspace, tmp_path / "none" / "file")) == "output.unwritable"
    (tmp_path / "directory").mkdir()
    assert code_of(lambda: backup(workspace, tmp_path / "directory")) == "output.unwritable"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
