"""Whose hosts a zone may take: hosts that are new to it and those of the other zones in, or an error.

The more precise host wins a request. So who may change one zone only must not add a host that another zone answers.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from hoplon.errors import HoplonError, Problem
from hoplon.operations.policy import is_zone_host
from hoplon.service import stores
from hoplon.storage import policies

MayTakeFrom = Callable[[str], bool]
"""Whether somebody may take hosts over from the zone with this id."""


def from_all(zone_id: str) -> bool:
    """The answer for who may change every zone."""
    return True


def check_claims(connection: Connection, zone_id: str, hosts: Sequence[str], may_take_from: MayTakeFrom) -> None:
    """Raise `zone.overlap` for a host that is new to the zone while another one answers it from which the caller may
    not take it."""
    tables = policies.read_tables(connection, stores.ZONE)
    own = tables[zone_id]["hosts"]
    fixed = [table["hosts"] for other, table in tables.items() if other != zone_id and not may_take_from(other)]
    taken = [host for host in hosts if host not in own and any(_would_lose(others, host, own) for others in fixed)]
    if taken:
        hint = "who may change both zones can do that"
        problems = tuple(Problem("zone.hosts", f"`{host}` is answered by another zone", hint) for host in taken)
        raise HoplonError("zone.overlap", "the zone would take hosts from another one", hint, problems)


def _would_lose(others: Sequence[str], host: str, own: Sequence[str]) -> bool:
    """Whether requests to `host` may go to the zone with the hosts `others` now: a zone without any takes what is left,
    but not what the zone's own hosts cover already."""
    return is_zone_host(host, others) if others else not _covers(own, host)


def _covers(hosts: Sequence[str], host: str) -> bool:
    """Whether every name that fits `host` fits one of `hosts` (none: any host)."""
    labels = host.split(".")
    return not hosts or any(
        len(given) == len(labels)
        and all(one == other or one.startswith("{") for one, other in zip(given, labels, strict=True))
        for given in (each.split(".") for each in hosts)
    )
