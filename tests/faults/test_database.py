"""A database that is locked, full, read-only or gone: a clear error, no acknowledged write lost, traffic unaffected."""

import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from faults.plane import Plane, contents, plane_in
from support.api import api_status
from support.installation import await_true

pytest.importorskip("hoplon._native")

LABELS = "/zones/{zone}/api_gateway/labels"
PATIENCE_SECONDS = 40.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Plane]:
    """An installation that a test may break."""
    with plane_in(tmp_path / "state") as plane:
        yield plane
        assert plane.traffic.refused == []
        assert plane.traffic.asked > 0


def write(plane: Plane, name: str) -> int:
    """Make a label; the status of the answer, which says what is wrong when it is none of 200."""
    reply = plane.call("POST", f"{LABELS}/user", [{"name": name}])
    assert reply.status == 200 or reply.errors
    return reply.status


def names(plane: Plane) -> set[str]:
    return {label["name"] for label in plane.call("GET", f"{LABELS}?source=user&per_page=50").result}


def is_whole(store: Path) -> bool:
    with closing(sqlite3.connect(store, timeout=30)) as database:
        return bool(database.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def test_a_locked_database_is_said_and_read_all_the_same(own: Plane) -> None:
    with closing(sqlite3.connect(own.store, timeout=30, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(2) as pool:
            begun = time.monotonic()
            writes = [pool.submit(write, own, f"locked-{n}") for n in range(2)]
            assert names(own) == {"login"}
            assert time.monotonic() - begun < 2
            assert {each.result(PATIENCE_SECONDS) for each in writes} == {503}
        holder.execute("ROLLBACK")
    assert write(own, "after") == 200
    assert own.call("DELETE", f"{LABELS}/user/after").status == 200


def test_a_disk_that_takes_no_more_refuses_writes_and_nothing_else(own: Plane) -> None:
    before = contents(own.store)
    with no_file_may_grow(api_status(own.up.state)["pid"]):
        refused = [write(own, f"full-{n}") for n in range(20)]
        assert names(own) == {"login"}
    assert set(refused) <= {503, 507}
    assert contents(own.store) == before
    assert write(own, "after") == 200
    assert names(own) == {"login", "after"}
    assert is_whole(own.store)


@contextmanager
def no_file_may_grow(pid: int) -> Iterator[None]:
    """What a full disk does to a process: every write beyond the end of a file fails."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_a_full_file_system_refuses_writes_and_nothing_else(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", 24) as folder, plane_in(folder / "state") as plane:
        acknowledged = {"login"}
        ballast = folder / "ballast"
        fill(ballast)
        for number in range(200):
            status = write(plane, f"full-{number}")
            assert status in (200, 503, 507)
            if status == 200:
                acknowledged.add(f"full-{number}")
        assert len(acknowledged) < 200, "it never became full: this proved nothing"
        assert names(plane) == acknowledged
        ballast.unlink()
        await_true(lambda: write(plane, "after") == 200, "writes work again")
        assert names(plane) == {*acknowledged, "after"}
        assert is_whole(plane.store)
        assert plane.traffic.refused == []


def fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        while ballast.write(b"\0" * 65_536):
            pass


@contextmanager
def small_file_system(folder: Path, megabytes: int, *options: str) -> Iterator[Path]:
    """A file system of its own in memory; skips where we may not mount."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_read_only_state_directory_is_said_at_the_start(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", 64) as folder:
        with plane_in(folder / "state"):
            pass
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        command = [sys.executable, "-m", "hoplon", "api", "--admin", "127.0.0.1:0", "--state", str(folder / "state")]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert ended.returncode != 0
    assert ended.stderr.startswith("error: "), ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_moved_away_takes_no_write_that_is_lost(own: Plane, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    acknowledged = names(own)
    for file in own.up.state.glob("hoplon.db*"):
        file.rename(away / file.name)
    for number in range(20):
        status = write(own, f"away-{number}")
        assert status in (200, 503)
        if status == 200:
            acknowledged.add(f"away-{number}")
    assert not (own.store.exists() and own.store.stat().st_size), "a new, empty database was made in its place"
    for file in away.iterdir():
        file.rename(own.up.state / file.name)
    await_true(lambda: write(own, "after") == 200, "writes work again")
    assert names(own) == {*acknowledged, "after"}
    assert is_whole(own.store)
