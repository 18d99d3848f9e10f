"""The supervisor's signals: handlers only note them, a pipe wakes the loop, and an exec in between loses none."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

RESTART_SIGNAL = signal.SIGUSR2
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_KEPT_BACK = {*_STOP_SIGNALS, RESTART_SIGNAL}


@dataclass(slots=True)
class Signals:
    """Signals that have arrived and were not looked at yet."""

    wake: int
    stops: list[int] = field(default_factory=list)
    is_restart_asked: bool = False

    def wait(self, seconds: float) -> None:
        """Sleep, but not past the next signal."""
        if select.select([self.wake], [], [], max(0.0, seconds))[0]:
            os.read(self.wake, 4096)

    def next_stop(self) -> int | None:
        return self.stops.pop(0) if self.stops else None


@contextmanager
def listening() -> Iterator[Signals]:
    """Note signals instead of dying of them. What was kept back meanwhile arrives now."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signals = Signals(read_end)

    def note(number: int, _frame: FrameType | None) -> None:
        if number == RESTART_SIGNAL:
            signals.is_restart_asked = True
        elif number != signal.SIGCHLD:
            signals.stops.append(number)

    # What `nohup` or a shell script's `&` made us ignore stays ignored.
    wanted = [number for number in _STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in (*wanted, RESTART_SIGNAL, signal.SIGCHLD)}
    wakeup = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _KEPT_BACK)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read_end)
        os.close(write_end)


def keep_back() -> None:
    """Let signals wait until somebody is `listening` again, in this process or in the program that it becomes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _KEPT_BACK)
