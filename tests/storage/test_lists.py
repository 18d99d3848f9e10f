"""Lists in the database: many items at once, pages by position, and bulk operations that are forgotten in time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hoplon.model.lists import BulkOperation, ItemSearch, ListItem, ValueList
from hoplon.storage import lists
from hoplon.storage.database import open_database, transaction
from hoplon.storage.policies import the_account

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ONE, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A transaction in a database that holds two empty lists."""
    database = open_database(tmp_path / "hoplon.db")
    with transaction(database) as connection:
        for list_id in (ONE, OTHER):
            added = ValueList(list_id, "asn", f"list_{list_id[0]}", "", NOW, NOW)
            lists.add_list(connection, the_account(connection).id, added)
        yield connection
    database.dispose()


def put(connection: Connection, list_id: str, count: int) -> dict[str, str]:
    items = [ListItem(number, f"{number:05}") for number in range(count)]
    lists.put_items(connection, list_id, items, lists.item_ids(connection, list_id), NOW)
    return lists.item_ids(connection, list_id)


def test_more_items_than_a_statement_takes(connection: Connection) -> None:
    ids = put(connection, ONE, 1_234)
    put(connection, OTHER, 3)
    assert [each.item_count for each in lists.all_lists(connection)] == [1_234, 3]
    assert lists.item_ids_of(connection, ONE, [*ids, "none"]) == ids
    assert lists.known_items(connection, ONE, [*ids.values(), "none"]) == set(ids.values())
    assert lists.known_items(connection, OTHER, list(ids.values())) == set()
    lists.remove_items(connection, list(ids.values())[:1_200])
    assert [each.item_count for each in lists.all_lists(connection)] == [34, 3]


def test_pages_follow_the_keys(connection: Connection) -> None:
    put(connection, ONE, 20)
    put(connection, OTHER, 20)
    page = lists.items_after(connection, ONE, "00004", 3)
    assert [each.item.value for each in page] == [5, 6, 7]
    found = lists.items_after(connection, ONE, "", 100, ItemSearch("prefix", "0001"))
    assert [each.item.value for each in found] == list(range(10, 20))
    assert lists.items_after(connection, ONE, "", 100, ItemSearch("part", "%")) == []


def test_a_list_takes_everything_of_its_own_along(connection: Connection) -> None:
    put(connection, ONE, 2)
    kept = put(connection, OTHER, 2)
    lists.add_bulk_operation(connection, BulkOperation("a", ONE, NOW))
    lists.remove_list(connection, ONE)
    assert [each.id for each in lists.all_lists(connection)] == [OTHER]
    assert lists.item_ids(connection, ONE) == {}
    assert lists.item_ids(connection, OTHER) == kept
    assert lists.bulk_operation(connection, "a") is None


def test_the_oldest_bulk_operations_of_a_list_are_forgotten(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "KEPT_OPERATIONS", 3)
    lists.add_bulk_operation(connection, BulkOperation("other", OTHER, NOW - timedelta(days=1)))
    for number in range(5):
        error = "too long" if number == 4 else None
        lists.add_bulk_operation(connection, BulkOperation(str(number), ONE, NOW + timedelta(seconds=number), error))
    found = [lists.bulk_operation(connection, name) for name in ("0", "1", "2", "3", "4", "other")]
    assert [each and each.status for each in found] == [None, None, "completed", "completed", "failed", "completed"]
