"""Replays over the records of a state directory here; its twin is `remote_replays`."""

from collections.abc import Callable
from datetime import datetime

from hoplon.service.replay import Progress, ReplayBounds, prepare_replay, run_replay
from hoplon.service.replay_report import ReplayReport
from hoplon.service.workspace import Workspace


class LocalReplays:
    """What a policy that is not in force would have done."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace

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
        """Replay stored records under the policy document `text`. Raises as applying it would, and `replay.limit`."""
        workspace = self._workspace()
        prepared = prepare_replay(workspace, text, origin, zone)
        return run_replay(workspace.state, prepared, since, until, bounds, on_progress)
