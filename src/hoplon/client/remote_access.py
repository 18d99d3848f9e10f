"""Tokens and the audit log of a Hoplon elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from hoplon.client.connection import Connection
from hoplon.errors import HoplonError
from hoplon.model.api_token import ApiToken
from hoplon.model.audit import AuditRecord
from hoplon.model.permissions import group_named
from hoplon.service.audit import AuditReport
from hoplon.service.token_wishes import TokenWish
from hoplon.service.tokens import choose_token

_TOKENS = "/hoplon/v1/tokens"
_TOKEN = "/client/v4/user/tokens"  # noqa: S105 - a path
_AUDIT = "/hoplon/v1/audit"
_AT_ONCE = 1000


class RemoteTokens:
    """API tokens and the credentials of gateways. What is made can do no more than the token that makes it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[ApiToken]:
        """Every token, in the order of their issue."""
        return [self._read(each) for each in self._connection.ask("GET", _TOKENS).result]

    def create(self, wish: TokenWish) -> tuple[ApiToken, str]:
        """A new token and its secret, which nobody can ask for again."""
        made = self._connection.ask("POST", _TOKENS, body=asdict(wish)).result
        return self._read(made["token"]), str(made["secret"])

    def revoke(self, name_or_id: str) -> ApiToken:
        """Remove a token, by its id or its name."""
        token = choose_token(self.list(), name_or_id)
        self._connection.ask("DELETE", f"{_TOKEN}/{token.id}")
        return token

    def roll(self, name_or_id: str) -> tuple[ApiToken, str]:
        """Another secret for a token; the old one stops working at once."""
        token = choose_token(self.list(), name_or_id)
        return token, str(self._connection.ask("PUT", f"{_TOKEN}/{token.id}/value", body={}).result)

    def _read(self, document: Mapping[str, Any]) -> ApiToken:
        """A token whose groups come by name. A name that this version does not know raises `server.other_version`."""
        try:
            policies = [
                {**policy, "groups": [group_named(name) for name in policy["groups"]]}
                for policy in document["policies"]
            ]
        except KeyError as error:
            message = f"the server knows the permission group {error}, this version does not"
            raise HoplonError("server.other_version", message, "use the same version on both sides") from None
        token: ApiToken = self._connection.read(ApiToken, {**document, "policies": policies})
        return token


class RemoteAudit:
    """The audit log."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def newest(
        self, since: datetime | None = None, before: datetime | None = None, limit: int = 50
    ) -> list[AuditRecord]:
        """The newest entries, newest first."""
        found: list[AuditRecord] = []
        for each in self._records("desc", since, before, min(limit, _AT_ONCE)):
            found.append(each)
            if len(found) == limit:
                break
        return found

    def export(self, since: datetime | None = None, before: datetime | None = None) -> Iterator[AuditRecord]:
        """Every entry, oldest first."""
        return self._records("asc", since, before, _AT_ONCE)

    def verify(self, known: tuple[int, str] | None = None) -> AuditReport:
        """Whether the log is whole, as the server finds it."""
        query = {"known": f"{known[0]}:{known[1]}" if known else None}
        report: AuditReport = self._connection.read(
            AuditReport, self._connection.ask("GET", f"{_AUDIT}/report", query=query).result
        )
        return report

    def _records(
        self, direction: str, since: datetime | None, before: datetime | None, limit: int
    ) -> Iterator[AuditRecord]:
        beyond: int | None = None
        while True:
            query = {"direction": direction, "limit": limit, "beyond": beyond}
            query |= {name: value.isoformat() for name, value in (("since", since), ("before", before)) if value}
            reply = self._connection.ask("GET", _AUDIT, query=query)
            yield from self._connection.read(list[AuditRecord], reply.result)
            beyond = reply.info.get("beyond")
            if beyond is None:
                return
