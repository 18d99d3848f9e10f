"""How many operations a filter takes, kept while the zone does not change: counting costs more than reading a page."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from hoplon.model.operation import OperationFilter
from hoplon.model.zone import Zone

KEPT = 256
"""So many totals are kept; the one asked for longest ago is forgotten first."""


class Totals:
    """Totals by zone, at its version, and filter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Zone, OperationFilter], int] = OrderedDict()

    def of(self, zone: Zone, wanted: OperationFilter, count: Callable[[], int]) -> int:
        """The total; `count` finds it where it is not kept. A Zone says its version and when that was committed."""
        key = (zone, wanted)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        total = count()
        with self._lock:
            self._kept[key] = total
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return total
