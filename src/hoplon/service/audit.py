"""The audit log as its readers see it: pages, a cursor, an export, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hoplon.model.audit import AuditFault, AuditFilter, AuditRecord
from hoplon.model.page import Page
from hoplon.service.workspace import Workspace
from hoplon.storage.audit import (
    FIRST_HASH,
    audit_faults,
    audit_hash_of,
    audit_head,
    audit_records,
    count_audit,
)
from hoplon.storage.database import reading
from hoplon.storage.policies import all_zones

_SHOWN_FAULTS = 20
_EXPORTED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Whether the log is whole: the first faults, and the newest entry.

    Who keeps `hash` elsewhere can later ask whether the log still holds what it held then (`verify_audit` with
    `known`): cutting off its end, or writing all of it anew, leaves no other trace.
    """

    entries: int
    hash: str
    faults: tuple[AuditFault, ...]


def list_audit(workspace: Workspace, wanted: AuditFilter, page: int = 1, per_page: int = 50) -> Page[AuditRecord]:
    """One page of the entries that are asked for."""
    with reading(workspace.database) as connection:
        found = audit_records(connection, wanted, limit=per_page, offset=(page - 1) * per_page)
        return Page(found, page, per_page, count_audit(connection, wanted))


def audit_after(
    workspace: Workspace, wanted: AuditFilter, beyond: int | None, limit: int
) -> tuple[list[AuditRecord], int | None]:
    """Entries after the one numbered `beyond`, and the number to go on from; None when these are the last."""
    with reading(workspace.database) as connection:
        found = audit_records(connection, wanted, limit=limit + 1, beyond=beyond)
    return found[:limit], found[limit - 1].sequence if len(found) > limit else None


def export_audit(workspace: Workspace, wanted: AuditFilter) -> Iterator[AuditRecord]:
    """Every entry that is asked for, oldest first; read in pieces, so that no reader holds the database for long."""
    ordered, beyond = replace(wanted, direction="asc"), None
    while True:
        found, beyond = audit_after(workspace, ordered, beyond, _EXPORTED_AT_ONCE)
        yield from found
        if beyond is None:
            return


def verify_audit(workspace: Workspace, known: tuple[int, str] | None = None) -> AuditReport:
    """Check every hash. `known` is a number and a hash noted earlier: the log must still hold that entry."""
    with reading(workspace.database) as connection:
        entries, newest = audit_head(connection)
        faults = []
        for fault in audit_faults(connection):
            faults.append(fault)
            if len(faults) == _SHOWN_FAULTS:
                break
        if known is not None and (audit_hash_of(connection, known[0]) or FIRST_HASH) != known[1]:
            faults.append(AuditFault(known[0], "it is not the entry whose hash was noted"))
    return AuditReport(entries, newest, tuple(faults))


def zone_names(workspace: Workspace) -> dict[str, str]:
    """The names of the zones that there are now, by id; the log outlives them."""
    with reading(workspace.database) as connection:
        return {zone.id: zone.name for zone in all_zones(connection)}
