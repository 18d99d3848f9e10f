"""What a replay found, as values: takes what the engine counted under two policies, gives one report with the names of
the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Effect:
    """What one policy would do with the replayed requests. `unknown`: what records hold does not decide it."""

    allow: int
    log: int
    block: int
    unknown: int


@dataclass(frozen=True, slots=True)
class SessionEffect:
    """So many sessions there were, and so many with at least one such request. Not exact: at least so many."""

    all: int
    log: int
    block: int
    unknown: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """What one rule would do on one operation (None: requests that match none).

    `matched`: its condition holds; `decided`: it is the rule that decides; `unknown`: records do not tell;
    `present`: so many match it under the policy of now. `examples` are ids of records.
    """

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
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The stored requests of one zone under a policy that is not in force.

    `stored`: so many there are in the period; `records`: so many of the newest were replayed, from `since` to `until`.
    `skipped`: of these, how many were not judged, by why. `was`: what was done when they came. `newly_blocked` and
    `no_longer_blocked` compare with that. `unknown_facts`: for how many a fact that is not recorded left it open.
    `examples`: ids of records by what would be done. `unread`: files that could not be read.
    """

    zone_id: str
    zone_name: str
    stored: int
    records: int
    since: datetime | None
    until: datetime | None
    skipped: Mapping[str, int]
    would: Effect
    present: Effect
    was: Mapping[str, int]
    newly_blocked: int
    no_longer_blocked: int
    sessions: SessionEffect
    rules: tuple[RuleEffect, ...]
    unknown_facts: Mapping[str, int]
    examples: Mapping[str, tuple[str, ...]]
    unread: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was replayed, apart from what the engine counted."""

    zone_id: str
    zone_name: str
    stored: int
    unread: tuple[str, ...]
    seconds: float


def make_report(
    replayed: Replayed, new: Mapping[str, Any], present: Mapping[str, Any], names: Mapping[str, str]
) -> ReplayReport:
    """The report of two `hoplon._native.Replay.result()`s over the same records: a new policy's, and that of now."""
    return ReplayReport(
        zone_id=replayed.zone_id,
        zone_name=replayed.zone_name,
        stored=replayed.stored,
        records=new["records"],
        since=_moment(new["since"]),
        until=_moment(new["until"]),
        skipped=new["skipped"],
        would=_effect(new["would"]),
        present=_effect(present["would"]),
        was=new["was"],
        newly_blocked=new["newly_blocked"],
        no_longer_blocked=new["no_longer_blocked"],
        sessions=_sessions(new["sessions"], new["sessions_exact"]),
        rules=_rules(new["rules"], present["rules"], names),
        unknown_facts=new["unknown_facts"],
        examples={what: tuple(ids) for what, ids in new["examples"].items()},
        unread=replayed.unread,
        seconds=replayed.seconds,
    )


def _rules(
    new: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> tuple[RuleEffect, ...]:
    """Rules of the new policy in the engine's order, then those that only the policy of now has."""
    before = {_place(row): row for row in present}
    effects = [_rule(row, before.pop(_place(row), {}).get("matched", 0), names) for row in new]
    gone = ({**row, "matched": 0, "decided": 0, "unknown": 0, "sessions": 0, "examples": ()} for row in before.values())
    effects += [_rule(row, before[_place(row)]["matched"], names) for row in gone]
    return tuple(effects)


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["rule"], row["operation"]


def _rule(row: Mapping[str, Any], present: int, names: Mapping[str, str]) -> RuleEffect:
    taken = {name: row[name] for name in RuleEffect.__slots__ if name not in ("rule_name", "present", "examples")}
    return RuleEffect(**taken, rule_name=names.get(row["rule"]), present=present, examples=tuple(row["examples"]))


def _sessions(counts: Mapping[str, int], is_exact: bool) -> SessionEffect:
    return SessionEffect(counts["all"], counts["log"], counts["block"], counts["unknown"], is_exact)


def _effect(counts: Mapping[str, int]) -> Effect:
    return Effect(**{name: counts.get(name, 0) for name in Effect.__slots__})


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else datetime.fromtimestamp(micros / 1_000_000, UTC)
