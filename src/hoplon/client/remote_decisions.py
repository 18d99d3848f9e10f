"""The decision log of a Hoplon elsewhere; its twin is `local_decisions`."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import quote

from hoplon.client.connection import Connection
from hoplon.client.remote_zones import OWN, RemoteZones
from hoplon.service.decisions import Decision, DecisionFilter, Decisions


class RemoteDecisions:
    """Stored requests that were not plain allow."""

    def __init__(self, connection: Connection, zones: RemoteZones) -> None:
        self._connection = connection
        self._zones = zones

    def list(
        self, wanted: DecisionFilter, zone: str | None, since: datetime | None, until: datetime | None, limit: int
    ) -> Decisions:
        """The newest decisions of the zone called `zone`, or of all of them."""
        base = OWN if zone is None else f"{OWN}/zones/{self._zones.choose(zone).id}"
        query: dict[str, Any] = {
            **asdict(wanted),
            "since": since and since.isoformat(),
            "until": until and until.isoformat(),
            "limit": limit,
        }
        reply = self._connection.ask("GET", f"{base}/decisions", query=query)
        found: Decisions = self._connection.read(Decisions, reply.result)
        return found

    def show(self, record_id: str) -> Decision:
        """The decision about one request. Raises `records.unknown`."""
        reply = self._connection.ask("GET", f"{OWN}/decisions/{quote(record_id, safe='')}")
        found: Decision = self._connection.read(Decision, reply.result)
        return found
