"""Lists of the account: made, filled, searched and deleted. They belong to no zone, so to no policy version either.

A change of items is done when its answer is given; what became of it stays to be looked up, as at Cloudflare. What is
wrong with a body is an error at once; what only the stored list can tell fails the bulk operation.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from hoplon.errors import HoplonError, Problem
from hoplon.model.actor import Actor
from hoplon.model.audit import AuditEntry
from hoplon.model.lists import BulkOperation, Kind, ListItem, StoredItem, ValueList
from hoplon.rules.list_items import read_items, search_of
from hoplon.service.rule_lists import lists_in_use, references
from hoplon.service.workspace import Workspace
from hoplon.storage import audit, policies
from hoplon.storage import lists as store
from hoplon.storage.database import reading, transaction

MAX_LISTS = 1_000
MAX_ITEMS = 100_000
"""Items of one list."""
MAX_DESCRIPTION = 500
_NAME = re.compile(r"[a-z0-9_]{1,50}")


def all_lists(workspace: Workspace) -> list[ValueList]:
    """Every list, by name."""
    with reading(workspace.database) as connection:
        return _counted(connection, store.all_lists(connection))


def get_list(workspace: Workspace, list_id: str) -> ValueList:
    """One list. Raises `list.unknown`."""
    with reading(workspace.database) as connection:
        return _counted(connection, [_the_list(connection, list_id)])[0]


def create_list(workspace: Workspace, actor: Actor, kind: Kind, name: str, description: str = "") -> ValueList:
    """An empty list. Raises `list.invalid`, `list.exists`, `list.too_many`."""
    _check_name(name)
    _check_description(description)
    now = datetime.now(UTC)
    added = ValueList(uuid4().hex, kind, name, description, now, now)
    with transaction(workspace.database) as connection:
        existing = store.all_lists(connection)
        if any(each.name == name for each in existing):
            raise HoplonError("list.exists", f"there already is a list `{name}`", None, (Problem("name", "is taken"),))
        if len(existing) >= MAX_LISTS:
            raise HoplonError("list.too_many", f"there are {MAX_LISTS} lists, more are not possible")
        store.add_list(connection, policies.the_account(connection).id, added)
        _audit(connection, actor, "create", added, kind=kind, name=name)
    return added


def describe_list(workspace: Workspace, actor: Actor, list_id: str, description: str | None) -> ValueList:
    """Give a list another description; with None nothing is changed. Raises `list.unknown`, `list.invalid`."""
    if description is None:
        return get_list(workspace, list_id)
    _check_description(description)
    now = datetime.now(UTC)
    with transaction(workspace.database) as connection:
        old = _counted(connection, [_the_list(connection, list_id)])[0]
        store.change_list(connection, list_id, now, description)
        _audit(connection, actor, "update", old, name=old.name, description=description)
    return replace(old, description=description, modified_on=now)


def delete_list(workspace: Workspace, actor: Actor, list_id: str) -> None:
    """Delete a list and its items. Raises `list.unknown`, `list.in_use`."""
    with transaction(workspace.database) as connection:
        old = _the_list(connection, list_id)
        if old.name in lists_in_use(connection):
            message = f"rules name the list `${old.name}`; nothing was changed"
            raise HoplonError("list.in_use", message, "change those rules first")
        store.remove_list(connection, list_id)
        _audit(connection, actor, "delete", old, name=old.name, items=old.item_count)


def search_items(
    workspace: Workspace, list_id: str, search: str | None, position: str, per_page: int
) -> tuple[Kind, list[StoredItem], str | None]:
    """The list's kind, one page of items behind `position` (empty: the first), and the position behind it or None.

    `search` is what an address begins with, what a host name or redirect contains, or an ASN. Raises `list.unknown`.
    """
    with reading(workspace.database) as connection:
        kind = _the_list(connection, list_id).kind
        found = search_of(kind, search) if search else None
        items = store.items_after(connection, list_id, position, per_page + 1, found)
    page = items[:per_page]
    return kind, page, page[-1].item.key if len(items) > per_page else None


def get_item(workspace: Workspace, list_id: str, item_id: str) -> tuple[Kind, StoredItem]:
    """The list's kind and one item. Raises `list.unknown`, `list.item_unknown`."""
    with reading(workspace.database) as connection:
        kind = _the_list(connection, list_id).kind
        item = store.item_of(connection, list_id, item_id)
    if item is None:
        raise HoplonError("list.item_unknown", f"the list has no item `{item_id}`")
    return kind, item


def append_items(workspace: Workspace, actor: Actor, list_id: str, given: Sequence[Any]) -> BulkOperation:
    """Add items; one that is already there gets the new comment. Raises `list.unknown`, `list.invalid`."""
    items = _read(get_list(workspace, list_id).kind, given)
    with transaction(workspace.database) as connection:
        target = _the_list(connection, list_id)
        known = store.item_ids_of(connection, list_id, [item.key for item in items])
        count = target.item_count + len(items) - len(known)
        done = _put(connection, actor, "append_items", target, items, known, count)
    _let_rules_know(workspace, target)
    return done


def replace_items(workspace: Workspace, actor: Actor, list_id: str, given: Sequence[Any]) -> BulkOperation:
    """Make these the only items; one that was there keeps its id. Raises `list.unknown`, `list.invalid`."""
    items = _read(get_list(workspace, list_id).kind, given)
    with transaction(workspace.database) as connection:
        target = _the_list(connection, list_id)
        known = store.item_ids(connection, list_id)
        if len(items) <= MAX_ITEMS:
            kept = {item.key for item in items}
            store.remove_items(connection, [known[key] for key in known if key not in kept])
        done = _put(connection, actor, "replace_items", target, items, known, len(items))
    _let_rules_know(workspace, target)
    return done


def remove_items(workspace: Workspace, actor: Actor, list_id: str, ids: Sequence[str]) -> BulkOperation:
    """Remove the items with these ids; none removes nothing. Raises `list.unknown`, `list.item_unknown`."""
    with transaction(workspace.database) as connection:
        target = _the_list(connection, list_id)
        known = store.known_items(connection, list_id, ids)
        unknown = tuple(
            Problem(f"items[{index}].id", f"the list has no item `{item_id}`")
            for index, item_id in enumerate(ids)
            if item_id not in known
        )
        if unknown:
            raise HoplonError("list.item_unknown", "some items are not in the list; nothing was changed", None, unknown)
        store.remove_items(connection, ids)
        done = _done(connection, actor, "remove_items", target, len(set(ids)))
    _let_rules_know(workspace, target)
    return done


def get_bulk_operation(workspace: Workspace, operation_id: str) -> BulkOperation:
    """What became of a bulk operation. Raises `list.operation_unknown`."""
    with reading(workspace.database) as connection:
        operation = store.bulk_operation(connection, operation_id)
    if operation is None:
        raise HoplonError("list.operation_unknown", f"there is no bulk operation `{operation_id}`")
    return operation


def _put(
    connection: Connection,
    actor: Actor,
    action: str,
    target: ValueList,
    items: Sequence[ListItem],
    known: dict[str, str],
    count: int,
) -> BulkOperation:
    """Write items unless the list would then hold too many."""
    if count > MAX_ITEMS:
        error = f"the list would hold {count} items, at most {MAX_ITEMS} are possible; nothing was changed"
        return _done(connection, actor, action, target, 0, error)
    store.put_items(connection, target.id, items, known, datetime.now(UTC))
    return _done(connection, actor, action, target, len(items))


def _done(
    connection: Connection, actor: Actor, action: str, target: ValueList, count: int, error: str | None = None
) -> BulkOperation:
    now = datetime.now(UTC)
    operation = BulkOperation(uuid4().hex, target.id, now, error)
    store.add_bulk_operation(connection, operation)
    if error is None and (count or target.item_count):
        store.change_list(connection, target.id, now)
    details = {"name": target.name, "items": count, "operation_id": operation.id}
    _audit(connection, actor, action, target, **details, **({"error": error} if error else {}))
    return operation


def _the_list(connection: Connection, list_id: str) -> ValueList:
    found = store.all_lists(connection, list_id)
    if not found:
        raise HoplonError("list.unknown", f"there is no list `{list_id}`")
    return found[0]


def _read(kind: Kind, given: Sequence[Any]) -> list[ListItem]:
    """The items of a body. A list's kind never changes, so nobody has to wait while they are read."""
    items, problems = read_items(kind, given)
    if problems:
        raise HoplonError("list.invalid", "some items cannot be taken; nothing was changed", None, tuple(problems))
    return items


def _let_rules_know(workspace: Workspace, target: ValueList) -> None:
    """Where a rule names the list, its items are in the bundle: the gateways get them as they are now."""
    with reading(workspace.database) as connection:
        is_named = target.name in references(connection)
    if is_named:
        workspace.assembler.request()


def _counted(connection: Connection, lists: Sequence[ValueList]) -> list[ValueList]:
    """Lists with the number of rules that name them."""
    counts = references(connection)
    return [replace(each, reference_count=counts.get(each.name, 0)) for each in lists]


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        problem = Problem("name", "1 to 50 of a-z, 0-9 and `_`", "rules refer to the list as `$name`")
        raise HoplonError("list.invalid", "the list cannot have that name", None, (problem,))


def _check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION:
        problem = Problem("description", f"has at most {MAX_DESCRIPTION} characters")
        raise HoplonError("list.invalid", "the description is too long", None, (problem,))


def _audit(connection: Connection, actor: Actor, action: str, target: ValueList, **details: Any) -> None:
    audit.append(connection, AuditEntry(actor, action, "list", target.id, details=details))
