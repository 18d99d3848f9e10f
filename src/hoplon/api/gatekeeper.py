"""Lets a request in or not: token, its time and addresses, how often, and what it grants; counts what it refuses.

Order: no oracle for strangers (one answer for every token that is not good), and the token is known before anything
says whether an account or a zone exists.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from hoplon.api.auth import Caller, Groups, RequestFacts, client_address, parse_networks, presented_token, reach
from hoplon.api.rate import RateLimiter, address_key
from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.api_token import ApiToken, refusal
from hoplon.service.token_cache import Installation, TokenCache
from hoplon.service.token_uses import TokenUses
from hoplon.service.workspace import Workspace
from hoplon.settings.fields import ApiSettings

_REFUSALS = {
    "disabled": "this API token is disabled",
    "expired": "this API token has expired",
    "not_yet": "this API token may not be used yet",
}
"""Said to who has the secret of a token; who has not learns only that he has none."""


class Gatekeeper:
    """The `Authorise` of a served API."""

    def __init__(
        self,
        workspace: Workspace,
        settings: ApiSettings,
        refused: Callable[[str], None] = lambda reason: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tokens = TokenCache(workspace)
        self._uses = TokenUses(workspace)
        self._requests = RateLimiter(settings.requests_per_minute)
        self._failures = RateLimiter(settings.failures_per_minute)
        self._trusted = parse_networks(settings.trusted_proxies)
        self._refused = refused
        self._now = now

    def __call__(self, workspace: Workspace, facts: RequestFacts, groups: Groups) -> Caller:
        """The caller, when the token may do what needs `groups` on the zone or account that the path names.

        Raises `auth.missing`, `auth.invalid`, `auth.address`, `auth.forbidden`, `request.rate`, or `account.unknown`
        and `zone.unknown` for what the token cannot see.
        """
        address = client_address(facts.address, facts.headers, self._trusted)
        token, installation = self._authenticated(facts, address)
        if wait := self._requests.wait_seconds(token.id):
            self._refused("rate")
            raise _too_often("this token asks too often", wait)
        try:
            zone_ids = reach(token, facts, groups, installation)
        except HoplonError as error:
            self._refused(error.code)
            raise
        return Caller(Actor("token", token.id, token.name, address, facts.request_id), zone_ids, token)

    def close(self) -> None:
        """Write what is still to be written, and let go of the database."""
        self._uses.close()
        self._tokens.close()

    def _authenticated(self, facts: RequestFacts, address: str) -> tuple[ApiToken, Installation]:
        secret = presented_token(facts.headers)
        if secret is None:
            raise self._failed(address, "missing", "auth.missing", "no API token was sent")
        token, installation = self._tokens.find(secret)
        if token is None:
            raise self._failed(address, "unknown", "auth.invalid", "this API token is unknown, expired or revoked")
        now = self._now()
        reason = refusal(token, now, address)
        if reason == "address":
            message = f"Cannot use the access token from location: {address}"
            raise self._failed(address, reason, "auth.address", message)
        if reason is not None:
            raise self._failed(address, reason, "auth.invalid", _REFUSALS[reason])
        self._uses.note(token.id, now)
        return token, installation

    def _failed(self, address: str, reason: str, code: str, message: str) -> HoplonError:
        """The error for a failed authentication. Only who has no good token is ever held up by the failures of his
        address: those who share it with an attacker go on."""
        self._refused(reason)
        if wait := self._failures.wait_seconds(address_key(address)):
            return _too_often("too many failed authentications from this address", wait)
        hint = "send `Authorization: Bearer TOKEN`" if code == "auth.missing" else None
        return HoplonError(code, message, hint)


def _too_often(message: str, wait_seconds: float) -> HoplonError:
    return HoplonError("request.rate", message, retry_seconds=wait_seconds)
