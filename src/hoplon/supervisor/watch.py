"""The supervisor's loop: starts parts, restarts with back-off, replaces them on a signal, stops them in order."""

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hoplon.supervisor.part import TICK_SECONDS, AdoptedProcess, Part, Process, spawn, stop
from hoplon.supervisor.plan import (
    PartDied,
    PartPlan,
    PartReady,
    PartReplaced,
    Restarted,
    Stopping,
    SuccessorFailed,
    Tell,
)
from hoplon.supervisor.signals import Signals, keep_back, listening

STABLE_SECONDS = 60.0
"""A part that ran this long is restarted as if it had never died."""
SUCCESSION_SECONDS = 30.0
"""A successor that does not work after this time is given up."""
MAX_LEAVING = 4
"""Processes that were replaced and still end what they have under way; of more, the oldest is killed."""
_FIRST_RESTART_SECONDS = 0.5
_MAX_RESTART_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """Why `supervise` came back: everything has stopped with `exit_code`, or a restart was asked for.

    Then processes are `running`; nobody watches them until `supervise` is called with them again.
    """

    exit_code: int
    running: "Running | None" = None


@dataclass(frozen=True, slots=True)
class Running:
    """The pids of all parts by name, and of processes that were replaced and still end what they have under way."""

    parts: Mapping[str, int]
    leaving: tuple[int, ...] = ()


def restart_delay_seconds(deaths: int) -> float:
    """How long to wait before the next start after so many deaths in a row: 0.5 s, doubling, at most 30 s."""
    return min(_MAX_RESTART_SECONDS, _FIRST_RESTART_SECONDS * 2.0 ** min(deaths - 1, 10))


def supervise(
    plans: Sequence[PartPlan], tell: Tell, adopted: Running | None = None, must_replace: bool = False
) -> Ended:
    """Run all parts until a signal asks to stop or to restart, or an essential one cannot start.

    Parts are started, and stopped, in the order given. `adopted` are those that run already; with `must_replace` each
    of them is replaced first. Must be called in the main thread.
    """
    with listening() as signals:
        watched = _Watched([Part(plan) for plan in plans], signals, tell)
        watched.adopt(adopted or Running({}))
        if must_replace:
            watched.replace_all()
        exit_code = watched.watch()
        if exit_code is None:
            keep_back()
            return Ended(0, watched.running())
        watched.stop_all()
        return Ended(exit_code)


@dataclass(slots=True)
class _Leaving:
    """A process that was replaced, and when it is killed."""

    process: Process
    deadline: float


@dataclass(slots=True)
class _Watched:
    """The parts while somebody looks after them."""

    parts: list[Part]
    signals: Signals
    tell: Tell
    leaving: list[_Leaving] = field(default_factory=list)

    def adopt(self, running: Running) -> None:
        now = time.monotonic()
        for part in self.parts:
            if part.plan.name in running.parts:
                part.take(AdoptedProcess(running.parts[part.plan.name]), now, is_ready=True)
        patience = max(part.plan.stop_seconds for part in self.parts)
        self.leaving = [_Leaving(AdoptedProcess(pid), now + patience) for pid in running.leaving]

    def running(self) -> Running:
        parts = {part.plan.name: part.process.pid for part in self.parts if part.process is not None}
        return Running(parts, tuple(left.process.pid for left in self.leaving))

    def watch(self) -> int | None:
        """Start, look after and restart the parts until there is a reason to stop; None: a restart is asked for."""
        while True:
            now = time.monotonic()
            for part in self.parts:
                if part.process is None and now >= part.restart_at:
                    part.start(now)
                exit_code = part.process.poll() if part.process is not None else None
                if exit_code is not None:
                    if part.plan.is_essential and not part.was_ready:
                        part.process = None
                        self.tell(PartDied(part.plan.name, exit_code, None, part.plan.log))
                        return exit_code if exit_code > 0 else 1
                    self._plan_restart(part, exit_code, now)
                self._notice_ready(part, now)
            self._reap(now)
            if (number := self.signals.next_stop()) is not None:
                self.tell(Stopping(signal.Signals(number).name, is_hurry=False))
                return 0
            if self.signals.is_restart_asked and all(part.is_ready for part in self.parts):
                return None
            self.signals.wait(self._pause(now))

    def replace_all(self) -> None:
        """Replace every adopted part: by a successor beside it where it can hand over, else one after the other."""
        failed = [part.plan.name for part in self.parts if part.process is not None and not self._replace(part)]
        self.tell(Restarted(tuple(failed)))

    def stop_all(self) -> None:
        for part in self.parts:
            if part.process is not None:
                stop(part.plan.name, part.process, part.plan.stop_seconds, self.signals, self.tell)
        for left in self.leaving:
            left.process.kill()
            left.process.wait()

    def _replace(self, part: Part) -> bool:
        """Whether the part works again after it."""
        assert part.process is not None  # noqa: S101  only parts that run are replaced
        old, began = part.process, time.monotonic()
        if part.plan.succession is None:
            stop(part.plan.name, old, part.plan.stop_seconds, self.signals, self.tell)
            new: Process = spawn(part.plan, part.plan.command)
        else:
            new = spawn(part.plan, part.plan.succession(old.pid))
        is_ready = self._await_ready(part.plan, new, began)
        if not is_ready and part.plan.succession is not None:
            self._give_up(part.plan, new)
            return False
        if part.plan.succession is not None:
            self._let_go(old, part.plan.stop_seconds)
        part.take(new, began, is_ready)
        if is_ready:
            self.tell(PartReplaced(part.plan.name, old.pid, new.pid, time.monotonic() - began))
        return is_ready

    def _await_ready(self, plan: PartPlan, new: Process, began: float) -> bool:
        while new.poll() is None and time.monotonic() - began < SUCCESSION_SECONDS and not self.signals.stops:
            if plan.is_ready(new.pid):
                return True
            self.signals.wait(TICK_SECONDS)
        return False

    def _give_up(self, plan: PartPlan, new: Process) -> None:
        exit_code = new.poll()
        new.kill()
        new.wait()
        self.tell(SuccessorFailed(plan.name, exit_code, plan.log))

    def _let_go(self, old: Process, stop_seconds: float) -> None:
        old.terminate()
        self.leaving.append(_Leaving(old, time.monotonic() + stop_seconds))
        if len(self.leaving) > MAX_LEAVING:
            self.leaving[0].process.kill()

    def _reap(self, now: float) -> None:
        for left in self.leaving:
            if now >= left.deadline:
                left.process.kill()
        self.leaving = [left for left in self.leaving if left.process.poll() is None]

    def _plan_restart(self, part: Part, exit_code: int, now: float) -> None:
        part.deaths = 1 if now - part.started_at >= STABLE_SECONDS else part.deaths + 1
        delay = restart_delay_seconds(part.deaths)
        part.process = None
        part.is_ready = False
        part.restart_at = now + delay
        self.tell(PartDied(part.plan.name, exit_code, delay, part.plan.log))

    def _notice_ready(self, part: Part, now: float) -> None:
        if part.process is not None and not part.is_ready and part.plan.is_ready(part.process.pid):
            part.is_ready = part.was_ready = True
            self.tell(PartReady(part.plan.name, part.process.pid, now - part.started_at, part.starts - 1))

    def _pause(self, now: float) -> float:
        """Until the next thing to do: soon while a part is starting, else at its restart; children's deaths wake us."""
        if any(part.process is not None and not part.is_ready for part in self.parts):
            return TICK_SECONDS
        due = [part.restart_at for part in self.parts if part.process is None] + [
            left.deadline for left in self.leaving
        ]
        return min((at - now for at in due), default=60.0)
