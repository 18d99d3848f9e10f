"""What the demo asks of the Hoplon it started, through `hoplon.service`: what was seen, a policy, its effect, one
decision.

Takes the state directory. Everything here can be done with a command of `hoplon`, which the story shows beside it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoplon.catalog import SavedTemplate
from hoplon.errors import HoplonError
from hoplon.service.decisions import Decision, find_decision
from hoplon.service.gateway import await_bundle
from hoplon.service.policy import apply_policy, export_policy
from hoplon.service.records import ZoneOperations, query_records, zone_operations
from hoplon.service.replay import prepare_replay, run_replay
from hoplon.service.replay_report import ReplayReport
from hoplon.service.seen_operations import policy_with
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage.state import StateDirectory


@dataclass(frozen=True, slots=True)
class Change:
    """A policy change that the gateway acts on: the version, the bundle's hash, from commit to effect."""

    version: int
    bundle: str
    milliseconds: float


class Installation:
    """The state directory that `hoplon up` works in."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._state = StateDirectory(root)

    def wait_for_records(self, requests: int, patience_seconds: float) -> None:
        """Return once at least `requests` are stored; the gateway writes them down each second."""
        deadline = time.monotonic() + patience_seconds
        while (stored := self._rows("SELECT count(*) AS stored FROM records")[0]["stored"]) < requests:
            if time.monotonic() > deadline:
                raise HoplonError("demo.failed", f"{stored} records of {requests} requests", "see logs/gateway.log")
            time.sleep(0.2)

    def seen(self) -> ZoneOperations:
        """What Hoplon saw: `hoplon operations`."""
        with open_workspace(self._root) as workspace:
            [zone] = zone_operations(workspace)
        return zone

    def save(self, operations: Sequence[SavedTemplate]) -> Change:
        """Make these operations saved ones: `hoplon operations --as-policy -o FILE`, `hoplon policy apply FILE`."""
        with open_workspace(self._root) as workspace:
            return _apply(workspace, policy_with(workspace, None, operations))

    def block_unknown(self) -> Change:
        """Turn `fallthrough` from log to block in the exported policy, and apply it."""
        with open_workspace(self._root) as workspace:
            return _apply(workspace, _blocking(workspace))

    def replay_block(self) -> ReplayReport:
        """What `block_unknown` would have done with everything so far: `hoplon replay --policy FILE`."""
        with open_workspace(self._root) as workspace:
            prepared = prepare_replay(workspace, _blocking(workspace))
            return run_replay(workspace.state, prepared, None, None)

    def decision(self, request_id: str, patience_seconds: float) -> Decision:
        """What was decided about a request, once it is stored: `hoplon decisions ID`."""
        deadline = time.monotonic() + patience_seconds
        with open_workspace(self._root) as workspace:
            while True:
                try:
                    return find_decision(workspace, request_id)
                except HoplonError as error:
                    if error.code != "records.unknown" or time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with query_records(self._state, sql) as answer:
            rows: list[dict[str, Any]] = answer.batches.read_all().to_pylist()
            return rows


def _blocking(workspace: Workspace) -> str:
    """The policy as it is, but for what happens to requests that match no operation."""
    return export_policy(workspace).replace('fallthrough = "log"', 'fallthrough = "block"')


def _apply(workspace: Workspace, text: str) -> Change:
    """Apply a policy and wait until the gateway has taken it."""
    began = time.perf_counter()
    applied = apply_policy(workspace, text, "the demo's policy")
    taken = await_bundle(workspace.state, applied.bundle)
    milliseconds = (time.perf_counter() - began) * 1000
    if applied.bundle is None or taken.outcome != "taken":
        problems = "; ".join(map(str, taken.problems))
        raise HoplonError("demo.failed", f"the gateway did not take the policy: {taken.outcome} {problems}")
    return Change(applied.version, applied.bundle, milliseconds)
