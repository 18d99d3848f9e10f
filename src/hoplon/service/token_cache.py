"""The tokens that are in use, in memory: asked on every request, and forgotten whenever anybody has committed anything.

So a token that is revoked, by whatever process, is refused from the next request on.
"""

from dataclasses import dataclass, field

from hoplon.model.api_token import ApiToken
from hoplon.service.token_secret import is_secret, secret_hash
from hoplon.service.workspace import Workspace
from hoplon.storage.commits import CommitWatch
from hoplon.storage.database import reading
from hoplon.storage.policies import all_zones, the_account
from hoplon.storage.tokens import token_of_hash

_MOST_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Installation:
    """What a decision needs to know of an installation besides the token."""

    account_id: str
    zone_ids: frozenset[str]


@dataclass(slots=True)
class _Known:
    version: tuple[int, int]
    installation: Installation
    tokens: dict[str, ApiToken] = field(default_factory=dict)


class TokenCache:
    """Finds tokens by their secret; only those that exist are kept, so strangers cannot fill it."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._watch = CommitWatch(workspace.database)
        self._known: _Known | None = None

    def find(self, secret: str) -> tuple[ApiToken | None, Installation]:
        """The token with this secret, whatever its status, and the installation it belongs to."""
        known = self._current()
        if not is_secret(secret):
            return None, known.installation
        hashed = secret_hash(secret)
        token = known.tokens.get(hashed)
        if token is None:
            with reading(self._workspace.database) as connection:
                token = token_of_hash(connection, hashed)
            if token is not None and len(known.tokens) < _MOST_TOKENS:
                known.tokens[hashed] = token
        return token, known.installation

    def close(self) -> None:
        self._watch.close()

    def _current(self) -> _Known:
        version, known = self._watch.version(), self._known
        if known is None or known.version != version:
            with reading(self._workspace.database) as connection:
                zone_ids = frozenset(zone.id for zone in all_zones(connection))
                installation = Installation(the_account(connection).id, zone_ids)
            known = self._known = _Known(version, installation)
        return known
