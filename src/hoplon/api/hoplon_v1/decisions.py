"""`/hoplon/v1/zones/{zone_id}/decisions`, and `/hoplon/v1/decisions` of all zones: stored requests that were not plain
allow, newest first, or one by its id."""

from datetime import UTC, datetime

from typing_extensions import TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.hoplon_v1.records import query_turn
from hoplon.api.query import Choice, Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.service.decisions import (
    ACTIONS,
    MAX_DECISIONS,
    Decision,
    DecisionFilter,
    DecisionViolation,
    find_decision,
    list_decisions,
)
from hoplon.service.records import parse_moment
from hoplon.service.zones import get_zone
from hoplon.storage.records import Selection


class DecisionViolationForm(TypedDict):
    """What was found: a stable code, where, and redacted evidence; the rule that asked and what it said."""

    code: str
    location: str
    evidence: str
    rule: str | None
    rule_name: str | None
    action: str


class DecisionForm(TypedDict):
    """One request that was not simply let through. `rule_name` is what the policy version in force called the rule;
    session and client are keyed hashes; `failures`: checks that failed themselves, as `rule:error:open|closed`."""

    id: str
    time: str
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
    violations: list[DecisionViolationForm]
    failures: list[str]
    bundle: str
    policy_version: int | None


class DecisionsForm(TypedDict):
    """The newest decisions, newest first. `is_complete`: there are no more; `skipped`: files that cannot be read."""

    decisions: list[DecisionForm]
    is_complete: bool
    skipped: list[str]


_QUERY = (
    Text("since", "From here on: 15m, 24h, 7d ago, or an ISO 8601 time (UTC unless it says otherwise).", 64),
    Text("until", "Up to here; this moment is not included.", 64),
    Choice("action", "Only this action; skip: a rule kept other rules from running.", ACTIONS),
    Text("rule", "Only where the rule with this id decided or found something.", 255),
    Text("operation", "Only this operation: its id, its path template, or `METHOD /path/{var1}`.", 1024),
    Text("violation", "Only with this violation: its code, or the feature that it begins with.", 255),
    Integer("limit", "So many.", 1, MAX_DECISIONS, 50),
)


@described("The newest requests of the zone that were not plain allow.", query=_QUERY, result=DecisionsForm)
def list_of_zone(request: ApiRequest) -> Answer:
    zone = get_zone(request.workspace, request.zone_id)
    return _listed(request, (zone.id,))


@described(
    "The newest requests of all zones, and of none, that were not plain allow.", query=_QUERY, result=DecisionsForm
)
def list_of_all(request: ApiRequest) -> Answer:
    return _listed(request, None)


@described("What was decided about the request of the zone with this id.", result=DecisionForm)
def show_of_zone(request: ApiRequest) -> Answer:
    return _shown(request, get_zone(request.workspace, request.zone_id).id)


@described("What was decided about the request with this id.", result=DecisionForm)
def show_of_all(request: ApiRequest) -> Answer:
    return _shown(request, None)


def _listed(request: ApiRequest, zones: tuple[str, ...] | None) -> Answer:
    given, now = request.query, datetime.now(UTC)
    since, until = (None if given[name] is None else parse_moment(given[name], now) for name in ("since", "until"))
    wanted = DecisionFilter(given["action"], given["rule"], given["operation"], given["violation"])
    with query_turn():
        found = list_decisions(request.workspace, Selection(zones, since, until), wanted, given["limit"])
    form: DecisionsForm = {
        "decisions": [_decision(each) for each in found.decisions],
        "is_complete": found.is_complete,
        "skipped": list(found.skipped),
    }
    return answer(form)


def _shown(request: ApiRequest, zone_id: str | None) -> Answer:
    with query_turn():
        found = find_decision(request.workspace, request.ids["record_id"], zone_id)
    return answer(_decision(found))


def _decision(decision: Decision) -> DecisionForm:
    return {
        "id": decision.id,
        "time": moment(decision.time),
        "zone_id": decision.zone_id,
        "zone_name": decision.zone_name,
        "method": decision.method,
        "host": decision.host,
        "path": decision.path,
        "operation_id": decision.operation_id,
        "operation_path": decision.operation_path,
        "session": decision.session,
        "session_source": decision.session_source,
        "client": decision.client,
        "status": decision.status,
        "mode": decision.mode,
        "action": decision.action,
        "rule": decision.rule,
        "rule_name": decision.rule_name,
        "violations": [_violation(each) for each in decision.violations],
        "failures": list(decision.failures),
        "bundle": decision.bundle,
        "policy_version": decision.policy_version,
    }


def _violation(violation: DecisionViolation) -> DecisionViolationForm:
    return {
        "code": violation.code,
        "location": violation.location,
        "evidence": violation.evidence,
        "rule": violation.rule,
        "rule_name": violation.rule_name,
        "action": violation.action,
    }
