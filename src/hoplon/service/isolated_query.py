"""Queries over the traffic records in a process of their own (`hoplon.query_process`): bounded, and killed in time."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from hoplon.errors import HoplonError
from hoplon.storage.records import Selection
from hoplon.storage.records.query import QueryLimits
from hoplon.storage.state import StateDirectory

ADDRESS_SPACE_BYTES = 3 * 2**30
"""What Python, Arrow and DuckDB reserve without using it, and room for a query."""
_START_SECONDS = 20.0
"""How long a loaded machine may take to start the process."""


@dataclass(frozen=True, slots=True)
class IsolatedQuery:
    """One query and everything that bounds it. Times are ISO 8601."""

    state: str
    sql: str
    zones: tuple[str, ...] | None
    since: str | None
    until: str | None
    limits: QueryLimits
    max_rows: int
    max_answer_bytes: int
    address_space_bytes: int = ADDRESS_SPACE_BYTES

    def selection(self) -> Selection:
        since, until = (None if text is None else datetime.fromisoformat(text) for text in (self.since, self.until))
        return Selection(self.zones, since, until)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "IsolatedQuery":
        given: dict[str, Any] = json.loads(text)
        zones = given.pop("zones")
        limits = QueryLimits(**given.pop("limits"))
        return cls(zones=None if zones is None else tuple(zones), limits=limits, **given)


def query_apart(
    state: StateDirectory, sql: str, selection: Selection, limits: QueryLimits, max_rows: int, max_answer_bytes: int
) -> dict[str, Any]:
    """The members `columns`, `rows`, `is_complete` and `skipped` of the answer to one SELECT.

    Raises what `service.records.query_records` raises, and `records.limit` when the process had to be ended.
    """
    since, until = (None if moment is None else moment.isoformat() for moment in (selection.since, selection.until))
    query = IsolatedQuery(str(state.root), sql, selection.zones, since, until, limits, max_rows, max_answer_bytes)
    answer = _answer(query)
    if "error" in answer:
        raise HoplonError(**answer["error"])
    found: dict[str, Any] = answer["found"]
    return found


def _answer(query: IsolatedQuery) -> dict[str, Any]:
    command = (sys.executable, "-m", "hoplon.query_process")
    timeout = query.limits.seconds + _START_SECONDS
    try:
        done = subprocess.run(
            command, input=query.to_json().encode(), capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise _ended() from None
    if done.returncode != 0:
        raise _ended()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _ended() -> HoplonError:
    message = "the query needed more memory or time than it may use, and was ended"
    return HoplonError("records.limit", message, "ask for fewer rows or columns, or aggregate")
