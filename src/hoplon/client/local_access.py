"""Tokens and the audit log of the Hoplon here."""

from collections.abc import Callable, Iterator
from datetime import datetime

from hoplon.model.api_token import ApiToken
from hoplon.model.audit import AuditFilter, AuditRecord
from hoplon.service import tokens as service
from hoplon.service.audit import AuditReport, audit_after, export_audit, verify_audit
from hoplon.service.changes import local_actor
from hoplon.service.token_wishes import TokenWish, spec_of_wish
from hoplon.service.workspace import Workspace

_ALL = 100_000


class LocalTokens:
    """API tokens and the credentials of gateways."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace

    def list(self) -> list[ApiToken]:
        return list(service.list_tokens(self._workspace(), per_page=_ALL, direction="asc").items)

    def create(self, wish: TokenWish) -> tuple[ApiToken, str]:
        workspace = self._workspace()
        return service.create_token(workspace, local_actor(), spec_of_wish(workspace, wish), None)

    def revoke(self, name_or_id: str) -> ApiToken:
        token_id = service.choose_token(self.list(), name_or_id).id
        return service.revoke_token(self._workspace(), local_actor(), token_id)

    def roll(self, name_or_id: str) -> tuple[ApiToken, str]:
        token = service.choose_token(self.list(), name_or_id)
        return token, service.roll_token(self._workspace(), local_actor(), token.id, None)


class LocalAudit:
    """The audit log."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace

    def newest(
        self, since: datetime | None = None, before: datetime | None = None, limit: int = 50
    ) -> list[AuditRecord]:
        found, _ = audit_after(self._workspace(), AuditFilter(since=since, before=before), None, limit)
        return found

    def export(self, since: datetime | None = None, before: datetime | None = None) -> Iterator[AuditRecord]:
        return export_audit(self._workspace(), AuditFilter(since=since, before=before))

    def verify(self, known: tuple[int, str] | None = None) -> AuditReport:
        return verify_audit(self._workspace(), known)
