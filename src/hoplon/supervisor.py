"""Keeps the parts of `hoplon up` running: takes plans, spawns, restarts with back-off, stops on signals, tells events.

One thread, no fork after threads: children are spawned by `subprocess` in groups of their own, so that a Ctrl-C reaches
the supervisor alone and it stops them in order. It must not know what the parts do.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

STABLE_SECONDS = 60.0
"""A part that ran this long is restarted as if it had never died."""
_FIRST_RESTART_SECONDS = 0.5
_MAX_RESTART_SECONDS = 30.0
_LOG_BYTES = 10 * 1024**2
_KILL_SECONDS = 2.0
_TICK_SECONDS = 0.05
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class PartPlan:
    """How one part is run.

    `is_ready(pid)` says whether the process has begun its work. When an `essential` part ends before it ever was
    ready, everything stops with its exit code: its error is one of set-up, which a restart does not mend.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    is_ready: Callable[[int], bool]
    stop_seconds: float
    fds: tuple[int, ...] = ()
    is_essential: bool = False


@dataclass(frozen=True, slots=True)
class PartReady:
    """A part works; `restarts` counts how often it was started before."""

    name: str
    pid: int
    seconds: float
    restarts: int


@dataclass(frozen=True, slots=True)
class PartDied:
    """A part ended by itself. It is started again after `restart_seconds`; None: everything stops."""

    name: str
    exit_code: int
    restart_seconds: float | None
    log: Path


@dataclass(frozen=True, slots=True)
class Stopping:
    """A signal asked to stop; `is_hurry`: a second one, what still runs is cut short."""

    signal_name: str
    is_hurry: bool


@dataclass(frozen=True, slots=True)
class PartStopped:
    """A part was stopped; `was_killed`: it did not end in time."""

    name: str
    was_killed: bool


Event = PartReady | PartDied | Stopping | PartStopped


def restart_delay_seconds(deaths: int) -> float:
    """How long to wait before the next start after so many deaths in a row: 0.5 s, doubling, at most 30 s."""
    return min(_MAX_RESTART_SECONDS, _FIRST_RESTART_SECONDS * 2.0 ** min(deaths - 1, 10))


def supervise(plans: Sequence[PartPlan], tell: Callable[[Event], None]) -> int:
    """Run all parts until a signal asks to stop or an essential one cannot start; the exit code of the whole.

    Parts are started, and stopped, in the order given. Must be called in the main thread.
    """
    with _signals() as signals:
        parts = [_Part(plan) for plan in plans]
        exit_code = 0
        try:
            exit_code = _watch(parts, signals, tell)
        finally:
            for part in parts:
                _stop(part, signals, tell)
        return exit_code


@dataclass(slots=True)
class _Part:
    """One part as it stands now."""

    plan: PartPlan
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    is_ready: bool = False
    was_ready: bool = False
    starts: int = 0
    deaths: int = 0

    def start(self, now: float) -> None:
        self.process = _spawn(self.plan)
        self.started_at = now
        self.starts += 1
        self.is_ready = False


@dataclass(slots=True)
class _Signals:
    """Stop signals that have arrived. Handlers only note them; a pipe wakes the loop."""

    wake: int
    arrived: list[int] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """Sleep, but not past the next signal."""
        if select.select([self.wake], [], [], max(0.0, seconds))[0]:
            os.read(self.wake, 4096)

    def next_stop(self) -> int | None:
        return self.arrived.pop(0) if self.arrived else None


@contextmanager
def _signals() -> Iterator[_Signals]:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signals = _Signals(read_end)

    def note(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            signals.arrived.append(number)

    # What `nohup` or a shell script's `&` made us ignore stays ignored.
    wanted = [number for number in _STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in (*wanted, signal.SIGCHLD)}
    wakeup = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read_end)
        os.close(write_end)


def _watch(parts: list[_Part], signals: _Signals, tell: Callable[[Event], None]) -> int:
    """Start, look after and restart the parts until there is a reason to stop."""
    while True:
        now = time.monotonic()
        for part in parts:
            if part.process is None and now >= part.restart_at:
                part.start(now)
            exit_code = part.process.poll() if part.process is not None else None
            if exit_code is not None:
                if part.plan.is_essential and not part.was_ready:
                    part.process = None
                    tell(PartDied(part.plan.name, exit_code, None, part.plan.log))
                    return exit_code if exit_code > 0 else 1
                _plan_restart(part, exit_code, now, tell)
            _notice_ready(part, now, tell)
        number = signals.next_stop()
        if number is not None:
            tell(Stopping(signal.Signals(number).name, is_hurry=False))
            return 0
        signals.wait(_pause(parts, now))


def _plan_restart(part: _Part, exit_code: int, now: float, tell: Callable[[Event], None]) -> None:
    part.deaths = 1 if now - part.started_at >= STABLE_SECONDS else part.deaths + 1
    delay = restart_delay_seconds(part.deaths)
    part.process = None
    part.restart_at = now + delay
    tell(PartDied(part.plan.name, exit_code, delay, part.plan.log))


def _notice_ready(part: _Part, now: float, tell: Callable[[Event], None]) -> None:
    if part.process is not None and not part.is_ready and part.plan.is_ready(part.process.pid):
        part.is_ready = part.was_ready = True
        tell(PartReady(part.plan.name, part.process.pid, now - part.started_at, part.starts - 1))


def _pause(parts: list[_Part], now: float) -> float:
    """Until the next thing to do: soon while a part is starting, else at its restart; children's deaths wake anyway."""
    if any(part.process is not None and not part.is_ready for part in parts):
        return _TICK_SECONDS
    return min((part.restart_at - now for part in parts if part.process is None), default=60.0)


def _stop(part: _Part, signals: _Signals, tell: Callable[[Event], None]) -> None:
    """Ask a part to end; ask again at a second signal (it then drains no longer), and kill it when it does not."""
    process = part.process
    if process is None or process.poll() is not None:
        return
    process.terminate()
    deadline = time.monotonic() + part.plan.stop_seconds
    while process.poll() is None and time.monotonic() < deadline:
        signals.wait(min(_TICK_SECONDS, deadline - time.monotonic()))
        if (number := signals.next_stop()) is not None:
            tell(Stopping(signal.Signals(number).name, is_hurry=True))
            process.terminate()
            deadline = time.monotonic() + _KILL_SECONDS
    was_killed = process.poll() is None
    if was_killed:
        process.kill()
    process.wait()
    tell(PartStopped(part.plan.name, was_killed))


def _spawn(plan: PartPlan) -> subprocess.Popen[bytes]:
    with _open_log(plan.log) as log:
        return subprocess.Popen(
            plan.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=plan.fds,
            process_group=0,
        )


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
