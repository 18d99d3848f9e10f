"""Who calls, and may they: the facts of a request, who it turned out to be, and the pure decision between the two.

What needs a store, a clock or a counter is in `gatekeeper`.
"""

import ipaddress
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.api_token import ANY, ApiToken, Network, may, parse_client, sees
from hoplon.model.permissions import PermissionGroup
from hoplon.service.token_cache import Installation
from hoplon.service.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What is known of a request before anything of it is read: path variables, headers by lower-case name, peer."""

    ids: Mapping[str, str]
    headers: Mapping[str, str]
    address: str
    method: str = "GET"
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `zone_ids`: where the path names no zone, those on which the group is granted; None for all.

    `token` is the one that was presented: what it grants is the most that it can hand on.
    """

    actor: Actor
    zone_ids: frozenset[str] | None = None
    token: ApiToken | None = None


Groups = Sequence[PermissionGroup]
"""What a route asks for: every one of them; none, and any good token will do."""
Authorise = Callable[[Workspace, RequestFacts, Groups], Caller]


def reach(token: ApiToken, facts: RequestFacts, groups: Groups, installation: Installation) -> frozenset[str] | None:
    """On which zones the token may do what needs `groups`, where the path names none; None for all, or where it does.

    A zone of which the token may know nothing, and an account that is not this one, answer as if they did not exist.
    Raises `account.unknown`, `zone.unknown` or `auth.forbidden`.
    """
    account, zone = facts.ids.get("account_id", installation.account_id), facts.ids.get("zone_id")
    if account != installation.account_id:
        raise HoplonError("account.unknown", "there is no such account")
    reached: frozenset[str] | None = None
    for group in groups:
        if zone is None and group.scope == "zone":
            found = _zones_reached(token, facts, group, installation)
            reached = found if reached is None else reached if found is None else reached & found
        elif not may(token.policies, group, account, zone):
            if zone is not None and not sees(token.policies, account, zone):
                raise HoplonError("zone.unknown", "there is no such zone")
            raise _forbidden(group)
    return reached


def presented_token(headers: Mapping[str, str]) -> str | None:
    """The token in any of the three forms that the SDKs send it; None where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-auth-key") or headers.get("x-auth-user-service-key") or None


def client_address(peer: str, headers: Mapping[str, str], trusted: Collection[Network]) -> str:
    """Where a request comes from: the peer, or, where that is a trusted proxy, what it says in X-Forwarded-For.

    Read from the right, since each proxy appends whom it saw: the first that is not trusted itself is the client.
    """
    address = peer
    claimed = [each.strip() for each in headers.get("x-forwarded-for", "").split(",") if each.strip()]
    while claimed and _is_within(address, trusted):
        address = claimed.pop()
    return address if parse_client(address) is not None else peer


def parse_networks(texts: Collection[str]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _zones_reached(
    token: ApiToken, facts: RequestFacts, group: PermissionGroup, installation: Installation
) -> frozenset[str] | None:
    """A reader of a listing sees the zones granted to him; who makes a zone must have it on those to come."""
    account, zones = installation.account_id, installation.zone_ids
    reached = frozenset(zone for zone in zones if may(token.policies, group, account, zone))
    if reached == zones and may(token.policies, group, account, ANY):
        return None
    if facts.method != "GET" or not (reached or may(token.policies, group, account, ANY)):
        raise _forbidden(group)
    return reached


def _forbidden(group: PermissionGroup) -> HoplonError:
    return HoplonError("auth.forbidden", "Authentication error", f"this needs the permission `{group.name}`")


def _is_within(address: str, networks: Collection[Network]) -> bool:
    found = parse_client(address)
    return found is not None and any(found in network for network in networks)
