"""`run/delivery.status.json`: what the following gateway last heard, for `hoplon doctor` and for people."""

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from hoplon.errors import HoplonError
from hoplon.storage.files import replace_file
from hoplon.storage.state import StateDirectory

PART = "delivery"


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """How following goes. Times are seconds since 1970; `heard_at` is the last answer, `error` why there is none since.

    `error_code` None means that all is well.
    """

    server: str
    pid: int
    heard_at: float | None = None
    tried_at: float | None = None
    bundle: str | None = None
    error_code: str | None = None
    error: str | None = None
    hint: str | None = None

    def silent_seconds(self, now: float) -> float | None:
        """How long ago the last answer came; None when there never was one."""
        return None if self.heard_at is None else now - self.heard_at

    def heard(self, bundle: str | None) -> "DeliveryStatus":
        """After an answer that was taken; `bundle` is in place now."""
        now = time.time()
        return DeliveryStatus(self.server, self.pid, heard_at=now, tried_at=now, bundle=bundle)

    def failed(self, error: HoplonError) -> "DeliveryStatus":
        """After an attempt that gave nothing."""
        now = time.time()
        return replace(self, tried_at=now, error_code=error.code, error=error.message, hint=error.hint)


def begin_status(state: StateDirectory, server: str, bundle: str | None) -> DeliveryStatus:
    """The status at a start: when the control plane was last heard is remembered from before."""
    before = read_status(state)
    heard_at = before.heard_at if before is not None and before.server == server else None
    return DeliveryStatus(server, os.getpid(), heard_at=heard_at, bundle=bundle)


def read_status(state: StateDirectory) -> DeliveryStatus | None:
    """The last status, None where no gateway has followed or it cannot be read."""
    try:
        document: Any = json.loads(state.status(PART).read_bytes())
        return DeliveryStatus(**document)
    except (OSError, ValueError, TypeError):
        return None


def write_status(state: StateDirectory, status: DeliveryStatus) -> None:
    """Make `status` what others read."""
    replace_file(state.status(PART), json.dumps(asdict(status)).encode())
