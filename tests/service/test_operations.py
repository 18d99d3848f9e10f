"""Saved operations at the service: pages that fit together, changes that happen wholly or not at all."""

from itertools import chain

import pytest

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.audit import AuditFilter
from hoplon.model.operation import Operation, OperationFilter, OperationOrder
from hoplon.operations.specification import OperationSpec
from hoplon.service import operations as service
from hoplon.service.operations import add_operations, all_operations, list_operations, remove_operations
from hoplon.service.policy import create_first_zone, find_zone, policy_history
from hoplon.service.workspace import Workspace
from hoplon.storage.audit import audit_records
from hoplon.storage.database import reading

TESTER = Actor("user", "tester", "tester")
EVERYTHING = OperationFilter()


@pytest.fixture
def zone_id(workspace: Workspace) -> str:
    create_first_zone(workspace, "http://127.0.0.1:9")
    return find_zone(workspace, None).zone_id


def specs(*endpoints: str, method: str = "GET", host: str = "*") -> list[OperationSpec]:
    return [OperationSpec(method, host, endpoint) for endpoint in endpoints]


def key(operation: Operation, order: OperationOrder) -> tuple[str, ...]:
    members = operation.method, operation.host, operation.template
    return {
        "method": members,
        "host": (members[1], members[2], members[0]),
        "endpoint": (members[2], members[0], members[1]),
    }[order]


@pytest.mark.parametrize("order", ["method", "host", "endpoint"])
@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("per_page", [5, 7, 50])
def test_pages_put_together_are_the_whole_in_order(
    workspace: Workspace, zone_id: str, order: OperationOrder, is_descending: bool, per_page: int
) -> None:
    wanted = [
        OperationSpec(method, host, f"/{name}/{{id}}")
        for method in ("GET", "PUT")
        for host in ("*", "b.example", "a.example")
        for name in ("x", "y", "z", "w")
    ]
    add_operations(workspace, TESTER, zone_id, wanted)
    pages = [
        list_operations(workspace, zone_id, EVERYTHING, page, per_page, order, is_descending).page
        for page in range(1, 24 // per_page + 3)
    ]
    together = list(chain.from_iterable(page.items for page in pages))
    whole = all_operations(workspace, zone_id)
    assert together == sorted(whole, key=lambda each: key(each, order), reverse=is_descending)
    assert {page.total for page in pages} == {24}
    assert pages[-1].items == []


def test_totals_follow_every_change(workspace: Workspace, zone_id: str) -> None:
    only_a = OperationFilter(endpoint="/a")

    def totals() -> tuple[int, int]:
        return tuple(list_operations(workspace, zone_id, each).page.total for each in (EVERYTHING, only_a))  # type: ignore[return-value]

    assert totals() == (0, 0)
    saved = add_operations(workspace, TESTER, zone_id, specs("/a", "/b"))
    assert totals() == totals() == (2, 1)
    remove_operations(workspace, TESTER, zone_id, [saved.operations[0].id])
    assert totals() == (1, 0)


def test_a_change_is_one_version_with_its_sentences_and_one_entry_of_the_audit_log(
    workspace: Workspace, zone_id: str
) -> None:
    saved = add_operations(workspace, TESTER, zone_id, specs(*(f"/{number}" for number in range(150))))
    assert (saved.added, saved.version) == (150, 2)
    newest = policy_history(workspace)[0]
    assert newest.version == 2
    assert newest.changes[-1] == "and 50 more"
    with reading(workspace.database) as connection:
        (entry,) = audit_records(connection, AuditFilter(), limit=1)
    assert (entry.action, entry.resource_type, entry.details["count"]) == ("create", "operations", 150)
    assert len(entry.details["operations"]) == service.AUDITED


def test_saving_what_is_saved_makes_no_version_but_moves_last_updated(workspace: Workspace, zone_id: str) -> None:
    first = add_operations(workspace, TESTER, zone_id, specs("/users/{id}"))
    again = add_operations(workspace, TESTER, zone_id, specs("/users/{uid}", "/new"))
    third = add_operations(workspace, TESTER, zone_id, specs("/users/{uid}"))
    assert [each.added for each in (first, again, third)] == [1, 1, 0]
    assert [each.version for each in (first, again, third)] == [2, 3, 3]
    (stored,) = [each for each in all_operations(workspace, zone_id) if each.template == "/users/{var1}"]
    assert stored == third.operations[0]
    assert stored.path == "/users/{id}"
    assert stored.created_at == first.operations[0].created_at < stored.last_updated


def test_a_zone_has_a_bound(workspace: Workspace, zone_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_OPERATIONS", 3)
    add_operations(workspace, TESTER, zone_id, specs("/a", "/b"))
    with pytest.raises(HoplonError, match="at most 3") as raised:
        add_operations(workspace, TESTER, zone_id, specs("/a", "/c", "/d"))
    assert raised.value.code == "operation.too_many"
    assert len(all_operations(workspace, zone_id)) == 2


def test_what_the_engine_refuses_is_not_saved(workspace: Workspace, zone_id: str) -> None:
    refusing = Workspace(workspace.state, workspace.database, lambda manifest, parts: [("operations[0]", "no")])
    with pytest.raises(HoplonError) as raised:
        add_operations(refusing, TESTER, zone_id, specs("/a"))
    assert raised.value.code == "policy.invalid"
    assert all_operations(workspace, zone_id) == []
