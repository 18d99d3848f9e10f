"""Descriptions to the operations that a zone would save of them. Pure; `hoplon.service.operations` saves them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hoplon.errors import HoplonError
from hoplon.operations.description import read_description
from hoplon.operations.policy import SavedOperation, is_zone_host
from hoplon.operations.specification import OperationSpec
from hoplon.policy.zone import host_hint, is_host_pattern


@dataclass(frozen=True, slots=True)
class Import:
    """What descriptions say: operations that the zone has not, those that it has already, and what was left out."""

    new: tuple[SavedOperation, ...]
    known: tuple[SavedOperation, ...]
    notes: tuple[str, ...]

    @property
    def specs(self) -> tuple[OperationSpec, ...]:
        """What is to be saved; operations known already are asked for again."""
        return tuple(OperationSpec(each.method, each.host, each.path) for each in (*self.new, *self.known))


def plan_import(
    documents: Sequence[tuple[str, bytes]],
    zone_hosts: Sequence[str],
    saved_ids: Collection[str],
    host: str | None = None,
) -> Import:
    """What importing these documents (name and content) means for a zone with these hosts and saved operations.

    `host` stands in for the hosts of all servers. Raises `description.unreadable` or `.unsupported` for a document that
    is no OpenAPI 3, `description.empty` when nothing in them is for this zone, `usage` for a host that is none.
    """
    if host is not None and host != "*" and not is_host_pattern(host):
        raise HoplonError("usage", f"`{host}` is no host name", host_hint(host))
    read = [read_description(content, origin, host) for origin, content in documents]
    found = {each.id: each for description in read for each in description.operations}
    foreign = Counter(each.host for each in found.values() if not is_zone_host(each.host, zone_hosts))
    kept = sorted(each for each in found.values() if each.host not in foreign)
    if not kept:
        raise _empty(foreign, zone_hosts)
    notes = [note for description in read for note in description.notes]
    notes += [f"{_count(foreign[name])} on `{name}` left out: no host of this zone" for name in sorted(foreign)]
    return Import(
        tuple(each for each in kept if each.id not in saved_ids),
        tuple(each for each in kept if each.id in saved_ids),
        tuple(notes),
    )


def _empty(foreign: Counter[str], zone_hosts: Sequence[str]) -> HoplonError:
    if not foreign:
        return HoplonError("description.empty", "no operation is described", "it has `paths` with methods below them")
    hosts = ", ".join(f"`{name}`" for name in sorted(foreign)[:5])
    return HoplonError(
        "description.empty",
        f"{_count(foreign.total())} described, all on hosts that are none of this zone: {hosts}",
        f"`--host {zone_hosts[0]}`, or `--host '*'` for every host of the zone",
    )


def _count(number: int) -> str:
    return "1 operation" if number == 1 else f"{number} operations"
