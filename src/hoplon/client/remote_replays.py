"""Replays over the records of a Hoplon elsewhere; its twin is `local_replays`."""

from datetime import datetime

from hoplon.client.connection import Connection
from hoplon.client.remote_zones import OWN, RemoteZones
from hoplon.policy.document import read_policy
from hoplon.service.agreement import disagreements
from hoplon.service.features import FEATURES
from hoplon.service.policy import choose_zone
from hoplon.service.replay import SERVED_BOUNDS, Progress, ReplayBounds
from hoplon.service.replay_report import ReplayReport

_TOML = "application/toml"


class RemoteReplays:
    """What a policy that is not in force would have done."""

    def __init__(self, connection: Connection, zones: RemoteZones) -> None:
        self._connection = connection
        self._zones = zones

    def run(
        self,
        text: str,
        origin: str,
        zone: str | None,
        since: datetime | None,
        until: datetime | None,
        bounds: ReplayBounds,
        on_progress: Progress,
    ) -> ReplayReport:
        """Replay stored records there, within the server's own bounds. Of its progress nothing is heard."""
        name = zone or read_policy(text, FEATURES, origin, disagreements).zone.name
        query = {
            "origin": origin,
            "since": since and since.isoformat(),
            "until": until and until.isoformat(),
            "max_records": min(bounds.max_records, SERVED_BOUNDS.max_records),
        }
        path = f"{OWN}/zones/{choose_zone(self._zones.list(), name).id}/replays"
        reply = self._connection.ask("POST", path, query=query, content=text.encode(), media_type=_TOML)
        report: ReplayReport = self._connection.read(ReplayReport, reply.result)
        return report
