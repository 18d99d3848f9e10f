"""Rows of `gateways`: one per credential and name, bounded per credential; the ones not heard for longest go first."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from hoplon.model.gateway import RemoteGateway
from hoplon.storage.tables import gateways, tokens

KEPT_PER_CREDENTIAL = 1000
"""A fleet that names every short-lived machine anew must not make the table grow without end."""


def gateway_of(connection: Connection, token_id: str, name: str) -> RemoteGateway | None:
    """What is known of one gateway."""
    row = connection.execute(_known().where(*_is(token_id, name))).first()
    return RemoteGateway(**row._mapping) if row is not None else None


def gateways_since(connection: Connection, since: datetime) -> list[RemoteGateway]:
    """Every gateway that was heard since then, by name."""
    heard = _known().where(gateways.c.last_seen_at >= since)
    rows = connection.execute(heard.order_by(gateways.c.name, gateways.c.token_id))
    return [RemoteGateway(**row._mapping) for row in rows]


def put_gateway(connection: Connection, seen: RemoteGateway) -> None:
    """Make `seen` what is known of this gateway."""
    values = {"last_seen_at": seen.last_seen_at, "address": seen.address, "bundle": seen.bundle, "mode": seen.mode}
    changed = connection.execute(update(gateways).where(*_is(seen.token_id, seen.name)).values(values))
    if not changed.rowcount:
        connection.execute(insert(gateways).values(token_id=seen.token_id, name=seen.name, **values))
        _forget_oldest(connection, seen.token_id)


def _known() -> Select[Any]:
    return select(
        gateways.c.name,
        tokens.c.name.label("credential"),
        gateways.c.token_id,
        gateways.c.last_seen_at,
        gateways.c.address,
        gateways.c.bundle,
        gateways.c.mode,
    ).join_from(gateways, tokens)


def _is(token_id: str, name: str) -> tuple[Any, Any]:
    return gateways.c.token_id == token_id, gateways.c.name == name


def _forget_oldest(connection: Connection, token_id: str) -> None:
    newest_first = gateways.c.last_seen_at.desc()
    of_credential = select(gateways.c.name).where(gateways.c.token_id == token_id).order_by(newest_first)
    names = connection.execute(of_credential.offset(KEPT_PER_CREDENTIAL)).scalars().all()
    if names:
        connection.execute(delete(gateways).where(gateways.c.token_id == token_id, gateways.c.name.in_(names)))
