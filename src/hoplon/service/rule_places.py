"""Where rules stand among each other: numbers with gaps, so that adding or moving one writes one row.

Pure: takes the places that rules have in their new order, gives places that rise.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

GAP = 2**20
_MAX = 2**62


def places(present: Sequence[int | None]) -> list[int]:
    """Rising places for rules in their order. `present` are those they have, None for a new rule.

    As many as possible keep theirs (a longest rising subsequence); where a gap is too small, all get new ones.
    """
    kept = _rising(present)
    bounds = [-1, *sorted(kept), len(present)]
    found: list[int] = []
    for left, right in pairwise(bounds):
        if left >= 0:
            found.append(kept[left])
        between = _spread(kept.get(left), kept.get(right), right - left - 1)
        if between is None:
            return [GAP * (index + 1) for index in range(len(present))]
        found += between
    return found


def _spread(low: int | None, high: int | None, count: int) -> list[int] | None:
    """So many places between two (None: open), None when they do not fit."""
    if low is None:
        low = 0 if high is None else high - GAP * (count + 1)
    if high is None:
        high = low + GAP * (count + 1)
    step = (high - low) // (count + 1)
    if step == 0 or max(abs(low), abs(high)) > _MAX:
        return [] if count == 0 else None
    return [low + step * (index + 1) for index in range(count)]


def _rising(present: Sequence[int | None]) -> dict[int, int]:
    """A longest rising subsequence: index to place."""
    tails: list[int] = []
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for index, place in enumerate(present):
        if place is None:
            continue
        length = bisect_left(tails, place)
        before[index] = ends[length - 1] if length else None
        tails[length : length + 1] = [place]
        ends[length : length + 1] = [index]
    kept: dict[int, int] = {}
    at: int | None = ends[-1] if ends else None
    while at is not None:
        kept[at] = present[at] or 0
        at = before[at]
    return kept
