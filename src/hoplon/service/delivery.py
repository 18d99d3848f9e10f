"""What the control plane offers its gateways, and waiting for it to change. The other end is `hoplon.delivery`.

It looks at the files of the state directory, not at the database: the mode and a change by the command line in another
process are seen alike. One task looks for all who wait; a waiter costs no thread.
"""

import asyncio
import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoplon.errors import HoplonError
from hoplon.model.mode import Mode
from hoplon.storage.bundles import read_generation, read_mode
from hoplon.storage.state import StateDirectory

LOOK_SECONDS = 0.05
MAX_WAIT_SECONDS = 60.0
MAX_WAITING = 700
"""So many gateways may wait at once, half as many with one credential; one more is told to come back. Other callers
need connections too."""


@dataclass(frozen=True, slots=True)
class CurrentBundle:
    """What gateways shall serve now; `manifest` is the bytes that `bundle` is the hash of."""

    bundle: str | None
    mode: Mode
    generation: int
    manifest: bytes | None

    def as_json(self, after: str) -> dict[str, Any]:
        """The offer to a gateway that has the bundle `after`: the manifest only when it has another."""
        manifest = self.manifest.decode() if self.manifest is not None and self.bundle != after else None
        return {"bundle": self.bundle, "mode": self.mode, "generation": self.generation, "manifest": manifest}

    def is_news_to(self, after: str, mode: str) -> bool:
        """Whether a gateway that has the bundle `after` and acts in `mode` must change anything."""
        return (self.bundle is not None and self.bundle != after) or self.mode != mode


class Offers:
    """The current bundle of one state directory, for many waiters of one event loop."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._seen: tuple[object, ...] | None = None
        self._current = CurrentBundle(None, Mode.ENFORCE, 0, None)
        self._waiting: Counter[str] = Counter()
        self._is_closed = False
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    def now(self) -> CurrentBundle:
        """What is in place. Cheap as long as nothing has changed; whoever notices a change wakes all who wait."""
        seen = tuple(_identity(path) for path in (self._state.current, self._state.mode, self._state.generation))
        if seen != self._seen:
            self._current, self._seen = _read(self._state, self._current), seen
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
        return self._current

    async def after(self, bundle: str, mode: str, wait_seconds: float, credential: str = "") -> CurrentBundle | None:
        """What is news to a gateway that has `bundle` and acts in `mode`; None when nothing is for `wait_seconds`.

        Raises `delivery.busy` when too many wait already: those of one credential never take more places than they
        leave free, so that one in wrong hands does not keep the others from their bundles.
        """
        if (current := self.now()).is_news_to(bundle, mode):
            return current
        if self._waiting[credential] >= MAX_WAITING - self._waiting.total():
            raise HoplonError("delivery.busy", "too many gateways wait already", "come back in a while")
        self._waiting[credential] += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(min(wait_seconds, MAX_WAIT_SECONDS)):
                while not self._is_closed and not self._current.is_news_to(bundle, mode):
                    await self._changed.wait()
            return self._current if self._current.is_news_to(bundle, mode) else None
        except TimeoutError:
            return None
        finally:
            self._waiting[credential] -= 1
            if not self._waiting[credential]:
                del self._waiting[credential]

    def close(self) -> None:
        """Let everybody go who waits: the process ends."""
        self._is_closed = True
        self._changed.set()

    async def _look(self) -> None:
        """Look for all, as long as somebody waits."""
        while self._waiting and not self._is_closed:
            await asyncio.sleep(LOOK_SECONDS)
            self.now()


def _read(state: StateDirectory, before: CurrentBundle) -> CurrentBundle:
    """What the files say; a mode that cannot be read leaves the one before, as in the gateway."""
    try:
        manifest = state.current.read_bytes()
    except OSError:
        manifest = None
    try:
        mode = read_mode(state)
    except HoplonError:
        mode = before.mode
    bundle = hashlib.sha256(manifest).hexdigest() if manifest is not None else None
    return CurrentBundle(bundle, mode, read_generation(state), manifest)


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Changes whenever the file is replaced or written."""
    try:
        found = os.stat(path)  # noqa: PTH116  called many times a second
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
