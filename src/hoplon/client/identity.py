"""Session identifiers of a Hoplon here (`LocalIdentity`) and of one elsewhere (`RemoteIdentity`)."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from hoplon.client.connection import Connection
from hoplon.client.remote_zones import CLOUDFLARE, OWN, RemoteZones
from hoplon.identity.policy import Identifier
from hoplon.service.changes import local_actor
from hoplon.service.identity import get_identifiers, set_identifiers
from hoplon.service.identity_proposal import Proposal, propose_identifiers
from hoplon.service.policy import find_zone
from hoplon.service.workspace import Workspace

Identifiers = tuple[Identifier, ...]


class LocalIdentity:
    """What identifies the sessions of a zone, by its name (None: the only one)."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace

    def get(self, zone: str | None) -> Identifiers:
        """The identifiers in the order in which they are asked."""
        return get_identifiers(self._workspace(), find_zone(self._workspace(), zone).zone_id).identifiers

    def set(self, zone: str | None, identifiers: Sequence[Identifier]) -> int:
        """Replace them all; the zone's version."""
        zone_id = find_zone(self._workspace(), zone).zone_id
        return set_identifiers(self._workspace(), local_actor(), zone_id, identifiers).version

    def proposals(self, zone: str | None) -> list[Proposal]:
        """What the traffic of the last day suggests where there are none."""
        zone_id = find_zone(self._workspace(), zone).zone_id
        return [each for each in propose_identifiers(self._workspace(), datetime.now(UTC)) if each.zone_id == zone_id]


class RemoteIdentity:
    """The same over HTTP."""

    def __init__(self, connection: Connection, zones: RemoteZones) -> None:
        self._connection = connection
        self._zones = zones

    def get(self, zone: str | None) -> Identifiers:
        """The identifiers in the order in which they are asked."""
        forms = self._connection.ask("GET", self._configuration(zone)).result["auth_id_characteristics"]
        return tuple(Identifier(form["type"], form["name"]) for form in forms)

    def set(self, zone: str | None, identifiers: Sequence[Identifier]) -> int:
        """Replace them all; the zone's version."""
        body = {"auth_id_characteristics": [{"type": each.kind, "name": each.name} for each in identifiers]}
        return self._connection.ask("PUT", self._configuration(zone), body=body).version or 0

    def proposals(self, zone: str | None) -> list[Proposal]:
        """What the traffic of the last day suggests where there are none."""
        chosen = self._zones.choose(zone)
        forms = self._connection.ask("GET", f"{OWN}/zones/{chosen.id}/identity/proposals").result
        return [
            Proposal(chosen.id, chosen.name, Identifier(form["type"], form["name"]), form["requests"], form["share"])
            for form in forms
        ]

    def _configuration(self, zone: str | None) -> str:
        return f"{CLOUDFLARE}/zones/{self._zones.choose(zone).id}/api_gateway/configuration"
