"""Why a request is judged as it is: every rule with its answer, and every sub-expression of it with its value.

The engine judges and traces; here its nodes are laid over the text that an operator wrote.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoplon.errors import HoplonError
from hoplon.rules.compile import Compiled
from hoplon.service.explained_rules import Written, written_rules
from hoplon.service.policy import all_zones
from hoplon.service.records import show_record
from hoplon.service.request_file import SentRequest
from hoplon.service.rule_lists import RuleLists
from hoplon.service.rule_names import rule_names
from hoplon.service.workspace import Workspace
from hoplon.storage.bundles import current_bundle
from hoplon.storage.database import reading
from hoplon.storage.records.schema import current_schema

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


@dataclass(frozen=True, slots=True)
class _Zone:
    """The newest policy of a zone: its expressions, their programs and lists as JSON, and what its rules are called."""

    written: tuple[Written, ...]
    programs: tuple[str, ...]
    lists: str
    names: Mapping[str, str]


def explain_request(workspace: Workspace, sent: SentRequest, client: str) -> Explained:
    """What the newest policy of the zone that takes this request says about it. Nothing is counted.

    Raises HoplonError `bundle.missing` before there is any bundle, `request_file.invalid` for an impossible request.
    """
    engine = _engine(workspace)
    given: dict[str, Any] = {"headers": sent.headers, "body": sent.body, "client": client}
    try:
        seen = engine.inspect(sent.method, sent.url, **given)
    except ValueError as error:
        raise HoplonError("request_file.invalid", f"the file is no request: {error}") from error
    zone = _zone(workspace, str(seen["record"]["zone"]))
    found = engine.explain(sent.method, sent.url, **given, programs=zone.programs, lists=zone.lists)
    return _explained(zone, found["inspection"], found["rules"], found["programs"])


def explain_record(workspace: Workspace, record_id: str) -> Explained:
    """What was decided on a stored request, and what the newest policy's expressions come to over its record.

    Raises HoplonError `records.unknown`, `bundle.missing`, and `zone.unserved` when the bundle has its zone no more.
    """
    from hoplon._native import Replay

    detail = show_record(workspace.state, record_id)
    bundle = current_bundle(workspace.state)
    if bundle is None:
        raise _no_bundle()
    zone_id = str(detail.record["zone"])
    try:
        replay = Replay(bundle.manifest, bundle.parts, zone_id)
    except ValueError as error:
        raise HoplonError("zone.unserved", f"the zone of this record is not served any more: {error}") from error
    zone = _zone(workspace, zone_id)
    answers = replay.explain(_stream(detail.record), zone.programs, zone.lists)
    inspection = {**detail.record, "violations": detail.violations}
    return _explained(zone, inspection, (), answers)


def _stream(record: Mapping[str, Any]) -> bytes:
    """One record as an Arrow IPC stream."""
    import pyarrow as pa

    table = pa.Table.from_pylist([record], schema=current_schema().streamed("records"))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _zone(workspace: Workspace, zone_id: str) -> _Zone:
    policy = next((policy for zone, policy in all_zones(workspace) if zone.zone_id == zone_id), None)
    written = tuple(written_rules(policy)) if policy is not None else ()
    names = rule_names(policy) if policy is not None else {}
    programs = tuple(json.dumps(each.compiled.program) for each in written)
    return _Zone(written, programs, _lists(workspace, written), names | {each.rule_id: each.name for each in written})


def _explained(
    zone: _Zone,
    inspection: Mapping[str, Any],
    asked: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
) -> Explained:
    rules = tuple(_rules(zone, asked, answers))
    return Explained(
        action=inspection["action"],
        rule=inspection["rule"],
        rule_name=zone.names.get(inspection["rule"] or ""),
        nanoseconds=sum(rule.nanoseconds or 0.0 for rule in rules),
        violations=tuple(inspection["violations"]),
        rules=rules,
    )


def _engine(workspace: Workspace) -> Any:
    from hoplon import Engine

    try:
        return Engine(workspace.state.bundles)
    except OSError as error:
        raise _no_bundle() from error


def _no_bundle() -> HoplonError:
    return HoplonError("bundle.missing", "there is no bundle yet", "apply a policy first")


def _lists(workspace: Workspace, written: Sequence[Written]) -> str:
    named = sorted({name for each in written for name in each.compiled.lists})
    if not named:
        return json.dumps({"lists": []})
    with reading(workspace.database) as connection:
        lists = RuleLists(connection)
        return json.dumps({"lists": [lists[name] for name in named if name in lists]})


def _rules(
    zone: _Zone, asked: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]
) -> Iterator[ExplainedRule]:
    """The engine's rules in its order, with their expressions; then those of which only expressions are known."""
    expressions: dict[str, list[ExplainedExpression]] = {}
    stages: dict[str, str] = {}
    for each, answer in zip(zone.written, answers, strict=True):
        expressions.setdefault(each.rule_id, []).append(_expression(each, answer))
        stages[each.rule_id] = each.stage
    by_id = {rule["id"]: rule for rule in asked}
    for rule_id in dict.fromkeys((*by_id, *expressions)):
        rule, own = by_id.get(rule_id, {}), rule_id.partition("#")[0]
        yield ExplainedRule(
            id=rule_id,
            name=zone.names.get(own, own),
            stage=rule.get("stage") or stages[rule_id],
            result=rule.get("result"),
            nanoseconds=rule.get("nanoseconds"),
            expressions=tuple(expressions.get(own, ())),
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
