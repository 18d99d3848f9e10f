"""Keeps the parts of `hoplon up` running: takes plans, spawns, restarts with back-off, replaces, stops, tells events.

One thread, no fork after threads: children are spawned by `subprocess` in groups of their own, so that a Ctrl-C reaches
the supervisor alone and it stops them in order. It must not know what the parts do.
"""

from hoplon.supervisor.plan import (
    Event,
    PartDied,
    PartPlan,
    PartReady,
    PartReplaced,
    PartStopped,
    Restarted,
    Stopping,
    SuccessorFailed,
)
from hoplon.supervisor.signals import RESTART_SIGNAL
from hoplon.supervisor.watch import Ended, Running, restart_delay_seconds, supervise

__all__ = [
    "RESTART_SIGNAL",
    "Ended",
    "Event",
    "PartDied",
    "PartPlan",
    "PartReady",
    "PartReplaced",
    "PartStopped",
    "Restarted",
    "Running",
    "Stopping",
    "SuccessorFailed",
    "restart_delay_seconds",
    "supervise",
]
