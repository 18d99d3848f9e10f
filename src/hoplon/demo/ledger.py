"""What the demo's clients got before and after the change of policy, and whether that is what was promised. Pure.

Takes `Exchange`s and two moments, gives rows to show and the promises that were broken.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hoplon.demo.visitor import Exchange
from hoplon.demo.visitors import CURIOUS, PROBES

SHOP_ERRORS = range(500, 600)
CONTRAST_PATHS = (*(probe.partition("?")[0] for probe in PROBES), "/v1/orders/{id}", "/orders/{id}")


@dataclass(frozen=True, slots=True)
class Contrast:
    """The statuses that one kind of request got before and after; `is_unknown` when no saved operation is behind it."""

    name: str
    before: Counter[int]
    after: Counter[int]
    is_unknown: bool


@dataclass(frozen=True, slots=True)
class Service:
    """How honest visitors fared: requests, answered by the shop (its 4xx included), blocked, failed (lost or 5xx)."""

    requests: int
    answered: int
    blocked: int
    failed: int


def honest(exchanges: Iterable[Exchange]) -> Service:
    """Everybody but the curious one."""
    theirs = [exchange for exchange in exchanges if exchange.kind != CURIOUS]
    blocked = sum(exchange.is_blocked for exchange in theirs)
    failed = sum(_is_failure(exchange) for exchange in theirs)
    return Service(len(theirs), len(theirs) - blocked - failed, blocked, failed)


def contrasts(before: Iterable[Exchange], after: Iterable[Exchange]) -> list[Contrast]:
    """The curious one's requests, path by path."""
    counts = [_statuses(exchanges) for exchanges in (before, after)]
    return [
        Contrast(f"GET {path}", counts[0].get(path, Counter()), counts[1].get(path, Counter()), path != "/orders/{id}")
        for path in CONTRAST_PATHS
    ]


def is_complete(exchanges: Iterable[Exchange]) -> bool:
    """Whether the curious one has tried every kind of request at least once."""
    return set(CONTRAST_PATHS) <= _statuses(exchanges).keys()


def broken_promises(before: list[Exchange], after: list[Exchange]) -> list[str]:
    """What should hold and does not: honest visitors unharmed, unknown operations open before and blocked after."""
    broken = []
    for name, exchanges in (("before", before), ("after", after)):
        service = honest(exchanges)
        if not service.requests:
            broken.append(f"no honest request {name} the change")
        if service.blocked or service.failed:
            broken.append(
                f"{name} the change, {service.blocked} honest requests were blocked and {service.failed} failed"
            )
    for contrast in contrasts(before, after):
        if contrast.is_unknown and (not contrast.before or any(_is_block(status) for status in contrast.before)):
            broken.append(f"{contrast.name} was not open before the change: {dict(contrast.before)}")
        if contrast.is_unknown and set(contrast.after) != {403}:
            broken.append(f"{contrast.name} was not always blocked after the change: {dict(contrast.after)}")
    return broken


def first_blocked(exchanges: Iterable[Exchange]) -> Exchange | None:
    """The first request that Hoplon answered with a block."""
    return next((exchange for exchange in exchanges if exchange.is_blocked and exchange.request_id), None)


def _statuses(exchanges: Iterable[Exchange]) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {}
    for exchange in exchanges:
        if exchange.kind == CURIOUS:
            path = re.sub(r"/\d+$", "/{id}", exchange.path.partition("?")[0])
            found.setdefault(path, Counter())[exchange.status] += 1
    return found


def _is_failure(exchange: Exchange) -> bool:
    return exchange.status == 0 or exchange.status in SHOP_ERRORS


def _is_block(status: int) -> bool:
    return status == 403
