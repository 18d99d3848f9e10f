"""Who calls, and may they: one function that takes the facts of a request and the permission group that it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.permissions import PermissionGroup
from hoplon.service.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What is known of a request before anything of it is read: path variables, headers by lower-case name, peer."""

    ids: Mapping[str, str]
    headers: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `zone_ids`: where the path names no zone, those on which the group is granted; None for all."""

    actor: Actor
    zone_ids: frozenset[str] | None = None


Authorise = Callable[[Workspace, RequestFacts, PermissionGroup | None], Caller]


def authorise(workspace: Workspace, facts: RequestFacts, group: PermissionGroup | None) -> Caller:
    """The caller, when the request's token is granted `group` on the zone or account that the path names.

    Raises `auth.missing` without a token, `auth.invalid` for one that is unknown, expired or revoked, `auth.forbidden`
    for one that may not.
    """
    token = presented_token(facts.headers)
    if token is None:
        raise HoplonError("auth.missing", "no API token was sent", "send `Authorization: Bearer TOKEN`")
    raise HoplonError("auth.invalid", "this API token is unknown, expired or revoked")


def presented_token(headers: Mapping[str, str]) -> str | None:
    """The token in any of the three forms that the SDKs send it; None where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-auth-key") or headers.get("x-auth-user-service-key") or None
