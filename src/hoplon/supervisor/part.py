"""One part of a supervisor: its process, spawned by us or taken over from the program that this process was before."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hoplon.supervisor.plan import PartPlan, PartStopped, Stopping, Tell
from hoplon.supervisor.signals import Signals

TICK_SECONDS = 0.05
_LOG_BYTES = 10 * 1024**2
_KILL_SECONDS = 2.0


class Process(Protocol):
    """What is done with a child."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...

    def wait(self) -> int: ...


@dataclass(slots=True)
class AdoptedProcess:
    """A child of this process that an earlier program of the same process had spawned."""

    pid: int
    exit_code: int | None = None

    def poll(self) -> int | None:
        return self._reap(os.WNOHANG)

    def wait(self) -> int:
        code = self._reap(0)
        return code if code is not None else 1

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _reap(self, options: int) -> int | None:
        if self.exit_code is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:
                self.exit_code = 1
            else:
                self.exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self.exit_code


@dataclass(slots=True)
class Part:
    """One part as it stands now."""

    plan: PartPlan
    process: Process | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    is_ready: bool = False
    was_ready: bool = False
    starts: int = 0
    deaths: int = 0

    def start(self, now: float) -> None:
        self.take(spawn(self.plan, self.plan.command), now)

    def take(self, process: Process, now: float, is_ready: bool = False) -> None:
        """Make `process` the one that this part is."""
        self.process = process
        self.started_at = now
        self.starts += 1
        self.is_ready = is_ready
        self.was_ready = self.was_ready or is_ready


def spawn(plan: PartPlan, command: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    """Start a process of this part, in a process group of its own: a Ctrl-C reaches the supervisor alone."""
    environment = {name: value for name, value in os.environ.items() if name not in plan.hidden_variables}
    with _open_log(plan.log) as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=plan.fds,
            process_group=0,
            env=environment,
        )


def stop(name: str, process: Process, stop_seconds: float, signals: Signals, tell: Tell) -> None:
    """Ask a process to end; ask again at a second signal (it then drains no longer), and kill it when it does not."""
    if process.poll() is not None:
        return
    process.terminate()
    deadline = time.monotonic() + stop_seconds
    while process.poll() is None and time.monotonic() < deadline:
        signals.wait(min(TICK_SECONDS, deadline - time.monotonic()))
        if (number := signals.next_stop()) is not None:
            tell(Stopping(signal.Signals(number).name, is_hurry=True))
            process.terminate()
            deadline = time.monotonic() + _KILL_SECONDS
    was_killed = process.poll() is None
    if was_killed:
        process.kill()
    process.wait()
    tell(PartStopped(name, was_killed))


@contextmanager
def _open_log(path: Path) -> Iterator[int]:
    """The part's log for appending. At the start of a part a long one is put aside as `<name>.log.1`."""
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
