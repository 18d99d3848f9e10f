"""The audit log in the database: append-only rows, each with a hash over itself and over the row before.

What is hashed is one JSON document of every column but `hash`: members sorted, no blanks, UTF-8, times as
`YYYY-MM-DDTHH:MM:SS.ffffffZ`, `details` as the text that is stored. The first row names 64 zeros as the one before.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, or_, select, text

from hoplon.model.audit import AuditEntry, AuditFault, AuditFilter, AuditRecord
from hoplon.model.redaction import redacted_details
from hoplon.storage.tables import audit_log

FIRST_HASH = "0" * 64
TRIGGERS = frozenset({"audit_log_no_update", "audit_log_no_delete"})
_HASHED = tuple(column.name for column in audit_log.columns if column.name != "hash")
_HEAD = select(audit_log.c.sequence, audit_log.c.hash).order_by(audit_log.c.sequence.desc()).limit(1)
_INSERT = insert(audit_log)
_ROWS_AT_ONCE = 1000


def append(connection: Connection, entry: AuditEntry) -> None:
    """Write one entry inside the transaction of the change that it tells of: both are committed, or neither."""
    sequence, previous_hash = audit_head(connection)
    values = {
        "sequence": sequence + 1,
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
        "details": json.dumps(redacted_details(entry.details), sort_keys=True, ensure_ascii=False),
        "previous_hash": previous_hash,
    }
    connection.execute(_INSERT, {**values, "hash": row_hash(values)})


def row_hash(values: Mapping[str, Any]) -> str:
    """The hash of a row, in hexadecimal: SHA-256 over the document that the module describes."""
    document = {name: _hashed_form(values[name]) for name in _HASHED}
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def audit_faults(connection: Connection) -> Iterator[AuditFault]:
    """Every place where the log is not what was appended, oldest first: changed, removed, inserted rows."""
    if missing := TRIGGERS - _triggers(connection):
        yield AuditFault(0, f"nothing refuses changes any more: {', '.join(sorted(missing))} is gone")
    sequence, previous_hash = 0, FIRST_HASH
    for row in connection.execute(_oldest_first().execution_options(yield_per=_ROWS_AT_ONCE)):
        if row.sequence != sequence + 1:
            yield AuditFault(row.sequence, f"entries {sequence + 1} to {row.sequence - 1} are missing")
        elif row.previous_hash != previous_hash:
            yield AuditFault(row.sequence, "it does not follow from the entry before")
        if row_hash(row._asdict()) != row.hash:
            yield AuditFault(row.sequence, "it was changed after it had been written")
        sequence, previous_hash = row.sequence, row.hash


def audit_head(connection: Connection) -> tuple[int, str]:
    """Number and hash of the newest entry; (0, 64 zeros) when there is none."""
    row = connection.execute(_HEAD).one_or_none()
    return (0, FIRST_HASH) if row is None else (row.sequence, row.hash)


def audit_hash_of(connection: Connection, sequence: int) -> str | None:
    """The hash of one entry by its number."""
    return connection.execute(select(audit_log.c.hash).where(audit_log.c.sequence == sequence)).scalar()


def count_audit(connection: Connection, wanted: AuditFilter) -> int:
    query = select(func.count()).select_from(audit_log).where(*_conditions(connection, wanted))
    return connection.execute(query).scalar_one()


def audit_records(
    connection: Connection, wanted: AuditFilter, *, limit: int, offset: int = 0, beyond: int | None = None
) -> list[AuditRecord]:
    """Entries in the filter's direction; `beyond` continues after the entry with that number."""
    query = _oldest_first() if wanted.direction == "asc" else _newest_first()
    conditions = _conditions(connection, wanted)
    if beyond is not None:
        sequence = audit_log.c.sequence
        conditions.append(sequence > beyond if wanted.direction == "asc" else sequence < beyond)
    return [_record(row) for row in connection.execute(query.where(*conditions).limit(limit).offset(offset))]


def _conditions(connection: Connection, wanted: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(audit_log.c.time >= wanted.since)
    if wanted.before is not None:
        found.append(audit_log.c.time < wanted.before)
    for name, values in wanted.including:
        found.append(audit_log.c[name].in_(values))
    for name, values in wanted.excluding:
        column = audit_log.c[name]
        found.append(or_(column.is_(None), column.not_in(values)))
    if wanted.has_zone is not None:
        found.append(audit_log.c.zone_id.is_not(None) if wanted.has_zone else audit_log.c.zone_id.is_(None))
    if wanted.network is not None:
        found.append(audit_log.c.address.in_(_addresses_within(connection, wanted)))
    return found


def _addresses_within(connection: Connection, wanted: AuditFilter) -> Sequence[str]:
    """Databases know no networks: of the addresses that there are, those inside."""
    addresses = connection.execute(select(audit_log.c.address).distinct()).scalars()
    return [address for address in addresses if address is not None and wanted.admits_address(address)]


def _oldest_first() -> Select[Any]:
    return select(audit_log).order_by(audit_log.c.sequence)


def _newest_first() -> Select[Any]:
    return select(audit_log).order_by(audit_log.c.sequence.desc())


def _record(row: Row[Any]) -> AuditRecord:
    return AuditRecord(**{**row._mapping, "details": json.loads(row.details)})


def _hashed_form(value: object) -> object:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


def _triggers(connection: Connection) -> set[str]:
    """The triggers on the log; a database that is no SQLite is asked for none."""
    if connection.dialect.name != "sqlite":
        return set(TRIGGERS)
    query = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_log'")
    return set(connection.execute(query).scalars())
