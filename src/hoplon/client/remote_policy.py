"""Policy documents of a Hoplon elsewhere. A document is read here first: its errors are those of a local file."""

from hoplon.client.connection import Connection, Reply
from hoplon.client.remote_zones import OWN, RemoteZones, read_acknowledgement
from hoplon.model.versions import PolicyVersion
from hoplon.policy.document import read_policy
from hoplon.service.agreement import disagreements
from hoplon.service.features import FEATURES
from hoplon.service.gateway import Acknowledgement
from hoplon.service.policy import Applied, PolicyDifference, choose_zone

_TOML = "application/toml"


class RemotePolicy:
    """A zone's policy as one document, and its history."""

    def __init__(self, connection: Connection, zones: RemoteZones) -> None:
        self._connection = connection
        self._zones = zones

    def export(self, zone: str | None = None, version: int | None = None) -> str:
        """The canonical text of a zone's policy, newest or as it was."""
        return self._connection.ask("GET", self._path(zone), query={"version": version}).content.decode()

    def apply(
        self,
        text: str,
        origin: str = "the policy",
        zone: str | None = None,
        create: bool = False,
        wait_seconds: float = 5.0,
    ) -> tuple[Applied, Acknowledgement]:
        """Make `text` the policy of its zone; what changed, and what the gateway beside the server said to it."""
        name = zone or read_policy(text, FEATURES, origin, disagreements).zone.name
        zones = self._zones.list()
        is_new = create and name not in [each.name for each in zones]
        method, path = ("POST", f"{OWN}/policies") if is_new else ("PUT", _policy(choose_zone(zones, name).id))
        return self._applied(self._send(method, path, text, wait_seconds))

    def diff(self, text: str, origin: str = "the policy", zone: str | None = None) -> PolicyDifference:
        """What `apply` would change."""
        name = zone or read_policy(text, FEATURES, origin, disagreements).zone.name
        found = next((each for each in self._zones.list() if each.name == name), None)
        path = f"{_policy(found.id)}/diff" if found else f"{OWN}/policies/diff"
        reply = self._connection.ask("POST", path, query={"origin": origin}, content=text.encode(), media_type=_TOML)
        difference: PolicyDifference = self._connection.read(PolicyDifference, reply.result)
        return difference

    def rollback(
        self, zone: str | None = None, to_version: int | None = None, wait_seconds: float = 5.0
    ) -> tuple[Applied, Acknowledgement]:
        """Make an older version (by default the one before) the policy again."""
        query = {"wait": round(wait_seconds)}
        body = {"version": to_version}
        return self._applied(self._connection.ask("POST", f"{self._path(zone)}/rollback", query=query, body=body))

    def history(self, zone: str | None = None, limit: int = 50) -> list[PolicyVersion]:
        """The last versions of a zone's policy, newest first."""
        reply = self._connection.ask("GET", f"{self._path(zone)}/versions", query={"limit": limit})
        found: list[PolicyVersion] = self._connection.read(list[PolicyVersion], reply.result)
        return found

    def _path(self, zone: str | None) -> str:
        return _policy(self._zones.choose(zone).id)

    def _send(self, method: str, path: str, text: str, wait_seconds: float) -> Reply:
        query = {"wait": round(wait_seconds)}
        return self._connection.ask(method, path, query=query, content=text.encode(), media_type=_TOML)

    def _applied(self, reply: Reply) -> tuple[Applied, Acknowledgement]:
        applied: Applied = self._connection.read(Applied, reply.result)
        return applied, read_acknowledgement(self._connection, reply.result["gateway"])


def _policy(zone_id: str) -> str:
    return f"{OWN}/zones/{zone_id}/policy"
