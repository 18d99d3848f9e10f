"""The decision log: every stored request that is not plain allow, with the rule that decided as its policy names it.

Takes a filter and gives decisions, newest first; reads records, violations and the policy versions of the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hoplon.errors import HoplonError
from hoplon.model.zone import Zone
from hoplon.service.record_errors import explained
from hoplon.service.records import show_record
from hoplon.service.rule_names import rule_names
from hoplon.service.stores import load_policy
from hoplon.service.workspace import Workspace
from hoplon.storage import policies
from hoplon.storage.database import reading
from hoplon.storage.records import Layout, Selection
from hoplon.storage.records.query import QueryLimits, run_query
from hoplon.storage.records.schema import literal

SKIP = "skip"
ACTIONS = ("log", "block", "refuse", SKIP)
SKIPPED = "rules.skipped"
"""What a rule that skips others leaves behind where it logs; the action of such a violation is `log` in records."""
MAX_DECISIONS = 1000
LIMITS = QueryLimits(seconds=30.0, memory_bytes=512 * 1024**2)
IS_DECISION = "(action <> 'allow' OR violation_count > 0 OR failures <> '')"
"""What is not plain allow, as SQL over `records`."""
_COLUMNS = (
    *("id", "time", "zone", "method", "host", "path", "operation_id", "operation_path", "session", "session_source"),
    *("client", "status", "mode", "action", "rule", "failures", "bundle"),
)


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions; None is all.

    `action`: what was done, or `skip`: a rule that skips others matched. `violation`: a code, or the feature it begins
    with. `operation`: an id, a path template, or `METHOD /path/{var1}`.
    """

    action: str | None = None
    rule: str | None = None
    operation: str | None = None
    violation: str | None = None

    def conditions(self) -> list[str]:
        """The filter as SQL conditions over `records`."""
        found = []
        if self.action == SKIP:
            found.append(_has_violation(f"code = {literal(SKIPPED)}"))
        elif self.action is not None:
            found.append(f"action = {literal(self.action)}")
        if self.rule is not None:
            rule = literal(self.rule)
            failed = f"contains(',' || failures, ',' || {rule} || ':')"
            found.append(f"(rule = {rule} OR {failed} OR {_has_violation(f'rule = {rule}')})")
        if self.operation is not None:
            found.append(
                f"{literal(self.operation)} IN (operation_id, operation_path, method || ' ' || operation_path)"
            )
        if self.violation is not None:
            code = literal(self.violation)
            found.append(_has_violation(f"(code = {code} OR starts_with(code, {code} || '.'))"))
        return found


@dataclass(frozen=True, slots=True)
class DecisionViolation:
    """What was found: a stable code, where, and redacted evidence; the rule that asked and what it said."""

    code: str
    location: str
    evidence: str
    rule: str | None
    rule_name: str | None
    action: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One request that was not simply let through. `rule_name` is what the policy version in force called the rule.

    `policy_version` is the zone's version that the bundle held; None when the zone, or its history, is gone. Session
    and client are keyed hashes. `failures`: checks that failed themselves, as `rule:error:open|closed`.
    """

    id: str
    time: datetime
    zone_id: str
    zone_name: str | None
    method: str
    host: str
    path: str
    operation_id: str | None
    operation_path: str | None
    session: str | None
    session_source: str
    client: str
    status: int
    mode: str
    action: str
    rule: str | None
    rule_name: str | None
    violations: tuple[DecisionViolation, ...]
    failures: tuple[str, ...]
    bundle: str
    policy_version: int | None


@dataclass(frozen=True, slots=True)
class Decisions:
    """The newest decisions that were asked for, newest first. `is_complete`: there are no more of them; `skipped`:
    files that could not be read."""

    decisions: tuple[Decision, ...]
    is_complete: bool
    skipped: tuple[str, ...] = ()


def list_decisions(
    workspace: Workspace,
    selection: Selection,
    wanted: DecisionFilter = DecisionFilter(),
    limit: int = 50,
) -> Decisions:
    """The newest `limit` (at most 1000) decisions of the selection. Raises `usage` and what reading records raises."""
    _check(wanted, limit)
    layout = Layout.of_state(workspace.state.root)
    naming = _Naming(workspace)
    rows, skipped = _rows(layout, _records_sql(wanted.conditions(), limit), selection)
    found = rows[:limit]
    violations = _violations(layout, selection, [row["id"] for row in found if row["violation_count"]])
    decisions = tuple(_decision(row, violations.get(row["id"], ()), naming) for row in found)
    return Decisions(decisions, len(rows) <= limit, skipped)


def find_decision(workspace: Workspace, record_id: str, zone_id: str | None = None) -> Decision:
    """The decision about one request, by its id, also when it was plain allow. Raises `usage`, `records.unknown`."""
    detail = show_record(workspace.state, record_id)
    if zone_id is not None and detail.record["zone"] != zone_id:
        raise HoplonError(
            "records.unknown", f"no record of this zone has the id `{record_id}`", "is it another zone's?"
        )
    return _decision(detail.record, detail.violations, _Naming(workspace))


class _Naming:
    """What zones and rules were called under a bundle. Each policy version is read once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._zones: dict[str, Zone] | None = None
        self._names: dict[tuple[str, int], Mapping[str, str]] = {}
        self._versions: dict[tuple[str, str], int | None] = {}

    def zone(self, zone_id: str) -> Zone | None:
        if self._zones is None:
            with reading(self._workspace.database) as connection:
                self._zones = {zone.id: zone for zone in policies.all_zones(connection)}
        return self._zones.get(zone_id)

    def version(self, zone_id: str, bundle: str, time: datetime) -> int | None:
        """The version of the zone's policy that the bundle held.

        A bundle that no version was named after (its keys were refreshed, another zone changed) holds what was the
        newest version when it was used.
        """
        if self.zone(zone_id) is None:
            return None
        key = (zone_id, bundle)
        if key not in self._versions:
            with reading(self._workspace.database) as connection:
                self._versions[key] = policies.version_in_bundle(connection, zone_id, bundle, time)
        return self._versions[key]

    def rules(self, zone_id: str, version: int | None) -> Mapping[str, str]:
        """The names of the rules of one version, by id."""
        if version is None:
            return {}
        if (zone_id, version) not in self._names:
            with reading(self._workspace.database) as connection:
                policy = load_policy(connection, zone_id, version)
            self._names[zone_id, version] = rule_names(policy)
        return self._names[zone_id, version]


def _check(wanted: DecisionFilter, limit: int) -> None:
    if wanted.action is not None and wanted.action not in ACTIONS:
        raise HoplonError("usage", f"`{wanted.action}` is no action", f"one of {', '.join(ACTIONS)}")
    if not 1 <= limit <= MAX_DECISIONS:
        raise HoplonError("usage", f"between 1 and {MAX_DECISIONS} decisions at a time, not {limit}")


def _has_violation(condition: str) -> str:
    return f"id IN (SELECT record_id FROM violations WHERE {condition})"  # noqa: S608 - literals only


def _records_sql(conditions: Sequence[str], limit: int) -> str:
    where = " AND ".join([IS_DECISION, *conditions])
    columns = ", ".join((*_COLUMNS, "violation_count"))
    return f"SELECT {columns} FROM records WHERE {where} ORDER BY time DESC, id LIMIT {limit + 1}"  # noqa: S608


def _violations(layout: Layout, selection: Selection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    if not ids:
        return {}
    listed = ", ".join(literal(each) for each in ids)
    rows, _ = _rows(layout, f"SELECT * FROM violations WHERE record_id IN ({listed})", selection)  # noqa: S608
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["record_id"], []).append(row)
    return found


def _rows(layout: Layout, sql: str, selection: Selection) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    with explained(LIMITS), run_query(layout, sql, selection, LIMITS) as answer:
        rows: list[dict[str, Any]] = answer.batches.read_all().to_pylist()
        return rows, tuple(f"{item.path.name}: {item.reason}" for item in answer.records.skipped)


def _decision(row: Mapping[str, Any], violations: Sequence[Mapping[str, Any]], naming: _Naming) -> Decision:
    zone = naming.zone(row["zone"])
    version = naming.version(row["zone"], row["bundle"], row["time"])
    names = naming.rules(row["zone"], version)
    taken = {name: row[name] for name in _COLUMNS if name not in ("zone", "failures")}
    return Decision(
        **taken,
        zone_id=row["zone"],
        zone_name=zone.name if zone is not None else None,
        rule_name=names.get(row["rule"] or ""),
        violations=tuple(_violation(each, names) for each in violations),
        failures=tuple(part for part in (row["failures"] or "").split(",") if part),
        policy_version=version,
    )


def _violation(row: Mapping[str, Any], names: Mapping[str, str]) -> DecisionViolation:
    taken = {name: row[name] for name in ("code", "location", "evidence", "rule")}
    action = SKIP if row["code"] == SKIPPED else row["action"]
    return DecisionViolation(**taken, rule_name=names.get(row["rule"] or ""), action=action)
