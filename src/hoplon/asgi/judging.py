"""What holds for every transaction of a Shield: its fail mode, what is counted and logged at its end."""

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from hoplon._native import Exchange
from hoplon.asgi.settings import Clock, Counts, FailMode, Mode, OnEnd

if TYPE_CHECKING:
    from hoplon._native import Inspection

_log = logging.getLogger("hoplon.asgi")


class Judging:
    """One transaction's account. `has_failed`: the engine could not judge it, and it is closed on that."""

    __slots__ = (
        *("answered", "has_failed", "is_request_complete", "request_bytes", "response_bytes", "status", "upgraded"),
        *("_clock", "_counts", "_fail", "_is_ended", "_mode", "_on_end"),
    )

    def __init__(self, mode: Mode, fail: FailMode, counts: Counts, clock: Clock, on_end: OnEnd | None) -> None:
        self.status = 0
        self.answered: int | None = None
        self.request_bytes = 0
        self.response_bytes = 0
        self.is_request_complete = False
        self.upgraded = False
        self.has_failed = False
        self._mode = mode
        self._fail = fail
        self._counts = counts
        self._clock = clock
        self._on_end = on_end
        self._is_ended = False

    def step(self, step: Callable[[], str]) -> str:
        """The engine's word; when it fails, `pass` or `stop` as the fail mode says."""
        try:
            return step()
        except Exception:  # noqa: BLE001 - logged and counted there; an application must not fall with its shield
            return "pass" if self.passes_failed() else "stop"

    def passes_failed(self) -> bool:
        """Called while an exception of the engine is handled: whether the request goes on.

        Only in `enforce` can it be stopped: the other modes never touch traffic.
        """
        is_open = self._fail == "open" or self._mode != "enforce"
        if is_open:
            self._counts.failed_open += 1
        else:
            self._counts.failed_closed += 1
            self.has_failed = True
        _log.exception("the engine could not judge a request; it is %s", "let through" if is_open else "stopped")
        return is_open

    def end(self, exchange: Exchange) -> None:
        """Count and log it, once. Nothing that fails here reaches the application."""
        if self._is_ended:
            return
        self._is_ended = True
        try:
            action = exchange.action
            ended = exchange.end(
                self._clock(),
                status=self.status,
                answered=self.answered,
                request_bytes=self.request_bytes,
                response_bytes=self.response_bytes,
                is_request_complete=self.is_request_complete,
                upgraded=self.upgraded,
                describe=action != "allow" or self._on_end is not None,
            )
            if ended is not None:
                self._tell(ended)
        except Exception:  # noqa: BLE001 - as above; `on_end` is the application's own
            _log.exception("the end of a request could not be written down")

    def _tell(self, ended: "Inspection") -> None:
        match ended["action"]:
            case "block":
                self._counts.blocked += 1
            case "refuse":
                self._counts.refused += 1
            case "log":
                self._counts.logged += 1
        if ended["action"] != "allow":
            _log.log(logging.INFO if ended["action"] == "log" else logging.WARNING, "%s", decision_line(ended))
        if self._on_end is not None:
            self._on_end(ended)


def decision_line(ended: "Inspection") -> str:
    """One JSON object on one line, without anything secret: paths are redacted, evidence is kinds and lengths."""
    record = ended["record"]
    line = {
        name: record[name] for name in ("id", "zone", "method", "host", "path", "operation_path", "session", "client")
    }
    line |= {"status": record["status"], "action": ended["action"], "rule": ended["rule"], "bundle": record["bundle"]}
    line["violations"] = [{"code": each["code"], "location": each["location"]} for each in ended["violations"]]
    return json.dumps(line, ensure_ascii=False)
