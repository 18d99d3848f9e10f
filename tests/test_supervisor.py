"""The supervisor with real processes: starts, restarts with back-off, stops in order, leaves nobody."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from hoplon.storage.sealing import KEY_VARIABLES
from hoplon.supervisor import PartPlan, restart_delay_seconds
from hoplon.supervisor.part import spawn

DRIVER = """
import pathlib, sys
from hoplon.supervisor import PartPlan, supervise
directory = pathlib.Path(sys.argv[1])

def plan(name, code, essential, stop_seconds=5.0):
    def is_ready(pid):
        ready = directory / f"{name}.ready"
        return ready.exists() and ready.read_text() == str(pid)
    command = (sys.executable, "-c", code, str(directory / f"{name}.ready"))
    return PartPlan(name, command, directory / f"{name}.log", is_ready, stop_seconds, is_essential=essential)

def tell(event):
    print(event, flush=True)

sys.exit(supervise([plan("gateway", sys.argv[2], True), plan("worker", sys.argv[3], False, 1.0)], tell).exit_code)
"""
READY = "import os, pathlib, signal, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
WORKS = READY + "time.sleep(600)"
FAILS = "import sys; print('no such thing', file=sys.stderr); sys.exit(4)"
DIES_LATER = READY + "time.sleep(0.3); sys.exit(3)"
IGNORES = READY + "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Driver:
    """A supervisor in a process of its own, and what it tells."""

    def __init__(self, directory: Path, gateway: str, worker: str, before: Sequence[str] = ()) -> None:
        self.directory = directory
        command = [*before, sys.executable, "-c", DRIVER, str(directory), gateway, worker]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def next_event(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def pid(self, part: str) -> int:
        return int((self.directory / f"{part}.ready").read_text())

    def await_ready(self) -> None:
        assert "PartReady" in self.next_event()
        assert "PartReady" in self.next_event()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_starts_both_and_stops_them_in_order_with_code_0(tmp_path: Path) -> None:
    driver = Driver(tmp_path, WORKS, WORKS)
    driver.await_ready()
    pids = [driver.pid("gateway"), driver.pid("worker")]
    assert driver.stop(signal.SIGINT) == 0
    assert [driver.next_event().partition("(")[0] for _ in range(3)] == ["Stopping", "PartStopped", "PartStopped"]
    assert not any(is_alive(pid) for pid in pids)


def test_a_dead_part_is_started_again_after_a_growing_delay(tmp_path: Path) -> None:
    driver = Driver(tmp_path, WORKS, DIES_LATER)
    driver.await_ready()
    delays: list[str] = []
    while len(delays) < 3:
        event = driver.next_event()
        if "PartDied" in event:
            assert "exit_code=3" in event
            delays.append(event.partition("restart_seconds=")[2].partition(",")[0])
    assert delays == ["0.5", "1.0", "2.0"]
    assert driver.stop() == 0


def test_a_killed_gateway_is_started_again(tmp_path: Path) -> None:
    driver = Driver(tmp_path, WORKS, WORKS)
    driver.await_ready()
    first = driver.pid("gateway")
    os.kill(first, signal.SIGKILL)
    assert "PartDied(name='gateway', exit_code=-9, restart_seconds=0.5" in driver.next_event()
    assert "restarts=1" in driver.next_event()
    assert driver.pid("gateway") != first
    assert driver.stop() == 0


def test_an_essential_part_that_cannot_start_ends_everything_with_its_code(tmp_path: Path) -> None:
    driver = Driver(tmp_path, FAILS, WORKS)
    assert driver.process.wait(15) == 4
    assert "restart_seconds=None" in "".join(driver.next_event() for _ in range(3))
    assert (tmp_path / "gateway.log").read_text() == "no such thing\n"


def test_a_part_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    driver = Driver(tmp_path, WORKS, IGNORES)
    driver.await_ready()
    pid = driver.pid("worker")
    assert driver.stop() == 0
    assert not is_alive(pid)
    assert "PartStopped(name='worker', was_killed=True)" in "".join(driver.next_event() for _ in range(3))


def test_a_second_signal_hurries(tmp_path: Path) -> None:
    driver = Driver(tmp_path, IGNORES, WORKS)
    driver.await_ready()
    began = time.monotonic()
    driver.process.send_signal(signal.SIGTERM)
    assert "is_hurry=False" in driver.next_event()
    driver.process.send_signal(signal.SIGTERM)
    assert "is_hurry=True" in driver.next_event()
    assert driver.process.wait(15) == 0
    assert time.monotonic() - began < 4.5


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    driver = Driver(tmp_path, WORKS, WORKS, ["nohup"])
    driver.await_ready()
    driver.process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        driver.process.wait(0.5)
    assert driver.stop() == 0


def test_a_long_log_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "gateway.log").write_bytes(b"x" * (10 * 1024**2 + 1))
    driver = Driver(tmp_path, FAILS, WORKS)
    driver.process.wait(15)
    assert (tmp_path / "gateway.log.1").stat().st_size == 10 * 1024**2 + 1
    assert (tmp_path / "gateway.log").read_text() == "no such thing\n"


@pytest.mark.parametrize(("deaths", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (100, 30.0)])
def test_the_delay_doubles_up_to_30_seconds(deaths: int, seconds: float) -> None:
    assert restart_delay_seconds(deaths) == seconds


def test_a_variable_that_is_hidden_does_not_reach_the_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLON_INSTALLATION_KEY", "planted")
    monkeypatch.setenv("HOPLON_TEST", "seen")
    code = "import os; print(os.environ.get('HOPLON_INSTALLATION_KEY'), os.environ.get('HOPLON_TEST'))"
    log = tmp_path / "part.log"
    plan = PartPlan("part", (sys.executable, "-c", code), log, lambda pid: True, 1.0, hidden_variables=KEY_VARIABLES)
    assert spawn(plan, plan.command).wait(15) == 0
    assert log.read_text() == "None seen\n"
