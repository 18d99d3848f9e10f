"""Replays in a process of their own (`hoplon.replay_process`), so that the API goes on answering: bounded in all."""

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from hoplon.errors import HoplonError
from hoplon.model.versions import PolicyBundle
from hoplon.service.replay import PreparedReplay, ReplayBounds
from hoplon.service.replay_report import ReplayReport
from hoplon.storage.state import StateDirectory

ADDRESS_SPACE_BYTES = 6 * 2**30
"""What Python, Arrow, DuckDB and two engines reserve without using it, and room for the records of one sorted chunk."""
_START_SECONDS = 20.0
"""How long a loaded machine may take to start the process."""
_REPORT = TypeAdapter(ReplayReport)


@dataclass(frozen=True, slots=True)
class IsolatedReplay:
    """One replay and everything that bounds it."""

    state: str
    prepared: PreparedReplay
    since: datetime | None
    until: datetime | None
    bounds: ReplayBounds

    def to_json(self) -> str:
        """As text. Times are ISO 8601, bytes base64."""
        prepared = self.prepared
        return json.dumps(
            {
                "state": self.state,
                "zone_id": prepared.zone_id,
                "zone_name": prepared.zone_name,
                "new": _written(prepared.new),
                "present": _written(prepared.present),
                "names": dict(prepared.names),
                "since": self.since and self.since.isoformat(),
                "until": self.until and self.until.isoformat(),
                "bounds": asdict(self.bounds),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "IsolatedReplay":
        """What `to_json` wrote."""
        given: dict[str, Any] = json.loads(text)
        new, present = _read(given["new"]), _read(given["present"])
        prepared = PreparedReplay(given["zone_id"], given["zone_name"], new, present, given["names"])
        since, until = (given[name] and datetime.fromisoformat(given[name]) for name in ("since", "until"))
        return cls(given["state"], prepared, since, until, ReplayBounds(**given["bounds"]))


def replay_apart(
    state: StateDirectory,
    prepared: PreparedReplay,
    since: datetime | None,
    until: datetime | None,
    bounds: ReplayBounds,
) -> ReplayReport:
    """As `run_replay`. Raises `replay.limit` too when the process had to be ended."""
    command = (sys.executable, "-m", "hoplon.replay_process")
    wish = IsolatedReplay(str(state.root), prepared, since, until, bounds).to_json().encode()
    try:
        done = subprocess.run(
            command, input=wish, capture_output=True, timeout=bounds.seconds + _START_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _ended() from None
    if done.returncode != 0:
        raise _ended()
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise HoplonError(**answer["error"])
    return _REPORT.validate_python(answer["report"])


def report_document(report: ReplayReport) -> dict[str, Any]:
    """The report as JSON values: times in ISO 8601, members named as the report's."""
    document: dict[str, Any] = _REPORT.dump_python(report, mode="json")
    return document


def _written(bundle: PolicyBundle) -> Mapping[str, Any]:
    parts = {digest: b64encode(part).decode() for digest, part in bundle.parts.items()}
    return {"manifest": b64encode(bundle.manifest).decode(), "parts": parts}


def _read(given: Mapping[str, Any]) -> PolicyBundle:
    parts = {digest: b64decode(part) for digest, part in given["parts"].items()}
    return PolicyBundle(b64decode(given["manifest"]), parts)


def _ended() -> HoplonError:
    message = "the replay needed more memory or time than it may use, and was ended"
    return HoplonError("replay.limit", message, "replay a shorter period: --since 1h")
