"""The decision log of a state directory here; its twin is `remote_decisions`."""

from collections.abc import Callable
from datetime import datetime

from hoplon.service.decisions import Decision, DecisionFilter, Decisions, find_decision, list_decisions
from hoplon.service.records import resolve_zones
from hoplon.service.workspace import Workspace
from hoplon.storage.records import Selection


class LocalDecisions:
    """Stored requests that were not plain allow."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace

    def list(
        self, wanted: DecisionFilter, zone: str | None, since: datetime | None, until: datetime | None, limit: int
    ) -> Decisions:
        """The newest decisions of the zone called `zone`, or of all of them."""
        workspace = self._workspace()
        return list_decisions(workspace, Selection(resolve_zones(workspace, zone), since, until), wanted, limit)

    def show(self, record_id: str) -> Decision:
        """The decision about one request. Raises `records.unknown`."""
        return find_decision(self._workspace(), record_id)
