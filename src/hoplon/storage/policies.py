"""Zones and their policy versions in the database. Takes and gives texts; what a document means is not known here."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from hoplon.model.versions import PolicyVersion
from hoplon.storage.database import policy_versions, zones


def current_versions(connection: Connection) -> list[PolicyVersion]:
    """The newest version of every zone, in the order in which the zones were created."""
    newest = (
        select(policy_versions.c.zone_id, func.max(policy_versions.c.version).label("version"))
        .group_by(policy_versions.c.zone_id)
        .subquery()
    )
    query = _versions().join(
        newest, (newest.c.zone_id == policy_versions.c.zone_id) & (newest.c.version == policy_versions.c.version)
    )
    return [_version(row) for row in connection.execute(query.order_by(zones.c.created_at, zones.c.id))]


def versions_of(connection: Connection, zone_id: str, limit: int) -> list[PolicyVersion]:
    """The last `limit` versions of one zone, newest first."""
    query = _versions().where(policy_versions.c.zone_id == zone_id).order_by(policy_versions.c.version.desc())
    return [_version(row) for row in connection.execute(query.limit(limit))]


def add_zone(connection: Connection, zone_id: str, name: str, now: datetime) -> None:
    """Create a zone; its id is 32 hexadecimal digits."""
    connection.execute(insert(zones).values(id=zone_id, name=name, created_at=now))


def rename_zone(connection: Connection, zone_id: str, name: str) -> None:
    connection.execute(update(zones).where(zones.c.id == zone_id).values(name=name))


def add_version(
    connection: Connection,
    zone_id: str,
    version: int,
    committed_at: datetime,
    author: str,
    document: str,
    changes: Sequence[str],
    bundle: str,
) -> None:
    """Commit one version of a zone's policy."""
    connection.execute(
        insert(policy_versions).values(
            zone_id=zone_id,
            version=version,
            committed_at=committed_at,
            author=author,
            document=document,
            changes=json.dumps(list(changes), ensure_ascii=False),
            bundle=bundle,
        )
    )


def _versions() -> Select[Any]:
    return select(policy_versions, zones.c.name.label("zone_name")).join(zones, zones.c.id == policy_versions.c.zone_id)


def _version(row: Row[Any]) -> PolicyVersion:
    return PolicyVersion(
        zone_id=row.zone_id,
        zone_name=row.zone_name,
        version=row.version,
        committed_at=row.committed_at,
        author=row.author,
        document=row.document,
        changes=tuple(json.loads(row.changes)),
        bundle=row.bundle,
    )
