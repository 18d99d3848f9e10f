"""When each token was used last: noted in memory, written in one transaction at most once a minute, off the requests.

Only a token that exists is noted, so there are no more entries than tokens. A write that fails is tried a minute later.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from hoplon.errors import HoplonError
from hoplon.service.workspace import Workspace
from hoplon.storage.database import transaction
from hoplon.storage.tokens import note_uses

WRITE_SECONDS = 60.0


class TokenUses:
    """Notes uses; safe from several threads."""

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._clock = clock
        self._uses: dict[str, datetime] = {}
        self._due = clock()
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "token-uses")

    def note(self, token_id: str, moment: datetime) -> None:
        """Note one use. The first one after a pause starts a write, in a thread of its own."""
        with self._lock:
            self._uses[token_id] = moment
            is_due = self._clock() >= self._due
            if is_due:
                self._due = self._clock() + WRITE_SECONDS
        if is_due:
            self._writer.submit(self._write)

    def close(self) -> None:
        """Write what is left."""
        self._writer.submit(self._write)
        self._writer.shutdown()

    def _write(self) -> None:
        with self._lock:
            uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            with transaction(self._workspace.database) as connection:
                note_uses(connection, uses)
        except HoplonError:
            with self._lock:
                self._uses = {**uses, **self._uses}
