"""`hoplon restart`: every part replaced while callers call, nothing failed; and what keeps the old parts going."""

import http.client
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.installation import Client, Installation, await_true, hoplon, rows, running
from support.upstream import Upstream


class Callers:
    """Threads that call without a pause: some on kept connections, some on a new one for each request."""

    def __init__(self, port: int, kept: int = 2, new: int = 1) -> None:
        self.ids: list[str] = []
        self.failures: list[str] = []
        self._port = port
        self._stop = threading.Event()
        kinds = [True] * kept + [False] * new
        self._threads = [threading.Thread(target=self._call, args=(is_kept,)) for is_kept in kinds]
        for thread in self._threads:
            thread.start()

    def _call(self, is_kept: bool) -> None:
        client = Client(self._port)
        while not self._stop.is_set():
            try:
                answer = client.get("/under-load")
                self.ids.append(answer.id)
                if answer.status != 200:
                    self.failures.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            if not is_kept:
                client.close()
        client.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


@contextmanager
def calling(up: Installation) -> Iterator[Callers]:
    callers = Callers(up.port)
    try:
        yield callers
    finally:
        callers.stop()


def pids(up: Installation) -> dict[str, int]:
    """The pid of every part; waits until each has said it once."""
    files = {part: up.state / "run" / f"{part}.status.json" for part in PARTS}
    await_true(lambda: all(file.exists() for file in files.values()), "every part works")
    parts = {part: json.loads(file.read_text())["pid"] for part, file in files.items()}
    return {**parts, "supervisor": int((up.state / "run" / "supervisor.lock").read_text())}


PARTS = ("gateway", "api", "worker")


def test_every_part_is_replaced_under_load_and_no_request_fails(tmp_path: Path, api: Upstream) -> None:
    settings = {"HOPLON_DRAIN_SECONDS": "3", "HOPLON_HANDOVER_SECONDS": "1"}
    with running(tmp_path / "state", "--upstream", api.url, **settings) as up, calling(up) as callers:
        for _ in range(2):
            before = pids(up)
            done = hoplon(up.state, "restart", "--json")
            assert (done.returncode, json.loads(done.stdout)["is_done"]) == (0, True), done.stdout + up.said()
            after = pids(up)
            assert after["supervisor"] == before["supervisor"] == up.process.pid
            assert all(after[part] != before[part] for part in PARTS)
            assert up.readiness()["ready"]
        await_true(lambda: not is_alive(before["gateway"]), "the gateway before has ended")
        callers.stop()
        assert callers.failures == []
        assert len(callers.ids) > 50
        last = up.get("/last")
        up.record(last.id)
        recorded = {row["id"] for row in rows(up.state, "SELECT id FROM records")}
        assert set(callers.ids) <= recorded, "every answered request has its record"
    assert up.process.returncode == 0


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_settings_that_cannot_be_used_replace_nothing(tmp_path: Path, api: Upstream) -> None:
    config = tmp_path / "hoplon.toml"
    config.write_text("drain_seconds = 2\n")
    with running(tmp_path / "state", "--upstream", api.url, "--config", str(config)) as up:
        before = pids(up)
        config.write_text("drain_second = 2\n")
        done = hoplon(up.state, "restart")
        assert done.returncode == 1
        assert "did you mean `drain_seconds`" in done.stdout, done.stdout
        assert pids(up) == before
        assert up.get("/").status == 200
        config.write_text("drain_seconds = 1\n")
        assert hoplon(up.state, "restart").returncode == 0
        assert up.get("/").status == 200


def test_a_successor_that_fails_leaves_the_gateway_that_serves_and_a_killed_one_comes_back(
    tmp_path: Path, api: Upstream
) -> None:
    with running(tmp_path / "state", "--upstream", api.url, HOPLON_DRAIN_SECONDS="1") as up:
        lock, before = up.state / "run" / "gateway.lock", pids(up)
        lock.write_text("1")  # as if the gateway that serves were not the one whose place is to be taken
        done = hoplon(up.state, "restart")
        assert (done.returncode, "not replaced: gateway" in done.stdout) == (1, True), done.stdout
        assert "The successor of the gateway failed" in up.said()
        assert pids(up)["gateway"] == before["gateway"]
        assert up.get("/").status == 200
        lock.write_text(str(before["gateway"]))
        assert hoplon(up.state, "restart").returncode == 0
        successor = pids(up)["gateway"]
        assert successor != before["gateway"]
        os.kill(successor, signal.SIGKILL)
        await_true(lambda: pids(up)["gateway"] != successor, "the supervisor starts another")
        await_true(lambda: up.status()["phase"] == "serving", "it serves")
        assert up.get("/").status == 200


def test_there_must_be_one_to_restart(tmp_path: Path, api: Upstream) -> None:
    with running(tmp_path / "state", "--upstream", api.url):
        pass
    done = hoplon(tmp_path / "state", "restart")
    assert done.returncode == 1
    assert "no `hoplon up` is running" in done.stderr


def test_check_says_whether_it_could_start_and_changes_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    fine = hoplon(state, "up", "--check", "--upstream", "http://127.0.0.1:9")
    assert (fine.returncode, state.exists()) == (0, False), fine.stderr
    wrong = hoplon(state, "up", "--check", "--upstream", "ftp://x")
    assert wrong.returncode != 0
