"""What a supervisor is given, and what it tells: plans of parts, and events about them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PartPlan:
    """How one part is run.

    `is_ready(pid)` says whether the process has begun its work. When an `essential` part ends before it ever was
    ready, everything stops with its exit code: its error is one of set-up, which a restart does not mend.
    `succession(pid)` tells the running process that a successor comes and gives the successor's command; without it, a
    restart stops the part and starts it again. `hidden_variables` of the environment do not reach it.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    is_ready: Callable[[int], bool]
    stop_seconds: float
    fds: tuple[int, ...] = ()
    is_essential: bool = False
    hidden_variables: tuple[str, ...] = ()
    succession: Callable[[int], tuple[str, ...]] | None = None


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
class PartReplaced:
    """A successor works; the process before ends what it has under way."""

    name: str
    old_pid: int
    pid: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SuccessorFailed:
    """A successor did not begin its work (`exit_code` None: not in time); the process before goes on."""

    name: str
    exit_code: int | None
    log: Path


@dataclass(frozen=True, slots=True)
class Restarted:
    """A restart is done; `failed` names the parts whose process before goes on."""

    failed: tuple[str, ...]


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


Event = PartReady | PartDied | PartReplaced | SuccessorFailed | Restarted | Stopping | PartStopped
Tell = Callable[[Event], None]
