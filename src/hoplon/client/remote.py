"""A Hoplon elsewhere. Each member is one resource, with the methods of its twin in `hoplon.client.local`."""

from types import TracebackType
from typing import Self

from hoplon.client.connection import Connection
from hoplon.client.identity import RemoteIdentity
from hoplon.client.remote_access import RemoteAudit, RemoteTokens
from hoplon.client.remote_decisions import RemoteDecisions
from hoplon.client.remote_labels import RemoteLabels
from hoplon.client.remote_operations import RemoteOperations
from hoplon.client.remote_policy import RemotePolicy
from hoplon.client.remote_replays import RemoteReplays
from hoplon.client.remote_rulesets import RemoteRulesets
from hoplon.client.remote_token_validation import RemoteTokenValidation
from hoplon.client.remote_zones import RemoteGateways, RemoteMode, RemoteZones


class Remote:
    """The Hoplon at `server` (`https://host:port`), for whoever holds `token`. A context manager.

    `ca_file` says who signed its certificate (default: the system's authorities). Raises the HoplonErrors that a local
    call raises, and `server.*` when there is no answer of a Hoplon.
    """

    def __init__(self, server: str, token: str, ca_file: str | None = None, *, is_plain_allowed: bool = False) -> None:
        self._connection = Connection(server, token, ca_file, is_plain_allowed=is_plain_allowed)
        self.zones = RemoteZones(self._connection)
        self.gateways = RemoteGateways(self._connection)
        self.mode = RemoteMode(self._connection)
        self.policy = RemotePolicy(self._connection, self.zones)
        self.tokens = RemoteTokens(self._connection)
        self.audit = RemoteAudit(self._connection)
        self.operations = RemoteOperations(self._connection, self.zones)
        self.labels = RemoteLabels(self._connection, self.zones)
        self.identity = RemoteIdentity(self._connection, self.zones)
        self.token_validation = RemoteTokenValidation(self._connection, self.zones)
        self.rules = RemoteRulesets(self._connection, self.zones, "rules")
        self.limits = RemoteRulesets(self._connection, self.zones, "limits")
        self.decisions = RemoteDecisions(self._connection, self.zones)
        self.replays = RemoteReplays(self._connection, self.zones)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()
