"""Why a request is judged as it is: every rule with its answer, and every sub-expression of it with its value.

The engine judges and traces; here its nodes are laid over the text that an operator wrote.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hoplon.errors import HoplonError
from hoplon.rules.compile import Compiled
from hoplon.service.explained_rules import Written, written_rules
from hoplon.service.policy import all_zones
from hoplon.service.request_file import SentRequest
from hoplon.service.rule_lists import RuleLists
from hoplon.service.rule_names import rule_names
from hoplon.service.workspace import Workspace
from hoplon.storage.database import reading

_WRITTEN_OUT = frozenset({"str", "int", "ip", "bool", "bytes"})
"""Nodes whose value is what stands there."""


@dataclass(frozen=True, slots=True)
class Part:
    """A sub-expression: where it stands, how deep, and what it came to.

    `state` is `value`, `missing`, `not_recorded`, `error` or `redacted`.
    """

    text: str
    start: int
    end: int
    depth: int
    state: str
    value: Any


@dataclass(frozen=True, slots=True)
class ExplainedExpression:
    """An expression of a rule, and its parts, the whole first. `what` is the member of the rule that it stands in."""

    what: str
    text: str
    result: str
    nanoseconds: float | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A rule. `result`: `true`, `false`, `unknown` or the word of an error; None for a limit, which has expressions."""

    id: str
    name: str
    stage: str
    result: str | None
    nanoseconds: float | None
    expressions: tuple[ExplainedExpression, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """The verdict on a request, the rule that decided, how long its rules took together, and all of them in order."""

    action: str
    rule: str | None
    rule_name: str | None
    nanoseconds: float
    violations: tuple[Mapping[str, Any], ...]
    rules: tuple[ExplainedRule, ...]


class Answered(Protocol):
    """What runs programs: the engine over a request, or over a record."""

    def __call__(self, programs: Sequence[str], lists: str) -> Mapping[str, Any]:
        """`programs`, one answer for each, and what else is known: `rules`, `inspection`."""


def explain_request(workspace: Workspace, sent: SentRequest, client: str) -> Explained:
    """What the newest policy of the zone that takes this request says about it. Counters stand at zero.

    Raises HoplonError `bundle.missing` before there is any bundle, `request_file.invalid` for an impossible request.
    """
    engine = _engine(workspace)
    try:
        seen = engine.inspect(sent.method, sent.url, headers=sent.headers, body=sent.body, client=client)
    except ValueError as error:
        raise HoplonError("request_file.invalid", f"the file is no request: {error}") from error

    def answered(programs: Sequence[str], lists: str) -> Mapping[str, Any]:
        given = {"headers": sent.headers, "body": sent.body, "client": client, "programs": programs, "lists": lists}
        found: Mapping[str, Any] = engine.explain(sent.method, sent.url, **given)
        return found

    return _explained(workspace, seen["record"]["zone"], answered)


def _explained(workspace: Workspace, zone_id: Any, answered: Answered) -> Explained:
    policy = next((policy for zone, policy in all_zones(workspace) if zone.zone_id == zone_id), None)
    written = list(written_rules(policy)) if policy is not None else []
    programs = [json.dumps(each.compiled.program) for each in written]
    found = answered(programs, _lists(workspace, written))
    names = rule_names(policy) if policy is not None else {}
    names |= {each.rule_id: each.name for each in written}
    inspection = found["inspection"]
    rules = tuple(_rules(written, found, names))
    return Explained(
        action=inspection["action"],
        rule=inspection["rule"],
        rule_name=names.get(inspection["rule"] or ""),
        nanoseconds=sum(rule.nanoseconds or 0.0 for rule in rules),
        violations=tuple(inspection["violations"]),
        rules=rules,
    )


def _engine(workspace: Workspace) -> Any:
    from hoplon import Engine

    try:
        return Engine(workspace.state.bundles)
    except OSError as error:
        raise HoplonError("bundle.missing", "there is no bundle yet", "apply a policy first") from error


def _lists(workspace: Workspace, written: Sequence[Written]) -> str:
    named = sorted({name for each in written for name in each.compiled.lists})
    if not named:
        return json.dumps({"lists": []})
    with reading(workspace.database) as connection:
        lists = RuleLists(connection)
        return json.dumps({"lists": [lists[name] for name in named if name in lists]})


def _rules(written: Sequence[Written], found: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[ExplainedRule]:
    """The engine's rules in its order, with their expressions; then those that only have expressions (limits)."""
    expressions: dict[str, list[ExplainedExpression]] = {}
    for each, answer in zip(written, found["programs"], strict=True):
        expressions.setdefault(each.rule_id, []).append(_expression(each, answer))
    asked = {rule["id"]: rule for rule in found["rules"]}
    for rule_id in dict.fromkeys((*asked, *expressions)):
        rule = asked.get(rule_id)
        yield ExplainedRule(
            id=rule_id,
            name=names.get(rule_id, rule_id),
            stage=rule["stage"] if rule else "limits",
            result=rule["result"] if rule else None,
            nanoseconds=rule["nanoseconds"] if rule else None,
            expressions=tuple(expressions.get(rule_id, ())),
        )


def _expression(written: Written, answer: Mapping[str, Any]) -> ExplainedExpression:
    parts = tuple(_parts(written.text, written.compiled, answer["nodes"]))
    return ExplainedExpression(written.what, written.text, answer["result"], answer["nanoseconds"], parts)


def _parts(text: str, compiled: Compiled, nodes: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """The places of a program, outer before inner, without what is written out."""
    operations = compiled.program["nodes"]
    open_ends: list[int] = []
    for place in sorted(compiled.places, key=lambda place: (place.start, -place.end, -place.node)):
        if operations[place.node][0] in _WRITTEN_OUT and place.end - place.start < len(text):
            continue
        while open_ends and open_ends[-1] <= place.start:
            open_ends.pop()
        node = nodes[place.node]
        written = text[place.start : place.end]
        yield Part(written, place.start, place.end, len(open_ends), node["state"], node["value"])
        open_ends.append(place.end)
