"""A queue of threads: each gets its turn in the order of its coming. A lock may pass one over for ever."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class TurnTimeoutError(Exception):
    """The turn did not come in time."""


class Turns:
    """One at a time, first come first served."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def taken(self, timeout_seconds: float) -> Iterator[None]:
        """The turn, until the block ends. Raises TurnTimeoutError when it does not come within `timeout_seconds`."""
        turn = threading.Event()
        with self._guard:
            self._waiting.append(turn)
            if self._waiting[0] is turn:
                turn.set()
        try:
            if not turn.wait(timeout_seconds):
                raise TurnTimeoutError
            yield
        finally:
            self._leave(turn)

    def _leave(self, turn: threading.Event) -> None:
        with self._guard:
            self._waiting.remove(turn)
            if self._waiting:
                self._waiting[0].set()
