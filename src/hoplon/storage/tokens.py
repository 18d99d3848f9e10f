"""API tokens in the database: rows in, `ApiToken`s out. Knows hashes of secrets, never a secret."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from hoplon.model.api_token import AddressCondition, ApiToken, Resource, TokenPolicy, parse_network
from hoplon.model.permissions import group_of_id
from hoplon.storage.tables import tokens


def add_token(connection: Connection, token: ApiToken, secret_hash: str) -> None:
    connection.execute(insert(tokens).values(id=token.id, secret_hash=secret_hash, **_values(token)))


def change_token(connection: Connection, token: ApiToken) -> None:
    """Make the stored token with this id what `token` is; its secret stays."""
    connection.execute(update(tokens).where(tokens.c.id == token.id).values(**_values(token)))


def change_secret(connection: Connection, token_id: str, secret_hash: str, now: datetime) -> None:
    """Give a token another secret: the old one stops working with this transaction."""
    connection.execute(update(tokens).where(tokens.c.id == token_id).values(secret_hash=secret_hash, modified_on=now))


def remove_token(connection: Connection, token_id: str) -> None:
    connection.execute(delete(tokens).where(tokens.c.id == token_id))


def token_of_hash(connection: Connection, secret_hash: str) -> ApiToken | None:
    row = connection.execute(select(tokens).where(tokens.c.secret_hash == secret_hash)).one_or_none()
    return None if row is None else _token(row)


def token_of_id(connection: Connection, token_id: str) -> ApiToken | None:
    row = connection.execute(select(tokens).where(tokens.c.id == token_id)).one_or_none()
    return None if row is None else _token(row)


def count_tokens(connection: Connection, alive_at: datetime | None = None) -> int:
    """How many there are; with `alive_at`, without those that have expired by then."""
    return connection.execute(select(func.count()).select_from(tokens).where(_alive(alive_at))).scalar_one()


def page_of_tokens(
    connection: Connection,
    offset: int,
    limit: int,
    direction: Literal["asc", "desc"] = "desc",
    alive_at: datetime | None = None,
) -> list[ApiToken]:
    """Tokens in the order of their issue."""
    order = [column.asc() if direction == "asc" else column.desc() for column in (tokens.c.issued_on, tokens.c.id)]
    query = select(tokens).where(_alive(alive_at)).order_by(*order).offset(offset).limit(limit)
    return [_token(row) for row in connection.execute(query)]


def note_uses(connection: Connection, uses: Mapping[str, datetime]) -> None:
    """Write when tokens were used last."""
    for token_id, moment in uses.items():
        connection.execute(update(tokens).where(tokens.c.id == token_id).values(last_used_on=moment))


def _alive(moment: datetime | None) -> Any:
    return True if moment is None else or_(tokens.c.expires_on.is_(None), tokens.c.expires_on > moment)


def _values(token: ApiToken) -> dict[str, Any]:
    return {
        "kind": token.kind,
        "name": token.name,
        "status": token.status,
        "policies": json.dumps([_policy_json(policy) for policy in token.policies]),
        "condition": json.dumps(
            {
                "allowed": [str(network) for network in token.condition.allowed],
                "denied": [str(network) for network in token.condition.denied],
            }
        ),
        "not_before": token.not_before,
        "expires_on": token.expires_on,
        "issued_on": token.issued_on,
        "modified_on": token.modified_on,
        "last_used_on": token.last_used_on,
    }


def _policy_json(policy: TokenPolicy) -> dict[str, Any]:
    return {
        "id": policy.id,
        "effect": policy.effect,
        "resources": [asdict(resource) for resource in policy.resources],
        "groups": [group.id for group in policy.groups],
    }


def _token(row: Row[Any]) -> ApiToken:
    condition = json.loads(row.condition)
    return ApiToken(
        id=row.id,
        name=row.name,
        status=row.status,
        policies=tuple(_policy(each) for each in json.loads(row.policies)),
        condition=AddressCondition(
            tuple(parse_network(text) for text in condition["allowed"]),
            tuple(parse_network(text) for text in condition["denied"]),
        ),
        not_before=row.not_before,
        expires_on=row.expires_on,
        issued_on=row.issued_on,
        modified_on=row.modified_on,
        last_used_on=row.last_used_on,
        kind=row.kind,
    )


def _policy(document: Mapping[str, Any]) -> TokenPolicy:
    """A group that this version does not know grants nothing; a denial of one must not turn into a permission, and
    denies nothing that could be asked for here."""
    groups = (group_of_id(each) for each in document["groups"])
    return TokenPolicy(
        id=document["id"],
        effect=document["effect"],
        resources=tuple(Resource(**resource) for resource in document["resources"]),
        groups=tuple(group for group in groups if group is not None),
    )
