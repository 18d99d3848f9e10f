"""Zones, their policy versions and the JSON tables of their policy. What a table means is not known here."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    bindparam,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from hoplon.model.versions import PolicyVersion
from hoplon.model.zone import Account, Zone
from hoplon.storage.tables import accounts, policy_tables, policy_versions, zones

KEPT_SENTENCES = 100
"""So many sentences of one version's changes are kept; of the rest the number."""


_ZONE_BY_ID = select(zones).where(zones.c.id == bindparam("zone"))
"""Nearly every request asks it; made once, it costs half as much."""


def in_version(table: Table, version: int | None) -> ColumnElement[bool]:
    """The condition for the rows of one version, or of the newest when it is None."""
    if version is None:
        return table.c.last_version.is_(None)
    return (table.c.first_version <= version) & or_(table.c.last_version.is_(None), table.c.last_version >= version)


def the_account(connection: Connection) -> Account:
    """The one account; the migration that made its table made it too."""
    row = connection.execute(select(accounts).order_by(accounts.c.created_at).limit(1)).one()
    return Account(**row._mapping)


def all_zones(connection: Connection) -> list[Zone]:
    """Every zone in the order of creation."""
    return [_zone(row) for row in connection.execute(select(zones).order_by(zones.c.created_at, zones.c.id))]


def zone_by_id(connection: Connection, zone_id: str) -> Zone | None:
    row = connection.execute(_ZONE_BY_ID, {"zone": zone_id}).first()
    return None if row is None else _zone(row)


def zone_by_name(connection: Connection, name: str) -> Zone | None:
    row = connection.execute(select(zones).where(zones.c.name == name)).first()
    return None if row is None else _zone(row)


def add_zone(connection: Connection, zone_id: str, name: str, now: datetime) -> None:
    """Create a zone at version 1; its id is 32 hexadecimal digits."""
    account_id = the_account(connection).id
    values = {"id": zone_id, "account_id": account_id, "name": name, "created_at": now, "modified_at": now}
    connection.execute(insert(zones).values(**values, version=1))


def update_zone(connection: Connection, zone_id: str, name: str, version: int, now: datetime) -> None:
    values = {"name": name, "version": version, "modified_at": now}
    connection.execute(update(zones).where(zones.c.id == zone_id).values(**values))


def remove_zone(connection: Connection, zone_id: str) -> None:
    """Remove a zone and, by the rule of their tables, every row of its policy. Its versions and audit rows stay."""
    connection.execute(delete(zones).where(zones.c.id == zone_id))


def read_table(connection: Connection, zone_id: str, feature: str, version: int | None = None) -> dict[str, Any]:
    """One table of a zone's policy; `{}` when the feature had none in that version."""
    query = select(policy_tables.c.content).where(
        policy_tables.c.zone_id == zone_id, policy_tables.c.feature == feature, in_version(policy_tables, version)
    )
    content = connection.execute(query).scalar()
    table: dict[str, Any] = json.loads(content) if content else {}
    return table


def read_tables(connection: Connection, feature: str) -> dict[str, dict[str, Any]]:
    """The newest table of one feature in every zone, by zone id."""
    columns = (policy_tables.c.zone_id, policy_tables.c.content)
    query = select(*columns).where(policy_tables.c.feature == feature, in_version(policy_tables, None))
    return {row.zone_id: json.loads(row.content) for row in connection.execute(query)}


def write_table(connection: Connection, zone_id: str, feature: str, version: int, content: Mapping[str, Any]) -> None:
    """Make `content` the table from `version` on; nothing is written when it already is."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    newest = (
        (policy_tables.c.zone_id == zone_id) & (policy_tables.c.feature == feature) & in_version(policy_tables, None)
    )
    if connection.execute(select(policy_tables.c.content).where(newest)).scalar() == text:
        return
    connection.execute(update(policy_tables).where(newest).values(last_version=version - 1))
    values = {"zone_id": zone_id, "feature": feature, "first_version": version, "content": text}
    connection.execute(insert(policy_tables).values(**values))


def add_version(
    connection: Connection, zone_id: str, version: int, committed_at: datetime, author: str, changes: Sequence[str]
) -> None:
    """Commit one version of a zone's policy; its bundle is named once it is in place."""
    values = {"zone_id": zone_id, "version": version, "committed_at": committed_at, "author": author[:255]}
    connection.execute(insert(policy_versions).values(**values, changes=_sentences(changes)))


def versions_of(connection: Connection, zone: Zone, limit: int) -> list[PolicyVersion]:
    """The last `limit` versions of one zone, newest first."""
    query = select(policy_versions).where(policy_versions.c.zone_id == zone.id)
    rows = connection.execute(query.order_by(policy_versions.c.version.desc()).limit(limit))
    return [_version(row, zone.name) for row in rows]


def versions_of_all(connection: Connection, limit: int, offset: int) -> tuple[list[PolicyVersion], int]:
    """A part of the versions of all zones that there are, newest first, and how many there are."""
    joined = policy_versions.join(zones, zones.c.id == policy_versions.c.zone_id)
    total = connection.execute(select(func.count()).select_from(joined)).scalar_one()
    query = select(policy_versions, zones.c.name.label("zone_name")).select_from(joined)
    rows = connection.execute(query.order_by(policy_versions.c.id.desc()).limit(limit).offset(offset))
    return [_version(row, row.zone_name) for row in rows], total


def version_of(connection: Connection, zone: Zone, version: int) -> PolicyVersion | None:
    """One version of a zone, None when there is none with this number."""
    query = select(policy_versions).where(policy_versions.c.zone_id == zone.id, policy_versions.c.version == version)
    row = connection.execute(query).first()
    return None if row is None else _version(row, zone.name)


def version_in_bundle(connection: Connection, zone_id: str, bundle: str, time: datetime) -> int | None:
    """The version of a zone that a bundle (the first digits of its hash are enough), in use at `time`, held.

    A bundle that no version of the zone is named after held the newest version of its time: its own, when a version of
    another zone is named after it, else that of its use.
    """
    is_named = policy_versions.c.bundle.startswith(bundle, autoescape=True) if bundle else false()
    of_zone = policy_versions.c.zone_id == zone_id
    newest = select(func.max(policy_versions.c.version)).where(of_zone)
    own = connection.execute(newest.where(is_named)).scalar()
    if own is not None:
        return int(own)
    made_at = connection.execute(select(func.min(policy_versions.c.committed_at)).where(is_named)).scalar()
    moment = made_at if isinstance(made_at, datetime) else time
    found = connection.execute(newest.where(policy_versions.c.committed_at <= moment)).scalar()
    return None if found is None else int(found)


def name_bundle(connection: Connection, zone_id: str, version: int, bundle: str) -> None:
    """Say which bundle holds `version`, and every version before it that was overtaken before it was in place."""
    condition = (policy_versions.c.zone_id == zone_id) & (policy_versions.c.version <= version)
    unnamed = condition & policy_versions.c.bundle.is_(None)
    connection.execute(update(policy_versions).where(unnamed).values(bundle=bundle))


def zones_without_bundle(connection: Connection) -> set[str]:
    """The ids of the zones whose newest version is not known to be in place."""
    newest = (policy_versions.c.zone_id == zones.c.id) & (policy_versions.c.version == zones.c.version)
    query = select(zones.c.id).join(policy_versions, newest).where(policy_versions.c.bundle.is_(None))
    return set(connection.execute(query).scalars())


def _sentences(changes: Sequence[str]) -> str:
    kept = list(changes[:KEPT_SENTENCES])
    if len(changes) > KEPT_SENTENCES:
        kept.append(f"and {len(changes) - KEPT_SENTENCES} more")
    return json.dumps(kept, ensure_ascii=False)


def _zone(row: Row[Any]) -> Zone:
    return Zone(**row._mapping)


def _version(row: Row[Any], zone_name: str) -> PolicyVersion:
    return PolicyVersion(
        zone_id=row.zone_id,
        zone_name=zone_name,
        version=row.version,
        committed_at=row.committed_at,
        author=row.author,
        changes=tuple(json.loads(row.changes)),
        bundle=row.bundle,
    )
