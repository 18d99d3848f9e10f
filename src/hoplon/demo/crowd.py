"""Lets guests loose on the gateway, each on a thread of its own, repeating its script until the crowd is sent home.

Takes guests and a port, gives the exchanges so far.
"""

import random
import threading
from collections.abc import Iterable
from typing import Self

from hoplon.demo.visitor import Exchange, SentHomeError, Visitor
from hoplon.demo.visitors import Guest

THINK_SECONDS = (0.002, 0.03)


class Crowd:
    """Visitors at work. Use as a context manager: leaving it sends everybody home and waits for them."""

    def __init__(self, guests: Iterable[Guest], port: int, seed: int = 1) -> None:
        self._go_home = threading.Event()
        self._failures: list[Exception] = []
        self._visitors: list[Visitor] = []
        self._threads: list[threading.Thread] = []
        for number, guest in enumerate(guests):
            chance = random.Random(f"{seed}/{guest.who}")  # noqa: S311 - which tea somebody buys is no secret
            visitor = Visitor(guest.kind, guest.who, number, port, _Pause(self._go_home, chance))
            self._visitors.append(visitor)
            self._threads.append(threading.Thread(target=self._visit, args=(guest, visitor, chance), daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.send_home()

    def send_home(self) -> None:
        """Everybody stops before the next request."""
        self._go_home.set()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raise what went wrong in a script, if anything did."""
        if self._failures:
            raise self._failures[0]

    @property
    def exchanges(self) -> list[Exchange]:
        """Everything so far, in the order of sending."""
        everything = [exchange for visitor in self._visitors for exchange in tuple(visitor.exchanges)]
        return sorted(everything, key=lambda exchange: exchange.at)

    @property
    def visits(self) -> int:
        """How many whole visits everybody has made at least."""
        return min(visitor.visits for visitor in self._visitors)

    @property
    def size(self) -> int:
        """How many requests were answered so far."""
        return sum(len(visitor.exchanges) for visitor in self._visitors)

    def _visit(self, guest: Guest, visitor: Visitor, chance: random.Random) -> None:
        try:
            while True:
                guest.script(visitor, chance)
                visitor.visits += 1
        except SentHomeError:
            pass
        except Exception as error:  # noqa: BLE001 - raised again where the crowd is sent home
            self._failures.append(error)
        finally:
            visitor.close()


class _Pause:
    """The moment of thinking before a request, which ends at once when the crowd is sent home."""

    def __init__(self, go_home: threading.Event, chance: random.Random) -> None:
        self._go_home = go_home
        self._chance = chance

    def __call__(self) -> None:
        if self._go_home.wait(self._chance.uniform(*THINK_SECONDS)):
            raise SentHomeError
