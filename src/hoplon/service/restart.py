"""`hoplon up` becomes a new program of itself and replaces its parts without a dropped request.

The running `up` checks that the new program could start, hands it the listening sockets and the pids of its parts, and
becomes it (execve: the same process, so its children stay its children). The new program replaces every part; the
gateway by a successor on the same sockets.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import NoReturn

from hoplon.errors import HoplonError
from hoplon.service.gateway_start import GatewayStart, gateway_configuration
from hoplon.service.handed_over import VARIABLE, HandedOver
from hoplon.service.listeners import Listeners
from hoplon.storage.files import replace_file
from hoplon.storage.locks import part_holder
from hoplon.storage.state import StateDirectory

_CHECK_SECONDS = 60.0
_RESTART_SECONDS = 150.0
_LEAVE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RestartOutcome:
    """How the last restart ended."""

    at: float
    is_done: bool
    message: str


def become_new_program(listeners: Listeners, parts: Mapping[str, int], leaving: tuple[int, ...]) -> NoReturn:
    """Replace this program by the one that is installed now, with the same arguments."""
    handed = HandedOver(listeners.by_name(), parts, leaving)
    environment = {**os.environ, VARIABLE: json.dumps(asdict(handed))}
    command = (sys.executable, "-m", "hoplon", *sys.argv[1:])
    os.execve(sys.executable, command, environment)  # noqa: S606  the same interpreter, without the shell


def why_not() -> str | None:
    """Why the program that is installed now could not take over, None when it could. Nothing is started or changed."""
    command = (sys.executable, "-m", "hoplon", *sys.argv[1:], "--check")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def gateway_succession(start: GatewayStart, pid: int) -> tuple[str, ...]:
    """Tell the gateway `pid` that a successor comes, wait for what it leaves, and give the successor's command."""
    left = start.state.run / "gateway.handover.json"
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + _LEAVE_SECONDS
    while not left.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    document = gateway_configuration(start.settings, start.state, start.listeners) | {"predecessor": pid}
    file = start.state.run / "gateway.successor.json"
    replace_file(file, json.dumps(document, indent=2).encode())
    return (*start.command[:-1], str(file))


def note_restart(state: StateDirectory, is_done: bool, message: str) -> None:
    """Leave word for whoever asked for the restart."""
    outcome = RestartOutcome(datetime.now(UTC).timestamp(), is_done, message)
    replace_file(state.run / "restart.json", json.dumps(asdict(outcome)).encode())


def restart(state: StateDirectory, number: int) -> RestartOutcome:
    """Ask the running `hoplon up` to restart, by the signal `number`, and wait for the outcome.

    Raises `up.not_running` when there is none, `restart.silent` when it does not answer.
    """
    pid = part_holder(state, "supervisor")
    if not pid:
        hint = "start it: `hoplon up`; a gateway alone is restarted by its own supervisor"
        raise HoplonError("up.not_running", f"no `hoplon up` is running in {state.root}", hint)
    asked = datetime.now(UTC).timestamp()
    os.kill(pid, number)
    deadline = time.monotonic() + _RESTART_SECONDS
    while time.monotonic() < deadline:
        outcome = _last_restart(state)
        if outcome is not None and outcome.at >= asked:
            return outcome
        time.sleep(0.05)
    raise HoplonError("restart.silent", f"no outcome after {_RESTART_SECONDS:g} s", f"see {state.log('gateway')}")


def _last_restart(state: StateDirectory) -> RestartOutcome | None:
    try:
        return RestartOutcome(**json.loads((state.run / "restart.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
