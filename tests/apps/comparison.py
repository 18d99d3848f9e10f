"""Two runs of the same client side by side, and what Hoplon wrote down of the second. Pure.

Takes exchanges and records, gives the differences as sentences; none means that the gateway changed nothing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from apps.descriptions import Description
from apps.tap import Exchange

Seen = Counter[tuple[str, str, int]]

# What a proxy adds to every response, and what only says how the connection is kept (RFC 9110, 7.6.1).
OWN_HEADERS = frozenset({"hoplon-request-id"})
CONNECTION_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave: the driver's lines with what is random masked, its exit codes, and the exchanges."""

    lines: Counter[str]
    exit_codes: tuple[int, ...]
    exchanges: tuple[Exchange, ...]


def seen_of(description: Description, triples: Iterable[tuple[str, str, int]]) -> Seen:
    """How often each (method, path template, status) came, from (method, target, status)."""
    seen: Seen = Counter()
    for method, target, status in triples:
        operation = description.operation_of(method, target)
        seen[method, operation.template if operation else target.partition("?")[0], status] += 1
    return seen


def exchanges_seen(description: Description, run: Run) -> Seen:
    return seen_of(description, ((exchange.method, exchange.target, exchange.status) for exchange in run.exchanges))


def differences(before: Seen, after: Seen) -> list[str]:
    """The triples whose counts differ."""
    return [
        f"{triple[0]} {triple[1]} {triple[2]}: {before[triple]} before, {after[triple]} after"
        for triple in sorted(before.keys() | after.keys())
        if before[triple] != after[triple]
    ]


def line_differences(direct: Run, through: Run) -> list[str]:
    found = [f"only direct: {line}" for line in (direct.lines - through.lines).elements()]
    found += [f"only through the gateway: {line}" for line in (through.lines - direct.lines).elements()]
    if direct.exit_codes != through.exit_codes:
        found.append(f"exit codes {direct.exit_codes} direct, {through.exit_codes} through the gateway")
    return found


def header_differences(description: Description, direct: Run, through: Run) -> list[str]:
    """Response headers and content types that one run has for an operation and status, and the other never."""
    before, after = _headers(description, direct), _headers(description, through)
    found = []
    for triple in sorted(before.keys() & after.keys()):
        changed = sorted((before[triple] ^ after[triple]) - OWN_HEADERS - CONNECTION_HEADERS)
        if changed:
            found.append(f"{triple[0]} {triple[1]} {triple[2]}: {', '.join(changed)}")
    return found


def _headers(description: Description, run: Run) -> dict[tuple[str, str, int], set[str]]:
    found: dict[tuple[str, str, int], set[str]] = {}
    for exchange in run.exchanges:
        [triple] = seen_of(description, [(exchange.method, exchange.target, exchange.status)])
        found.setdefault(triple, set()).update(exchange.header_names, {f"content-type: {exchange.content_type}"})
    return found
