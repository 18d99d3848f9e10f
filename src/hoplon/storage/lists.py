"""Lists, their items and what was changed in bulk, in the database. Takes and gives nouns of `model.lists`."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from hoplon.model.lists import BulkOperation, ItemSearch, ListItem, StoredItem, ValueList
from hoplon.storage.tables import list_bulk_operations, list_items, lists

KEPT_OPERATIONS = 1_000
"""So many bulk operations of a list can be looked up; older ones are forgotten."""
_CHUNK = 500
"""Values of one `IN`: databases bound how many a statement may have."""


def all_lists(connection: Connection, list_id: str | None = None) -> list[ValueList]:
    """Every list (or the one with this id), by name, with the number of its items."""
    counted = select(list_items.c.list_id, func.count().label("item_count")).group_by(list_items.c.list_id)
    if list_id is not None:
        counted = counted.where(list_items.c.list_id == list_id)
    counts = counted.subquery()
    query = select(lists, func.coalesce(counts.c.item_count, 0).label("item_count")).outerjoin(
        counts, counts.c.list_id == lists.c.id
    )
    if list_id is not None:
        query = query.where(lists.c.id == list_id)
    return [_list(row) for row in connection.execute(query.order_by(lists.c.name))]


def stamps(connection: Connection) -> dict[str, tuple[str, str, datetime]]:
    """Id, kind and last change of every list by its name: what of it is the same has the same items."""
    query = select(lists.c.name, lists.c.id, lists.c.kind, lists.c.modified_on)
    return {row.name: (row.id, row.kind, row.modified_on) for row in connection.execute(query)}


def values_of(connection: Connection, list_id: str) -> list[Any]:
    """The values of all items of a list, in the order of their keys."""
    query = select(list_items.c.value).where(list_items.c.list_id == list_id).order_by(list_items.c.key)
    return [json.loads(value) for value in connection.execute(query).scalars()]


def add_list(connection: Connection, account_id: str, added: ValueList) -> None:
    """Create an empty list; its id and its name must be free."""
    connection.execute(
        insert(lists).values(
            id=added.id,
            account_id=account_id,
            kind=added.kind,
            name=added.name,
            description=added.description,
            created_on=added.created_on,
            modified_on=added.modified_on,
        )
    )


def change_list(connection: Connection, list_id: str, now: datetime, description: str | None = None) -> None:
    """Note that a list was changed, and its new description if there is one."""
    values: dict[str, Any] = {"modified_on": now}
    if description is not None:
        values["description"] = description
    connection.execute(update(lists).where(lists.c.id == list_id).values(values))


def remove_list(connection: Connection, list_id: str) -> None:
    """Delete a list with its items and its bulk operations."""
    connection.execute(delete(lists).where(lists.c.id == list_id))


def items_after(
    connection: Connection, list_id: str, position: str, limit: int, search: ItemSearch | None = None
) -> list[StoredItem]:
    """The first `limit` items that are found and whose key is greater than `position`, in the order of their keys."""
    query = select(list_items).where(list_items.c.list_id == list_id, list_items.c.key > position)
    if search is not None:
        query = query.where(_found(search))
    return [_item(row) for row in connection.execute(query.order_by(list_items.c.key).limit(limit))]


def item_of(connection: Connection, list_id: str, item_id: str) -> StoredItem | None:
    """One item of a list by its id."""
    query = select(list_items).where(list_items.c.list_id == list_id, list_items.c.id == item_id)
    row = connection.execute(query).first()
    return None if row is None else _item(row)


def item_ids(connection: Connection, list_id: str) -> dict[str, str]:
    """The id of every item of a list by its key."""
    query = select(list_items.c.key, list_items.c.id).where(list_items.c.list_id == list_id)
    return {row.key: row.id for row in connection.execute(query)}


def item_ids_of(connection: Connection, list_id: str, keys: Sequence[str]) -> dict[str, str]:
    """The ids of those of these keys that are in a list, by key."""
    query = select(list_items.c.key, list_items.c.id).where(list_items.c.list_id == list_id)
    return {
        row.key: row.id
        for chunk in _chunks(keys)
        for row in connection.execute(query.where(list_items.c.key.in_(chunk)))
    }


def known_items(connection: Connection, list_id: str, ids: Sequence[str]) -> set[str]:
    """Those of these ids that are of items in a list."""
    query = select(list_items.c.list_id, list_items.c.id)
    return {
        row.id
        for chunk in _chunks(ids)
        for row in connection.execute(query.where(list_items.c.id.in_(chunk)))
        if row.list_id == list_id
    }


def put_items(
    connection: Connection, list_id: str, items: Sequence[ListItem], known: dict[str, str], now: datetime
) -> None:
    """Add items; one that is there (`known`: what `item_ids` gives) keeps its id and gets the new value and comment."""
    rows = [_values(list_id, item, now) for item in items]
    added = [{"id": uuid4().hex, "created_on": now, **row} for row in rows if row["key"] not in known]
    changed = [{"item_id": known[row["key"]], **row} for row in rows if row["key"] in known]
    if added:
        connection.execute(insert(list_items), added)
    if changed:
        columns: dict[str, Any] = {name: bindparam(name) for name in ("value", "comment", "modified_on")}
        connection.execute(update(list_items).where(list_items.c.id == bindparam("item_id")).values(columns), changed)


def remove_items(connection: Connection, ids: Collection[str]) -> None:
    """Delete the items with these ids. By the id alone: with the list's as well, SQLite walks the whole list."""
    for chunk in _chunks(list(ids)):
        connection.execute(delete(list_items).where(list_items.c.id.in_(chunk)))


def add_bulk_operation(connection: Connection, operation: BulkOperation) -> None:
    """Keep what became of a bulk operation, and forget the oldest ones of its list."""
    table = list_bulk_operations
    connection.execute(
        insert(table).values(
            id=operation.id,
            list_id=operation.list_id,
            status=operation.status,
            completed=operation.completed,
            error=operation.error,
        )
    )
    recent = select(table.c.id).where(table.c.list_id == operation.list_id).order_by(table.c.completed.desc())
    old = recent.offset(KEPT_OPERATIONS).limit(KEPT_OPERATIONS)
    connection.execute(delete(table).where(table.c.id.in_(old)))


def bulk_operation(connection: Connection, operation_id: str) -> BulkOperation | None:
    """What became of a bulk operation, by its id."""
    row = connection.execute(select(list_bulk_operations).where(list_bulk_operations.c.id == operation_id)).first()
    return None if row is None else BulkOperation(row.id, row.list_id, row.completed, row.error)


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _found(search: ItemSearch) -> ColumnElement[bool]:
    key = list_items.c.key
    if search.how == "exact":
        return key == search.text
    if search.how == "prefix":
        return key.startswith(search.text, autoescape=True)
    return key.contains(search.text, autoescape=True)


def _values(list_id: str, item: ListItem, now: datetime) -> dict[str, Any]:
    value = json.dumps(item.value, ensure_ascii=False, sort_keys=True)
    return {"list_id": list_id, "key": item.key, "value": value, "comment": item.comment, "modified_on": now}


def _list(row: Row[Any]) -> ValueList:
    return ValueList(
        row.id, row.kind, row.name, row.description, row.created_on, row.modified_on, item_count=row.item_count
    )


def _item(row: Row[Any]) -> StoredItem:
    item = ListItem(json.loads(row.value), row.key, row.comment)
    return StoredItem(row.id, item, row.created_on, row.modified_on)
