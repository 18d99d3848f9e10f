"""The whole demo, as a user runs it: it shows what it promises, in time, and leaves nothing running."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the shop needs the dependency group `demo`")
pytest.importorskip("hoplon._native", reason="the demo starts a gateway")

DEMO = (sys.executable, "-m", "hoplon", "demo")
LIMIT_SECONDS = 100


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((*DEMO, *arguments), capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)


def processes_of(state: Path) -> list[str]:
    """The command lines of running processes that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(state) in line:
            found.append(line)
    return found


def wait_until_none(state: Path) -> list[str]:
    deadline = time.monotonic() + 20
    while (found := processes_of(state)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@pytest.mark.slow
def test_the_demo_shows_the_block_and_ends_with_nothing_left_running(tmp_path: Path) -> None:
    state = tmp_path / "demo"
    done = run_demo("--state", str(state))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr, "no control codes in a pipe"
    assert [line.split()[0] for line in done.stdout.splitlines() if re.match(r"\d  ", line)] == list("12345678")
    assert re.search(r"POST +/carts/\{var1\}/items ", done.stdout)
    assert re.search(r"/debug/state +200 x \d+ +403 x \d+", done.stdout)
    assert "action" in done.stdout
    assert "operations.fallthrough" in done.stdout
    assert not processes_of(state)
    kept = subprocess.run(
        (sys.executable, "-m", "hoplon", "policy", "export", "--state", str(state)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'fallthrough = "block"' in kept.stdout


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_demo_and_everything_it_started(tmp_path: Path, sign: signal.Signals) -> None:
    state = tmp_path / "demo"
    with subprocess.Popen((*DEMO, "--state", str(state)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as demo:
        deadline = time.monotonic() + 30
        while len(processes_of(state)) < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(processes_of(state)) >= 4, "demo, shop, supervisor, gateway"
        os.kill(demo.pid, sign)
        demo.communicate(timeout=LIMIT_SECONDS)
    assert demo.returncode not in (0, None)
    assert not wait_until_none(state)


def test_a_folder_in_use_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    done = run_demo("--state", str(tmp_path))
    assert done.returncode != 0
    assert "is not empty" in done.stderr
    assert "hint:" in done.stderr
