"""API tokens: made, listed, changed, rolled, revoked, and found by their secret. A secret is given out once.

`holder` is the token on whose behalf something is granted: it can hand on no more than it has. None is a person at the
command line, who has the database anyway.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

from sqlalchemy import Connection

from hoplon.errors import HoplonError, Problem
from hoplon.model.actor import SYSTEM, Actor
from hoplon.model.api_token import (
    ANY,
    EVERYWHERE,
    AddressCondition,
    ApiToken,
    Resource,
    TokenPolicy,
    excess,
    is_condition_within,
    sees,
)
from hoplon.model.audit import AuditEntry
from hoplon.model.page import Page
from hoplon.model.permissions import GROUPS, PermissionGroup
from hoplon.service.token_secret import is_secret, new_secret, secret_hash
from hoplon.service.workspace import Workspace
from hoplon.storage import audit
from hoplon.storage.database import reading, transaction
from hoplon.storage.files import replace_file
from hoplon.storage.policies import all_zones, the_account
from hoplon.storage.tokens import (
    add_token,
    change_secret,
    change_token,
    count_tokens,
    page_of_tokens,
    remove_token,
    token_of_hash,
    token_of_id,
)

NAME_OF_FIRST = "first start"
MAX_NAME = 120
MAX_POLICIES = 50
MAX_MEMBERS = 300


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """What somebody wants of a token."""

    name: str
    policies: tuple[TokenPolicy, ...]
    condition: AddressCondition = EVERYWHERE
    not_before: datetime | None = None
    expires_on: datetime | None = None
    status: Literal["active", "disabled"] = "active"
    kind: Literal["api", "gateway"] = "api"


def create_token(workspace: Workspace, actor: Actor, spec: TokenSpec, holder: ApiToken | None) -> tuple[ApiToken, str]:
    """A new token and its secret, which nobody can ask for again. Raises `token.invalid` or `token.excess`."""
    now, secret = datetime.now(UTC), new_secret()
    token = ApiToken(
        id=uuid4().hex,
        name=spec.name,
        status=spec.status,
        policies=spec.policies,
        condition=spec.condition,
        not_before=spec.not_before,
        expires_on=spec.expires_on,
        issued_on=now,
        modified_on=now,
        last_used_on=None,
        kind=spec.kind,
    )
    with transaction(workspace.database) as connection:
        _check(connection, token, holder)
        add_token(connection, token, secret_hash(secret))
        audit.append(connection, _entry(actor, "create", token))
    return token, secret


def get_token(workspace: Workspace, token_id: str) -> ApiToken:
    """Raises `token.unknown`."""
    with reading(workspace.database) as connection:
        return _known(connection, token_id)


def choose_token(tokens: Iterable[ApiToken], name_or_id: str) -> ApiToken:
    """The token with this id, or the one with this name. Raises `token.unknown`, or `token.ambiguous`."""
    known = list(tokens)
    found = [token for token in known if token.id == name_or_id]
    found = found or [token for token in known if token.name == name_or_id]
    if len(found) > 1:
        ids = ", ".join(token.id for token in found)
        raise HoplonError("token.ambiguous", f"{len(found)} tokens are named `{name_or_id}`", f"give an id: {ids}")
    if not found:
        raise HoplonError("token.unknown", f"there is no token `{name_or_id}`", "`hoplon token list` shows them")
    return found[0]


def list_tokens(
    workspace: Workspace,
    page: int = 1,
    per_page: int = 50,
    direction: Literal["asc", "desc"] = "desc",
    with_expired: bool = True,
) -> Page[ApiToken]:
    """One page of the tokens, in the order of their issue."""
    alive_at = None if with_expired else datetime.now(UTC)
    with reading(workspace.database) as connection:
        found = page_of_tokens(connection, (page - 1) * per_page, per_page, direction, alive_at)
        return Page(found, page, per_page, count_tokens(connection, alive_at))


def change_token_to(
    workspace: Workspace, actor: Actor, token_id: str, spec: TokenSpec, holder: ApiToken | None
) -> ApiToken:
    """Make a token what `spec` says; its secret, id and kind stay.

    Raises `token.unknown`, `token.invalid`, or `token.excess`.
    """
    with transaction(workspace.database) as connection:
        token = replace(
            _known(connection, token_id),
            name=spec.name,
            status=spec.status,
            policies=spec.policies,
            condition=spec.condition,
            not_before=spec.not_before,
            expires_on=spec.expires_on,
            modified_on=datetime.now(UTC),
        )
        _check(connection, token, holder)
        change_token(connection, token)
        audit.append(connection, _entry(actor, "update", token))
    return token


def roll_token(workspace: Workspace, actor: Actor, token_id: str, holder: ApiToken | None) -> str:
    """A new secret for a token; the old one stops working at once. Raises `token.unknown`, or `token.excess` for one
    that may do what the holder may not: its new secret would be a way to it."""
    secret = new_secret()
    with transaction(workspace.database) as connection:
        token = _known(connection, token_id)
        _check_holder(connection, token, holder)
        change_secret(connection, token_id, secret_hash(secret), datetime.now(UTC))
        audit.append(connection, _entry(actor, "roll", token))
    return secret


def revoke_token(workspace: Workspace, actor: Actor, token_id: str) -> ApiToken:
    """Remove a token: whatever process asks next, it is unknown. Raises `token.unknown`."""
    with transaction(workspace.database) as connection:
        token = _known(connection, token_id)
        remove_token(connection, token_id)
        audit.append(connection, _entry(actor, "delete", token))
    return token


def find_token(workspace: Workspace, secret: str) -> ApiToken | None:
    """The token with this secret, whatever its status. What has not the form of a secret costs no look-up."""
    if not is_secret(secret):
        return None
    with reading(workspace.database) as connection:
        return token_of_hash(connection, secret_hash(secret))


def ensure_first_token(workspace: Workspace) -> Path | None:
    """Where there is no token yet, one that may do everything, its secret in the state directory; the file, if made.

    The file is written before the commit: a crash in between leaves a secret that opens nothing, and the next start
    makes another.
    """
    secret, now = new_secret(), datetime.now(UTC)
    with transaction(workspace.database) as connection:
        if count_tokens(connection):
            return None
        policies = (everything(the_account(connection).id),)
        token = ApiToken(uuid4().hex, NAME_OF_FIRST, "active", policies, EVERYWHERE, None, None, now, now, None)
        add_token(connection, token, secret_hash(secret))
        audit.append(connection, _entry(SYSTEM, "create", token))
        replace_file(workspace.state.api_token, f"{secret}\n".encode())
    return workspace.state.api_token


def everything(account: str, groups: Iterable[PermissionGroup] = GROUPS) -> TokenPolicy:
    """All of `groups` on the account, its zones and those to come."""
    return TokenPolicy(uuid4().hex, "allow", (Resource(account),), tuple(groups))


def _check(connection: Connection, token: ApiToken, holder: ApiToken | None) -> None:
    account, known_zones = the_account(connection).id, _zone_ids(connection)
    held = None if holder is None else _stored(connection, holder)
    visible = known_zones if held is None else {zone for zone in known_zones if sees(held.policies, account, zone)}
    if problems := [*_faults(token), *_unknown_resources(token, account, visible)]:
        raise HoplonError("token.invalid", "the token is wrong", None, tuple(problems))
    _check_holder(connection, token, holder)


def _check_holder(connection: Connection, token: ApiToken, holder: ApiToken | None) -> None:
    """Raise `token.excess` where `token` may do more, longer or from elsewhere than `holder`, as it is stored now."""
    if holder is None:
        return
    held = _stored(connection, holder)
    more = excess(token.policies, held.policies, the_account(connection).id, _zone_ids(connection))
    problems = [
        Problem("policies", f"`{group.name}` {f'on zone {zone}' if zone else 'on the account'} is not yours to give")
        for group, zone in more
    ]
    if held.expires_on is not None and (token.expires_on is None or token.expires_on > held.expires_on):
        problems.append(Problem("expires_on", f"your own token expires on {held.expires_on:%Y-%m-%dT%H:%M:%SZ}"))
    if not is_condition_within(token.condition, held.condition):
        problems.append(Problem("condition", "your own token is bound to addresses that this one is not bound to"))
    if problems:
        message = "a token can be given no more than the token has that makes it"
        raise HoplonError("token.excess", message, None, tuple(problems))


def _faults(token: ApiToken) -> Iterator[Problem]:
    if not token.name.strip() or len(token.name) > MAX_NAME or not token.name.isprintable():
        yield Problem("name", f"a name has 1 to {MAX_NAME} printable characters")
    if not token.policies or len(token.policies) > MAX_POLICIES:
        yield Problem("policies", f"a token has 1 to {MAX_POLICIES} policies")
    for index, policy in enumerate(token.policies):
        for member, values in (("permission_groups", policy.groups), ("resources", policy.resources)):
            if not values or len(values) > MAX_MEMBERS:
                yield Problem(f"policies[{index}].{member}", f"a policy has 1 to {MAX_MEMBERS} of them")
    if max(len(token.condition.allowed), len(token.condition.denied)) > MAX_MEMBERS:
        yield Problem("condition", f"at most {MAX_MEMBERS} networks")
    if token.expires_on is not None and token.not_before is not None and token.expires_on <= token.not_before:
        yield Problem("expires_on", "it would expire before it may be used")


def _unknown_resources(token: ApiToken, account: str, zones: Collection[str]) -> Iterator[Problem]:
    """Resources that do not exist. A zone that the maker of the token cannot see is one of them."""
    for index, policy in enumerate(token.policies):
        for resource in policy.resources:
            if resource.account not in (ANY, account):
                yield Problem(f"policies[{index}].resources", f"there is no account {resource.account[:40]}")
            if resource.zone is not None and resource.zone != ANY and resource.zone not in zones:
                yield Problem(f"policies[{index}].resources", f"there is no zone {resource.zone[:40]}")


def _stored(connection: Connection, holder: ApiToken) -> ApiToken:
    """The holder as it is now: it may have been revoked or narrowed since it came in."""
    held = token_of_id(connection, holder.id)
    if held is None:
        raise HoplonError("auth.invalid", "your own token has been revoked")
    return held


def _known(connection: Connection, token_id: str) -> ApiToken:
    token = token_of_id(connection, token_id)
    if token is None:
        raise HoplonError("token.unknown", f"there is no token {token_id[:64]}")
    return token


def _zone_ids(connection: Connection) -> set[str]:
    return {zone.id for zone in all_zones(connection)}


def _entry(actor: Actor, action: str, token: ApiToken) -> AuditEntry:
    details = {
        "name": token.name,
        "kind": token.kind,
        "status": token.status,
        "permissions": sorted({group.name for policy in token.policies for group in policy.groups}),
        "expires_on": None if token.expires_on is None else token.expires_on.isoformat(),
    }
    return AuditEntry(actor, action, "token", token.id, details=details)
