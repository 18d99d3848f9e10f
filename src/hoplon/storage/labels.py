"""A zone's labels and their attachments in the database: rows of its policy, each valid from one version to another."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from hoplon.model.labels import Attachment, Label, Source
from hoplon.storage.policies import in_version
from hoplon.storage.tables import labels, operation_labels

_KEYS_AT_ONCE = 500
"""Below the number of parameters that every SQLite takes in one statement."""


def labels_at(connection: Connection, zone_id: str, version: int | None = None) -> list[Label]:
    """The zone's own labels in one version, or in the newest, by name."""
    query = select(labels).where(labels.c.zone_id == zone_id, in_version(labels, version))
    return [_label(row) for row in connection.execute(query.order_by(labels.c.name))]


def insert_labels(connection: Connection, zone_id: str, version: int, added: Sequence[Label]) -> None:
    """Keep labels from `version` on. None of them may be there already."""
    rows = [
        {
            "zone_id": zone_id,
            "name": each.name,
            "description": each.description,
            "metadata": json.dumps(each.metadata, sort_keys=True, ensure_ascii=False),
            "created_at": each.created_at,
            "last_updated": each.last_updated,
            "first_version": version,
        }
        for each in added
    ]
    if rows:
        connection.execute(insert(labels), rows)


def close_labels(connection: Connection, zone_id: str, version: int, names: Collection[str]) -> None:
    """Let labels end with the version before `version`; they stay in the history."""
    current = (labels.c.zone_id == zone_id) & in_version(labels, None)
    statement = update(labels).where(current, labels.c.name == bindparam("closed")).values(last_version=version - 1)
    if names:
        connection.execute(statement, [{"closed": name} for name in names])


def attachments_at(connection: Connection, zone_id: str, version: int | None = None) -> list[Attachment]:
    """Which operation carries which label in one version, or in the newest."""
    query = select(operation_labels).where(operation_labels.c.zone_id == zone_id, in_version(operation_labels, version))
    return [_attachment(row) for row in connection.execute(query)]


def attachments_of(connection: Connection, zone_id: str, operation_ids: Collection[str]) -> list[Attachment]:
    """The labels of these operations in the newest version."""
    table, ids = operation_labels, sorted(operation_ids)
    query = select(table).where(table.c.zone_id == zone_id, in_version(table, None))
    return [
        _attachment(row)
        for chunk in _chunks(ids)
        for row in connection.execute(query.where(table.c.operation_id.in_(chunk)))
    ]


def attachments_to(connection: Connection, zone_id: str, source: Source, label: str) -> list[Attachment]:
    """The operations that carry this label in the newest version."""
    table = operation_labels
    query = select(table).where(table.c.zone_id == zone_id, table.c.source == source, table.c.label == label)
    return [_attachment(row) for row in connection.execute(query.where(in_version(table, None)))]


def attachment_counts(connection: Connection, zone_id: str) -> Mapping[tuple[str, str], int]:
    """How many operations carry each label, by its source and name; labels that none carries are missing."""
    table = operation_labels
    query = select(table.c.source, table.c.label, func.count()).where(table.c.zone_id == zone_id)
    counted = query.where(in_version(table, None)).group_by(table.c.source, table.c.label)
    return {(source, label): count for source, label, count in connection.execute(counted)}


def attach(connection: Connection, zone_id: str, version: int, added: Collection[Attachment]) -> None:
    """Attach labels from `version` on. None of them may be attached already."""
    rows = [{"zone_id": zone_id, "first_version": version, **_columns(each)} for each in sorted(added)]
    if rows:
        connection.execute(insert(operation_labels), rows)


def detach(connection: Connection, zone_id: str, version: int, gone: Collection[Attachment]) -> None:
    """Let attachments end with the version before `version`; they stay in the history."""
    table = operation_labels
    statement = (
        update(table)
        .where(
            table.c.zone_id == zone_id,
            table.c.operation_id == bindparam("closed_operation_id"),
            table.c.source == bindparam("closed_source"),
            table.c.label == bindparam("closed_label"),
            in_version(table, None),
        )
        .values(last_version=version - 1)
    )
    if gone:
        connection.execute(
            statement, [{f"closed_{name}": value for name, value in _columns(each).items()} for each in gone]
        )


def _columns(each: Attachment) -> dict[str, str]:
    return {"operation_id": each.operation_id, "source": each.source, "label": each.label}


def _label(row: Row[Any]) -> Label:
    return Label("user", row.name, row.description, json.loads(row.metadata), row.created_at, row.last_updated)


def _attachment(row: Row[Any]) -> Attachment:
    return Attachment(row.operation_id, row.source, row.label)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _KEYS_AT_ONCE):
        yield ids[start : start + _KEYS_AT_ONCE]
