"""Saved operations: looked through, saved and removed, one or thousands at once. Each change is one transaction, in
which everything is checked: all of it happens or nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hoplon.errors import HoplonError, Problem
from hoplon.model.actor import Actor
from hoplon.model.operation import Operation, OperationFilter, OperationOrder
from hoplon.model.page import Page
from hoplon.operations.export import csv_text, openapi_documents
from hoplon.operations.policy import MAX_OPERATIONS, OperationsPolicy, SavedOperation
from hoplon.operations.specification import OperationSpec, check_specs, read_spec
from hoplon.service.agreement import disagreements
from hoplon.service.changes import ZoneChange, changing_zone, check_written, known_zone
from hoplon.service.features import FEATURES
from hoplon.service.stores import load_policy, new_operation
from hoplon.service.workspace import Workspace
from hoplon.storage import labels, policies
from hoplon.storage import operations as rows
from hoplon.storage.database import reading
from hoplon.storage.operation_pages import count_page, read_page

AUDITED = 100
"""So many operations of one change are named in the audit log; of the rest the number."""
_NAMING = ("rules", "limits", "tokens")
"""The tables that name operations, and are no labels, which are detached."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a zone's operations, and the zone's version."""

    page: Page[Operation]
    version: int


@dataclass(frozen=True, slots=True)
class Found:
    """One operation, and the zone's version."""

    operation: Operation
    version: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What was asked to be saved, in that order; how many of them are new; the zone's version now."""

    operations: tuple[Operation, ...]
    added: int
    version: int


def list_operations(
    workspace: Workspace,
    zone_id: str,
    wanted: OperationFilter,
    page: int = 1,
    per_page: int = 20,
    order: OperationOrder = "host",
    is_descending: bool = False,
) -> Listing:
    """One page of the operations that `wanted` takes. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        total = workspace.totals.of(zone, wanted, lambda: count_page(connection, zone_id, wanted))
        offset = (page - 1) * per_page
        limit = max(0, min(per_page, total - offset))
        if offset <= total // 2:
            found = read_page(connection, zone_id, wanted, order, is_descending, offset, limit)
        else:  # nearer from the other end: what comes before a page is walked over, not jumped
            behind = max(0, total - offset - limit)
            found = read_page(connection, zone_id, wanted, order, not is_descending, behind, limit)[::-1]
    return Listing(Page(found, page, per_page, total), zone.version)


def all_operations(workspace: Workspace, zone_id: str, hosts: Collection[str] = ()) -> list[Operation]:
    """Every operation of a zone, of these hosts only where some are named. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        known_zone(connection, zone_id)
        found = rows.at_version(connection, zone_id)
    return [each for each in found if not hosts or each.host in hosts]


def get_operation(workspace: Workspace, zone_id: str, operation_id: str) -> Found:
    """One operation. Raises `zone.unknown`, `operation.unknown`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        found = rows.by_ids(connection, zone_id, [operation_id])
    if operation_id not in found:
        raise HoplonError("operation.unknown", f"there is no operation `{operation_id}`")
    return Found(found[operation_id], zone.version)


def add_operations(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    specs: Sequence[OperationSpec],
    if_match: int | None = None,
    path: str = "[{}]",
) -> Saved:
    """Save operations. One that is saved already is given back as it is, with a new `last_updated`.

    `path` says where the spec with a number stands in what the caller wrote. Raises `operation.invalid` with every
    problem, `operation.too_many`, `zone.unknown`, `precondition.failed`.
    """
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        wanted = _read(specs, change, path)
        known = rows.by_ids(change.connection, zone_id, {each.id for each in wanted})
        added = {each.id: each for each in wanted if each.id not in known}
        rows.touch(change.connection, zone_id, known, change.now)
        change.keeps_rows = bool(known)
        saved = {key: replace(each, last_updated=change.now) for key, each in known.items()}
        if added:
            saved.update({each.id: each for each in _insert(workspace, change, list(added.values()))})
        version = change.new_version if added else change.old_version
    return Saved(tuple(saved[each.id] for each in wanted), len(added), version)


def remove_operations(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    ids: Sequence[str],
    if_match: int | None = None,
    path: str = "[{}].operation_id",
) -> int:
    """Remove operations; gives the zone's version.

    Raises `operation.unknown` for ids that are none, `operation.last` where the zone would block everything then,
    `operation.in_use` where another table names one, `zone.unknown`, `precondition.failed`.
    """
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        known = rows.by_ids(change.connection, zone_id, set(ids))
        if unknown := [index for index, each in enumerate(ids) if each not in known]:
            raise _unknown([ids[index] for index in unknown], [path.format(index) for index in unknown])
        if not known:
            return change.old_version
        rows.close_operations(change.connection, zone_id, change.new_version, known)
        _detach_labels(change, known)
        _check_some_left(change)
        _check_unnamed(change)
        change.describe(*(f"removes operation {_words(each)}" for each in known.values()))
        _audit(change, "delete", list(known.values()))
        return change.new_version


def export_openapi(workspace: Workspace, zone_id: str, hosts: Collection[str] = ()) -> list[dict[str, Any]]:
    """The operations as OpenAPI documents, one for each host. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        title = known_zone(connection, zone_id).name
    return openapi_documents(all_operations(workspace, zone_id, hosts), title)


def export_csv(workspace: Workspace, zone_id: str, hosts: Collection[str] = ()) -> str:
    """The operations as CSV. Raises `zone.unknown`."""
    return csv_text(all_operations(workspace, zone_id, hosts))


def _read(specs: Sequence[OperationSpec], change: ZoneChange, path: str) -> list[SavedOperation]:
    zone = change.load_zone()
    if problems := check_specs(specs, zone, path):
        raise HoplonError("operation.invalid", "nothing was saved", None, tuple(problems))
    return [read_spec(spec, zone) for spec in specs]


def _insert(workspace: Workspace, change: ZoneChange, added: Sequence[SavedOperation]) -> list[Operation]:
    """Save what is new, once the engine has seen it; gives what is stored."""
    total = rows.count(change.connection, change.zone_id) + len(added)
    if total > MAX_OPERATIONS:
        raise HoplonError(
            "operation.too_many",
            f"a zone has at most {MAX_OPERATIONS} operations, these would make {total}",
            "use variables where paths differ in values only",
        )
    check_written(workspace, change.load_zone(), {"operations": OperationsPolicy("none", tuple(added))})
    stored = [new_operation(each, change.now) for each in added]
    rows.insert_operations(change.connection, change.zone_id, change.new_version, stored)
    change.describe(*(f"saves operation {each}" for each in added))
    _audit(change, "create", stored)
    return stored


def _detach_labels(change: ZoneChange, ids: Collection[str]) -> None:
    """What is removed carries no label any more: saved again it begins without."""
    attached = labels.attachments_of(change.connection, change.zone_id, ids)
    labels.detach(change.connection, change.zone_id, change.new_version, attached)


def _check_some_left(change: ZoneChange) -> None:
    """A zone that blocks what matches no operation must have one, as in a policy document."""
    is_blocking = policies.read_table(change.connection, change.zone_id, "operations").get("fallthrough") == "block"
    if is_blocking and not rows.count(change.connection, change.zone_id):
        raise HoplonError(
            "operation.last",
            "these are the last saved operations, and the zone blocks whatever matches none; nothing was removed",
            "set `operations.fallthrough` to `log` or `none` first",
        )


def _check_unnamed(change: ZoneChange) -> None:
    """What names operations would be about nothing, or no policy any more. Most zones have nothing that could."""
    tables = [each for each in FEATURES if each.name in _NAMING]
    if all(change.load(each.name) == each.read(each.table()) for each in tables):
        return
    if problems := disagreements(load_policy(change.connection, change.zone_id)):
        message = "what names the operation would name nothing; nothing was changed"
        raise HoplonError("operation.in_use", message, "change that first", tuple(problems))


def _audit(change: ZoneChange, action: str, changed: Sequence[Operation]) -> None:
    """One entry for one change; the resource is the operation, or the zone where there are several."""
    if len(changed) == 1:
        change.audit(action, "operation", changed[0].id, {"operation": _words(changed[0])})
        return
    named = [_words(each) for each in changed[:AUDITED]]
    change.audit(action, "operations", change.zone_id, {"count": len(changed), "operations": named})


def _words(operation: Operation) -> str:
    return str(SavedOperation(operation.host, operation.path, operation.method))


def _unknown(ids: Sequence[str], paths: Sequence[str]) -> HoplonError:
    problems = tuple(
        Problem(path, f"there is no operation `{unknown}`") for unknown, path in zip(ids, paths, strict=True)
    )
    return HoplonError("operation.unknown", "nothing was removed", None, problems)
