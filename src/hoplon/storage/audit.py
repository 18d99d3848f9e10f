"""The audit log in the database: append-only rows, each carrying a hash over itself and the row before."""

import hashlib
import json
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from hoplon.model.audit import AuditEntry
from hoplon.storage.tables import audit_log

FIRST_HASH = "0" * 64
"""What the first row names as the row before it."""


def append(connection: Connection, entry: AuditEntry) -> None:
    """Write one entry inside the transaction of the change that it tells of."""
    newest = select(audit_log.c.hash).order_by(audit_log.c.sequence.desc()).limit(1)
    row = {
        "id": str(uuid4()),
        "time": datetime.now(UTC),
        "actor_kind": entry.actor.kind,
        "actor_id": entry.actor.id,
        "actor_name": entry.actor.name,
        "address": entry.actor.address,
        "action": entry.action,
        "resource_type": entry.resource_type,
        "resource_id": entry.resource_id,
        "zone_id": entry.zone_id,
        "request_id": entry.request_id or entry.actor.request_id,
        "details": json.dumps(entry.details, sort_keys=True, ensure_ascii=False),
        "previous_hash": connection.execute(newest).scalar() or FIRST_HASH,
    }
    connection.execute(insert(audit_log).values(**row, hash=row_hash(row)))


def row_hash(row: dict[str, object]) -> str:
    """The SHA-256 over every member of a row but `sequence` and `hash` itself, as sorted JSON."""
    content = json.dumps(row, sort_keys=True, ensure_ascii=False, default=_moment)
    return hashlib.sha256(content.encode()).hexdigest()


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(type(value).__name__)
