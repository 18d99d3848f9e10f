"""What a person wants of a token, in his words (names of groups and zones, `90d`), as what is stored."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from hoplon.errors import HoplonError, Problem
from hoplon.model.api_token import AddressCondition, ApiToken, Network, Resource, TokenPolicy, parse_network, sees
from hoplon.model.moments import moment_ahead
from hoplon.model.permissions import GROUPS, PermissionGroup, group_named, group_names
from hoplon.service.tokens import TokenSpec
from hoplon.service.workspace import Workspace
from hoplon.spelling import did_you_mean
from hoplon.storage.database import reading
from hoplon.storage.policies import all_zones, the_account


@dataclass(frozen=True, slots=True)
class TokenWish:
    """The words of the command line. No `permissions`: all; no `zones`: the account and all its zones."""

    name: str
    permissions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    expires: str | None = None
    not_before: str | None = None
    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    is_gateway: bool = False


def spec_of_wish(
    workspace: Workspace, wish: TokenWish, now: datetime | None = None, holder: ApiToken | None = None
) -> TokenSpec:
    """The token that is wanted. Raises `token.invalid` for words that mean nothing, as the name of a zone does that
    `holder`, who asks, may know nothing of."""
    now = now or datetime.now(UTC)
    with reading(workspace.database) as connection:
        account, known = the_account(connection).id, all_zones(connection)
    zones = {zone.name: zone.id for zone in known if holder is None or sees(holder.policies, account, zone.id)}
    return TokenSpec(
        name=wish.name,
        policies=policies_on(account, _groups(wish), _zone_ids(zones, wish.zones)),
        condition=AddressCondition(_networks("--from", wish.allowed), _networks("--not-from", wish.denied)),
        not_before=_moment("--not-before", wish.not_before, now),
        expires_on=_moment("--expires", wish.expires, now),
        kind="gateway" if wish.is_gateway else "api",
    )


def policies_on(
    account: str, groups: Collection[PermissionGroup], zone_ids: Collection[str]
) -> tuple[TokenPolicy, ...]:
    """Groups on the account; with `zone_ids`, those about zones on these zones only."""
    if not zone_ids:
        return (TokenPolicy(uuid4().hex, "allow", (Resource(account),), tuple(groups)),)
    split = (
        (
            tuple(Resource(account, zone) for zone in zone_ids),
            tuple(group for group in groups if group.scope == "zone"),
        ),
        ((Resource(account),), tuple(group for group in groups if group.scope != "zone")),
    )
    return tuple(TokenPolicy(uuid4().hex, "allow", resources, some) for resources, some in split if some)


def _groups(wish: TokenWish) -> tuple[PermissionGroup, ...]:
    if wish.is_gateway:
        if wish.permissions or wish.zones:
            raise _wrong("--gateway", "a gateway's credential gets every bundle and has no other permission")
        return (group_named("Hoplon Gateway"),)
    if not wish.permissions:
        return tuple(group for group in GROUPS if group.scope == "zone" or not wish.zones)
    return tuple(dict.fromkeys(_group(name) for name in wish.permissions))


def _group(name: str) -> PermissionGroup:
    try:
        return group_named(name)
    except KeyError:
        hint = did_you_mean(name, group_names()) or "`hoplon token permissions` lists them"
        raise _wrong("--permission", f"there is no permission group `{name}`", hint) from None


def _zone_ids(known: Mapping[str, str], names: Collection[str]) -> list[str]:
    for name in names:
        if name not in known and name not in known.values():
            raise _wrong("--zone", f"there is no zone `{name}`", did_you_mean(name, known))
    return [known.get(name, name) for name in names]


def _networks(option: str, texts: Collection[str]) -> tuple[Network, ...]:
    try:
        return tuple(parse_network(text) for text in texts)
    except ValueError as error:
        raise _wrong(option, str(error), "for example 192.0.2.0/24 or 2001:db8::1") from None


def _moment(option: str, text: str | None, now: datetime) -> datetime | None:
    try:
        return None if text is None else moment_ahead(text, now)
    except ValueError as error:
        raise _wrong(option, str(error)) from None


def _wrong(path: str, message: str, hint: str | None = None) -> HoplonError:
    return HoplonError("token.invalid", "no token was made", None, (Problem(path, message, hint),))
