"""Fetched keys in the database: one row for each token configuration that has a URL."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from hoplon.model.key_sets import Jwk, KeySet
from hoplon.storage.tables import key_sets

Fetched = Mapping[str, Mapping[str, tuple[Jwk, ...]]]
"""Zone and configuration to the last good keys."""


def all_key_sets(connection: Connection, zone_id: str | None = None) -> list[KeySet]:
    """Every key set, or those of one zone."""
    query = select(key_sets).order_by(key_sets.c.zone_id, key_sets.c.configuration_id)
    if zone_id is not None:
        query = query.where(key_sets.c.zone_id == zone_id)
    return [_key_set(row) for row in connection.execute(query)]


def fetched_keys(connection: Connection) -> Fetched:
    """What a bundle needs of them."""
    found: dict[str, dict[str, tuple[Jwk, ...]]] = {}
    for each in all_key_sets(connection):
        found.setdefault(each.zone_id, {})[each.configuration_id] = each.keys or ()
    return found


def sync_key_sets(connection: Connection, zone_id: str, urls: Mapping[str, str], now: datetime) -> None:
    """Keep a row for each of these configurations and URLs, and no other; a new URL begins without keys, and is due."""
    known = {each.configuration_id: each.url for each in all_key_sets(connection, zone_id)}
    for configuration_id, url in known.items():
        if urls.get(configuration_id) != url:
            connection.execute(delete(key_sets).where(_is(zone_id, configuration_id)))
    for configuration_id, url in urls.items():
        if known.get(configuration_id) != url:
            row = {"zone_id": zone_id, "configuration_id": configuration_id, "url": url}
            connection.execute(insert(key_sets).values(**row, notes="[]", due_at=now, failures=0))


def store_key_set(connection: Connection, fetched: KeySet) -> bool:
    """Note how an attempt went; False when the configuration has gone, or has another URL, meanwhile."""
    values = {
        "keys": None if fetched.keys is None else json.dumps([dict(key) for key in fetched.keys], sort_keys=True),
        "notes": json.dumps(list(fetched.notes)),
        "changed_at": fetched.changed_at,
        "fetched_at": fetched.fetched_at,
        "tried_at": fetched.tried_at,
        "due_at": fetched.due_at,
        "failures": fetched.failures,
        "error": fetched.error,
    }
    mine = _is(fetched.zone_id, fetched.configuration_id) & (key_sets.c.url == fetched.url)
    return bool(connection.execute(update(key_sets).where(mine).values(values)).rowcount)


def make_due(connection: Connection, zone_id: str, configuration_id: str, now: datetime) -> None:
    """Have the keys fetched at the next look."""
    connection.execute(update(key_sets).where(_is(zone_id, configuration_id)).values(due_at=now))


def _is(zone_id: str, configuration_id: str) -> Any:
    return (key_sets.c.zone_id == zone_id) & (key_sets.c.configuration_id == configuration_id)


def _key_set(row: Row[Any]) -> KeySet:
    return KeySet(
        zone_id=row.zone_id,
        configuration_id=row.configuration_id,
        url=row.url,
        keys=None if row.keys is None else tuple(json.loads(row.keys)),
        notes=tuple(json.loads(row.notes)),
        changed_at=row.changed_at,
        fetched_at=row.fetched_at,
        tried_at=row.tried_at,
        due_at=row.due_at,
        failures=row.failures,
        error=row.error,
    )
