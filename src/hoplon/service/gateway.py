"""What the running gateway says about itself, and waiting until it has taken a change.

The gateway writes `run/gateway.status.json` at every change and each second; its lock says whether it lives.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from hoplon.errors import Problem
from hoplon.model.mode import Mode
from hoplon.storage.locks import part_holder
from hoplon.storage.state import StateDirectory

STALE_SECONDS = 5.0
"""A status older than this says that the gateway hangs: it writes one each second."""
_POLL_SECONDS = 0.01

Outcome = Literal["taken", "refused", "not_running", "silent", "no_upstream"]


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """The gateway's own words. Members that a file lacks are None or empty."""

    pid: int | None
    bundle: str | None
    serving: str | None
    bundle_refused: str | None
    bundle_errors: tuple[Problem, ...]
    mode: str | None
    phase: str | None
    written_at: datetime
    records: dict[str, Any] = field(default_factory=dict)
    alerts: dict[str, str] = field(default_factory=dict)

    def age_seconds(self, now: datetime) -> float:
        return (now - self.written_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Whether the gateway has taken a change, after how many seconds, and why not."""

    outcome: Outcome
    seconds: float
    problems: tuple[Problem, ...] = ()


def gateway_status(state: StateDirectory) -> GatewayStatus | None:
    """The last status, None when there is none that can be read."""
    path = state.status("gateway")
    try:
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return _status(document, written_at) if isinstance(document, dict) else None


def await_bundle(state: StateDirectory, bundle: str | None, timeout_seconds: float = 5.0) -> Acknowledgement:
    """Wait until the gateway serves `bundle` or says why it does not. None: no zone has an upstream to be served."""
    if bundle is None:
        return Acknowledgement("no_upstream", 0.0)

    def answer(status: GatewayStatus) -> Outcome | None:
        if status.bundle == bundle:
            return "taken"
        return "refused" if status.bundle_refused == bundle else None

    return _await(state, answer, timeout_seconds)


def await_mode(state: StateDirectory, mode: Mode, timeout_seconds: float = 3.0) -> Acknowledgement:
    """Wait until the gateway acts in `mode`."""
    return _await(state, lambda status: "taken" if status.mode == mode else None, timeout_seconds)


def _await(
    state: StateDirectory, answer: Callable[[GatewayStatus], Outcome | None], timeout_seconds: float
) -> Acknowledgement:
    holder = part_holder(state, "gateway")
    if holder is None:
        return Acknowledgement("not_running", 0.0)
    began = time.monotonic()
    while (waited := time.monotonic() - began) < timeout_seconds:
        status = gateway_status(state)
        if status is not None and _is_of(status, holder) and (outcome := answer(status)):
            return Acknowledgement(outcome, waited, status.bundle_errors if outcome == "refused" else ())
        time.sleep(_POLL_SECONDS)
    return Acknowledgement("silent", timeout_seconds)


def _is_of(status: GatewayStatus, holder: int) -> bool:
    """Whether it is the word of the gateway that runs now, not what a dead one left behind."""
    return status.pid is None or holder in (0, status.pid)


def _status(document: dict[str, Any], written_at: datetime) -> GatewayStatus:
    errors = document.get("bundle_errors") or []
    return GatewayStatus(
        pid=document.get("pid"),
        bundle=document.get("bundle"),
        serving=document.get("serving"),
        bundle_refused=document.get("bundle_refused"),
        bundle_errors=tuple(Problem(str(error.get("path", "")), str(error.get("message", ""))) for error in errors),
        mode=document.get("mode"),
        phase=document.get("phase"),
        written_at=written_at,
        records=document.get("records") or {},
        alerts=document.get("alerts") or {},
    )
