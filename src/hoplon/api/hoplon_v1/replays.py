"""`/hoplon/v1/zones/{zone_id}/replays`: what a policy document would have done with the zone's stored requests.

Nothing is stored. Bounded in records and time, one at a time, in a process of its own.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from typing_extensions import TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.hoplon_v1.policy import TOML, policy_text
from hoplon.api.query import Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.service.isolated_replay import replay_apart, report_document
from hoplon.service.records import parse_moment
from hoplon.service.replay import DEFAULT_PERIOD, SERVED_BOUNDS, ReplayBounds, prepare_replay
from hoplon.service.zones import get_zone

_ORIGIN = "the policy"
_turn = threading.BoundedSemaphore(1)


class EffectForm(TypedDict):
    """What one policy would do with the replayed requests. `unknown`: what records hold does not decide it."""

    allow: int
    log: int
    block: int
    unknown: int


class SessionEffectForm(TypedDict):
    """So many sessions there were, and so many with at least one such request. Not exact: at least so many."""

    all: int
    log: int
    block: int
    unknown: int
    is_exact: bool


class RuleEffectForm(TypedDict):
    """What one rule would do on one operation (null: requests that match none). `matched`: its condition holds;
    `decided`: it is the rule that decides; `unknown`: records do not tell; `present`: so many match it now."""

    rule: str
    rule_name: str | None
    stage: str
    action: str
    violation: str | None
    method: str | None
    operation: str | None
    operation_path: str | None
    matched: int
    decided: int
    unknown: int
    sessions: int
    present: int
    examples: list[str]


class ReplayForm(TypedDict):
    """The stored requests of a zone under a policy that is not in force. `stored`: in the period; `records`: so many of
    the newest were replayed, from `since` to `until`; `skipped`: of these, how many were not judged, by why; `was`:
    what was done when they came; `unknown_facts`: for how many a fact that is not recorded left it open."""

    zone_id: str
    zone_name: str
    stored: int
    records: int
    since: str | None
    until: str | None
    skipped: dict[str, int]
    would: EffectForm
    present: EffectForm
    was: dict[str, int]
    newly_blocked: int
    no_longer_blocked: int
    sessions: SessionEffectForm
    rules: list[RuleEffectForm]
    unknown_facts: dict[str, int]
    examples: dict[str, list[str]]
    unread: list[str]
    seconds: float


@described(
    "What a TOML document as the policy of the zone would have done with its stored requests.",
    query=(
        Text("origin", "What errors call the document.", 200),
        Text("since", "From here on: 15m, 24h, 7d ago, or an ISO 8601 time. Without it: the last 24 hours.", 64),
        Text("until", "Up to here; this moment is not included.", 64),
        Integer("max_records", "So many of the newest.", 1, SERVED_BOUNDS.max_records, SERVED_BOUNDS.max_records),
    ),
    body_media_types=(TOML,),
    result=ReplayForm,
)
def run(request: ApiRequest) -> Answer:
    zone = get_zone(request.workspace, request.zone_id)
    given, now = request.query, datetime.now(UTC)
    since = now - DEFAULT_PERIOD if given["since"] is None else parse_moment(given["since"], now)
    until = None if given["until"] is None else parse_moment(given["until"], now)
    origin = given["origin"] or _ORIGIN
    prepared = prepare_replay(request.workspace, policy_text(request), origin, zone.name)
    bounds = ReplayBounds(given["max_records"], SERVED_BOUNDS.seconds)
    with _one_at_a_time():
        report = replay_apart(request.workspace.state, prepared, since, until, bounds)
    return answer(report_document(report))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if not _turn.acquire(timeout=1.0):
        raise HoplonError("replay.busy", "a replay is under way", "try again when it is over: at most a minute")
    try:
        yield
    finally:
        _turn.release()
