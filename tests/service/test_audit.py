"""The audit log as it is read: pages, export, and whether it is whole."""

import pytest

from hoplon.model.actor import Actor
from hoplon.model.audit import AuditEntry, AuditFilter
from hoplon.service import audit as service
from hoplon.service.audit import audit_after, export_audit, list_audit, verify_audit
from hoplon.service.workspace import Workspace
from hoplon.storage.audit import append
from hoplon.storage.database import transaction


def write(workspace: Workspace, count: int) -> None:
    with transaction(workspace.database) as connection:
        for number in range(count):
            append(connection, AuditEntry(Actor("user", "a", "a"), "create", "zone", str(number)))


def test_pages_and_cursor_walk_the_same_entries(workspace: Workspace) -> None:
    write(workspace, 7)
    pages = [each.sequence for page in (1, 2, 3, 4) for each in list_audit(workspace, AuditFilter(), page, 3).items]
    walked, beyond = [], None
    while True:
        found, beyond = audit_after(workspace, AuditFilter(), beyond, 3)
        walked += [each.sequence for each in found]
        if beyond is None:
            break
    assert pages == walked == [7, 6, 5, 4, 3, 2, 1]
    assert list_audit(workspace, AuditFilter(), 2, 3).total == 7


def test_an_export_has_every_entry_oldest_first(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_EXPORTED_AT_ONCE", 2)
    write(workspace, 5)
    assert [each.sequence for each in export_audit(workspace, AuditFilter())] == [1, 2, 3, 4, 5]


def test_a_hash_noted_earlier_shows_what_was_cut_off(workspace: Workspace) -> None:
    write(workspace, 3)
    noted = verify_audit(workspace)
    assert (noted.entries, noted.faults) == (3, ())
    write(workspace, 1)
    assert verify_audit(workspace, (noted.entries, noted.hash)).faults == ()
    assert verify_audit(workspace, (9, noted.hash)).faults[0].sequence == 9
    assert verify_audit(workspace, (2, noted.hash)).faults[0].sequence == 2
