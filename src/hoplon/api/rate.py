"""How often: one bounded counter per token, or per address of those who come without a valid one.

The generic cell rate algorithm (ITU-T I.371): one moment per key, no timer, and no more than `capacity` keys. What is
forgotten is what has not been seen for longest, and then only lets that one through sooner.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address

from hoplon.model.api_token import parse_client

BURST_SECONDS = 10.0
"""After a pause, so many seconds' worth of requests may come at once."""
_IPV6_PREFIX_BITS = 64
"""What one subscriber is given at least (RFC 6177): within it addresses cost nothing."""


class RateLimiter:
    """Lets through `per_minute` requests of each key, evenly but for bursts. Safe to use from several threads."""

    def __init__(self, per_minute: int, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_seconds = 60.0 / per_minute
        self._tolerance_seconds = max(BURST_SECONDS, self._interval_seconds)
        self._capacity = capacity
        self._clock = clock
        self._due: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def wait_seconds(self, key: str) -> float:
        """0 when this one may pass, and it is counted; else for how long the next cannot."""
        with self._lock:
            now = self._clock()
            due = max(self._due.get(key, now), now) + self._interval_seconds
            wait = due - now - self._tolerance_seconds
            if wait > 1e-9:
                return wait
            self._due[key] = due
            self._due.move_to_end(key)
            if len(self._due) > self._capacity:
                self._due.popitem(last=False)
            return 0.0

    def __len__(self) -> int:
        return len(self._due)


def address_key(address: str) -> str:
    """Whom an address counts for: itself, or with IPv6 its /64."""
    found = parse_client(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Address(int(found) >> _IPV6_PREFIX_BITS << _IPV6_PREFIX_BITS))
    return address if found is None else str(found)
