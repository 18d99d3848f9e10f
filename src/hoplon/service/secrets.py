"""Secrets that must be readable again (HMAC keys, CA keys): stored, opened, deleted, and sealed under another key.

A value goes in and comes out here and nowhere else: no listing, log, answer, bundle or audit entry has it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.audit import AuditEntry
from hoplon.service.workspace import Workspace
from hoplon.storage import audit, sealing
from hoplon.storage.database import reading, transaction
from hoplon.storage.secrets import (
    SecretInfo,
    keys_in_use,
    read_secret,
    remove_secret,
    reseal_all,
    secret_infos,
    write_secret,
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a change of the installation key did."""

    key_id: str
    resealed: int


def put_secret(workspace: Workspace, actor: Actor, kind: str, name: str, value: bytes) -> str:
    """Store a secret; its id, by which everything else refers to it."""
    with transaction(workspace.database) as connection:
        return put_secret_with(connection, workspace, actor, kind, name, value)


def put_secret_with(
    connection: Connection, workspace: Workspace, actor: Actor, kind: str, name: str, value: bytes
) -> str:
    """`put_secret` inside the writing transaction of the change that the secret belongs to."""
    secret_id = uuid4().hex
    write_secret(connection, _ensured_keys(connection, workspace), secret_id, kind, name, value, datetime.now(UTC))
    audit.append(connection, AuditEntry(actor, "create", kind, secret_id, details={"name": name}))
    return secret_id


def replace_secret(workspace: Workspace, actor: Actor, secret_id: str, value: bytes) -> None:
    """Give a secret another value. Raises `secrets.unknown`."""
    with transaction(workspace.database) as connection:
        info = next((each for each in secret_infos(connection) if each.id == secret_id), None)
        if info is None:
            raise _unknown(secret_id)
        keys = _ensured_keys(connection, workspace)
        write_secret(connection, keys, secret_id, info.kind, info.name, value, datetime.now(UTC))
        audit.append(connection, AuditEntry(actor, "update", info.kind, secret_id, details={"name": info.name}))


def open_secret(workspace: Workspace, secret_id: str) -> bytes:
    """The value of a secret. Raises `secrets.unknown`, `secrets.key_missing` or `secrets.damaged`."""
    try:
        return _opened(workspace, secret_id)
    except HoplonError as error:
        if error.code != "secrets.key_missing":
            raise
        return _opened(workspace, secret_id)  # the key was replaced between reading it and reading the row


def delete_secret(workspace: Workspace, actor: Actor, secret_id: str) -> None:
    """Remove a secret. Raises `secrets.unknown`."""
    with transaction(workspace.database) as connection:
        info = next((each for each in secret_infos(connection) if each.id == secret_id), None)
        if info is None or not remove_secret(connection, secret_id):
            raise _unknown(secret_id)
        audit.append(connection, AuditEntry(actor, "delete", info.kind, secret_id, details={"name": info.name}))


def list_secrets(workspace: Workspace) -> list[SecretInfo]:
    """What there is, without any value."""
    with reading(workspace.database) as connection:
        return secret_infos(connection)


def rotate_key(workspace: Workspace, actor: Actor) -> Rotation:
    """Seal every secret under a new installation key, in one transaction.

    The new key is in place before the transaction commits, and the one before stays beside it until then: whenever
    the process dies, every secret opens, and the next rotation finishes what was begun. A key from the environment is
    replaced by who sets it (`HOPLON_INSTALLATION_KEY`, with the old one in `HOPLON_INSTALLATION_KEY_PREVIOUS`); then
    this only seals everything under it.
    """
    with transaction(workspace.database) as connection:
        resealed = reseal_all(connection, _ensured_keys(connection, workspace), datetime.now(UTC))
    with transaction(workspace.database) as connection:
        if not sealing.is_key_from_environment():
            sealing.replace_key(workspace.state)
        keys = _ensured_keys(connection, workspace)
        resealed = max(resealed, reseal_all(connection, keys, datetime.now(UTC)))
        details = {"secrets": resealed}
        audit.append(connection, AuditEntry(actor, "rotate", "installation_key", keys.current_id, details=details))
    with transaction(workspace.database) as connection:
        if not set(keys_in_use(connection)) - {keys.current_id}:
            sealing.forget_previous_key(workspace.state)
    return Rotation(keys.current_id, resealed)


def _opened(workspace: Workspace, secret_id: str) -> bytes:
    with reading(workspace.database) as connection:
        keys = sealing.load_keys(workspace.state) or sealing.KeyRing("", {})
        value = read_secret(connection, keys, secret_id)
    if value is None:
        raise _unknown(secret_id)
    return value


def _ensured_keys(connection: Connection, workspace: Workspace) -> sealing.KeyRing:
    """The keys, the first one made where there is none. Not where secrets lie under one that is gone."""
    keys = sealing.load_keys(workspace.state)
    if keys is None:
        if lost := next(iter(keys_in_use(connection)), None):
            raise sealing.key_missing(lost)
        sealing.make_key(workspace.state)
        keys = sealing.load_keys(workspace.state)
    if keys is None:
        raise HoplonError("keys.unusable", f"{workspace.state.installation_key} was deleted while it was being read")
    return keys


def _unknown(secret_id: str) -> HoplonError:
    return HoplonError("secrets.unknown", f"there is no secret {secret_id}")
