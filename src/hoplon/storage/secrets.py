"""Secrets in the database, sealed. Their id and kind are bound into the seal: one cannot be put in another's place."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from hoplon.storage.sealing import KeyRing, Sealed
from hoplon.storage.tables import secrets


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """What may be said about a secret: everything but its value."""

    id: str
    kind: str
    name: str
    key_id: str
    created_at: datetime
    modified_at: datetime


def write_secret(
    connection: Connection, keys: KeyRing, secret_id: str, kind: str, name: str, value: bytes, now: datetime
) -> None:
    """Store a secret, or replace the one with this id and kind."""
    sealed = _columns(keys.seal(value, _context(secret_id, kind)))
    changed = connection.execute(
        update(secrets)
        .where(secrets.c.id == secret_id, secrets.c.kind == kind)
        .values(name=name, modified_at=now, **sealed)
    )
    if not changed.rowcount:
        row = {"id": secret_id, "kind": kind, "name": name, "created_at": now, "modified_at": now, **sealed}
        connection.execute(insert(secrets).values(row))


def read_secret(connection: Connection, keys: KeyRing, secret_id: str) -> bytes | None:
    """The value of a secret; None when there is none with this id."""
    row = connection.execute(select(secrets).where(secrets.c.id == secret_id)).one_or_none()
    if row is None:
        return None
    return keys.open(Sealed(row.key_id, row.nonce, row.ciphertext), _context(row.id, row.kind))


def remove_secret(connection: Connection, secret_id: str) -> bool:
    """Whether there was one to remove."""
    return bool(connection.execute(delete(secrets).where(secrets.c.id == secret_id)).rowcount)


def secret_infos(connection: Connection) -> list[SecretInfo]:
    query = select(*(secrets.c[name] for name in SecretInfo.__slots__)).order_by(secrets.c.created_at, secrets.c.id)
    return [SecretInfo(**row._mapping) for row in connection.execute(query)]


def secret_names(connection: Connection, kind: str, ids: Collection[str]) -> dict[str, str]:
    """The names of those of these secrets that exist and are of this kind, by id."""
    query = select(secrets.c.id, secrets.c.name).where(secrets.c.kind == kind, secrets.c.id.in_(sorted(ids)))
    return {row.id: row.name for row in connection.execute(query)} if ids else {}


def remove_named(connection: Connection, kind: str, prefix: str) -> int:
    """Remove the secrets of a kind whose names begin so; how many."""
    begins = secrets.c.name.startswith(prefix, autoescape=True)
    return connection.execute(delete(secrets).where(secrets.c.kind == kind, begins)).rowcount


def keys_in_use(connection: Connection) -> dict[str, int]:
    """How many secrets lie under which key."""
    query = select(secrets.c.key_id, func.count()).group_by(secrets.c.key_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def reseal_all(connection: Connection, keys: KeyRing, now: datetime) -> int:
    """Seal under the current key whatever lies under another; how many. Raises when one does not open."""
    rows = connection.execute(select(secrets).where(secrets.c.key_id != keys.current_id)).all()
    for row in rows:
        value = keys.open(Sealed(row.key_id, row.nonce, row.ciphertext), _context(row.id, row.kind))
        write_secret(connection, keys, row.id, row.kind, row.name, value, now)
    return len(rows)


def _context(secret_id: str, kind: str) -> bytes:
    return f"{secret_id}\0{kind}".encode()


def _columns(sealed: Sealed) -> dict[str, object]:
    return {"key_id": sealed.key_id, "nonce": sealed.nonce, "ciphertext": sealed.ciphertext}
