"""Keeps key sets fresh: looks which are due, asks their servers, and puts new keys in place.

Whatever happens, the last good keys stay.
"""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from hoplon.errors import HoplonError
from hoplon.model.key_sets import KeySet
from hoplon.service.jwks.document import read_key_set
from hoplon.service.jwks.fetch import Fetcher
from hoplon.service.jwks.schedule import after_failure, after_success
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage.database import reading, transaction
from hoplon.storage.key_sets import all_key_sets, store_key_set
from hoplon.storage.state import StateDirectory

LOOK_SECONDS = 1.0
AT_ONCE = 8
Say = Callable[[str, str], None]
"""What failed, and how: for the worker's log and status."""


class Refresher:
    """Keeps the key sets of one installation fresh."""

    def __init__(
        self,
        workspace: Workspace,
        fetcher: Fetcher,
        say: Say,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._workspace = workspace
        self._fetcher = fetcher
        self._say = say
        self._now, self._chance = now, chance

    def look(self) -> int:
        """Fetch what is due; how many there were. Raises an error of the store, or of putting the bundle in place."""
        now = self._now()
        with reading(self._workspace.database) as connection:
            due = [each for each in all_key_sets(connection) if each.due_at <= now]
        if not due:
            return 0
        with ThreadPoolExecutor(min(AT_ONCE, len(due))) as pool:
            tried = list(pool.map(self._try, due))
        with transaction(self._workspace.database) as connection:
            stored = [each for each in tried if store_key_set(connection, each)]
        if any(after.keys != before.keys for after, before in zip(tried, due, strict=True) if after in stored):
            self._workspace.assembler.settle()
        return len(due)

    def _try(self, before: KeySet) -> KeySet:
        """The key set after one more attempt. Raises nothing."""
        try:
            answer = self._fetcher.fetch(before.url)
            taken = read_key_set(answer.content)
        except HoplonError as error:
            if before.failures == 0:
                self._say("keys", f"{before.configuration_id}: {before.url}: {error.message}")
            return after_failure(before, error, self._now(), self._chance)
        except Exception as error:  # noqa: BLE001 - whatever a server makes of it, the others' keys are fetched
            broken = HoplonError("jwks.unreachable", f"asking for it failed: {type(error).__name__}")
            self._say("keys", f"{before.configuration_id}: {before.url}: {type(error).__name__}: {error}")
            return after_failure(before, broken, self._now(), self._chance)
        return after_success(before, taken, answer.holds_seconds, self._now(), self._chance)


def refresh_until(state: StateDirectory, fetcher: Fetcher, say: Say, stop: threading.Event) -> None:
    """Look again and again until `stop`. Raises an error of the store, or of putting the bundle in place."""
    with open_workspace(state.root) as workspace:
        workspace.assembler.settle()
        refresher = Refresher(workspace, fetcher, say)
        while not stop.wait(LOOK_SECONDS):
            refresher.look()
