"""What `hoplon doctor` sees of deciding: rules whose own check failed lately, as the traffic records say."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hoplon.errors import HoplonError
from hoplon.service.record_errors import explained
from hoplon.storage.records import Layout, Selection
from hoplon.storage.records.query import QueryLimits, run_query
from hoplon.storage.state import StateDirectory

PERIOD = timedelta(hours=24)
_LIMITS = QueryLimits(seconds=10.0, memory_bytes=512 * 1024**2)
_SQL = """
    SELECT failure, count(*) AS requests
    FROM (SELECT unnest(string_split(failures, ',')) AS failure FROM records WHERE failures <> '')
    GROUP BY failure ORDER BY requests DESC, failure LIMIT 20
"""


@dataclass(frozen=True, slots=True)
class FailingRule:
    """A rule that could not be checked on so many requests, why, and what became of them (`open` or `closed`)."""

    rule: str
    error: str
    mode: str
    requests: int


def look_at_failures(state: StateDirectory, now: datetime) -> tuple[FailingRule, ...]:
    """The rules that failed most often within `PERIOD`; none when records cannot be asked (another check)."""
    selection = Selection(since=now - PERIOD)
    try:
        with explained(_LIMITS), run_query(Layout.of_state(state.root), _SQL, selection, _LIMITS) as answer:
            rows = answer.batches.read_all().to_pylist()
    except HoplonError:
        return ()
    return tuple(_failing(row["failure"], row["requests"]) for row in rows)


def _failing(failure: str, requests: int) -> FailingRule:
    """`rule:error:mode`, as the engine writes it; a rule's id may hold colons itself."""
    rule, _, rest = failure.rpartition(":")[0].rpartition(":")
    return FailingRule(rule, rest, failure.rpartition(":")[2], requests)
