"""The `[limits]` table: the zone's limits, in the order in which they are asked. Compiles to the engine's limits part;
a zone without limits has none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pydantic import Field

from hoplon.errors import Problem
from hoplon.limits.keys import characteristics, key_programs
from hoplon.limits.rates import rate_faults
from hoplon.model.policy import ZonePolicy
from hoplon.model.rules import Rate, Rule, RulesetPolicy
from hoplon.policy.feature import Compiled, Surroundings, Table
from hoplon.rules.around import Around
from hoplon.rules.compile import Compiled as Program
from hoplon.rules.describe import describe_rules
from hoplon.rules.dialects import COUNTING, LIMITS
from hoplon.rules.entries import running
from hoplon.rules.faults import rule_faults, ruleset_problems
from hoplon.rules.programs import condition, condition_faults, names_anything, naming_faults, value
from hoplon.rules.table import MAX_RULES, RulesetTable, RuleTable, read_rule, write_rule, write_ruleset

EXCEEDED = "limits.exceeded"
IN_FLIGHT = "limits.in_flight"
_NONE: Mapping[str, str] = MappingProxyType({})


class LimitTable(RuleTable):
    """One limit. Seconds are whole; what it allows is one of the three counts."""

    characteristics: tuple[str, ...] = Field(default=(), strict=False)
    period: int = 0
    requests_per_period: int | None = None
    score_per_period: int | None = None
    score_response_header_name: str = ""
    counting_expression: str = ""
    mitigation_timeout: int = 0
    requests_to_origin: bool = False
    in_flight: int | None = None


class LimitsTable(RulesetTable):
    """The limits, in the order in which they are asked."""

    rules: tuple[LimitTable, ...] = Field(default=(), max_length=MAX_RULES, strict=False)


class LimitsFeature:
    """Limits' side of policy (see `hoplon.policy.feature.Feature`)."""

    name = "limits"
    table: type[Table] = LimitsTable
    rule_table: type[Table] = LimitTable
    what = "limit"
    path = "limits.rules"

    def read(self, table: LimitsTable) -> RulesetPolicy:
        return RulesetPolicy(tuple(self.read_rule(each) for each in table.rules), table.name, table.description)

    def read_rule(self, table: LimitTable, ids: Mapping[str, str] = _NONE) -> Rule:
        """One limit. No limit names other rules: `ids` is for the look of it."""
        return replace(read_rule("limits", table), rate=_read_rate(table))

    def write(self, policy: RulesetPolicy) -> dict[str, Any]:
        return write_ruleset(policy) | {"rules": [self.write_rule(each) for each in policy.rules]}

    def write_rule(self, rule: Rule, refs: Mapping[str, str] = _NONE) -> dict[str, Any]:
        """One limit's table."""
        return write_rule("limits", rule) | _write_rate(rule.rate or Rate())

    def check(self, policy: RulesetPolicy, zone: ZonePolicy) -> list[Problem]:
        return ruleset_problems(policy, self.name, self.path, self.rule_faults)

    def rule_faults(self, rule: Rule) -> Iterator[Problem]:
        """What is wrong with one limit by itself, relative to it."""
        yield from rule_faults(rule)
        if rule.action == "skip":
            yield Problem(".action", "a limit logs or blocks", 'write action = "log" or "block"')
        yield from condition_faults(".expression", rule.expression, LIMITS)
        yield from rate_faults(rule)

    def names(self, rule: Rule) -> bool:
        """Whether it names a list or a token configuration."""
        return any(names_anything(each) for each in _programs(rule, rule.rate or Rate()))

    def naming_faults(self, rule: Rule, around: Around) -> Iterator[Problem]:
        """What is wrong with the lists and token configurations that one limit names."""
        rate = rule.rate or Rate()
        yield from naming_faults(".expression", rule.expression, LIMITS, around, is_condition=True)
        if rate.counting_expression:
            path, text = ".counting_expression", rate.counting_expression
            yield from naming_faults(path, text, COUNTING, around, is_condition=True)
        for index, each in enumerate(rate.characteristics):
            yield from naming_faults(f".characteristics[{index}]", each, LIMITS, around, is_condition=False)

    def lists(self, rule: Rule) -> frozenset[str]:
        """The lists that one limit names."""
        return frozenset().union(*(each.lists for each in _programs(rule, rule.rate or Rate())))

    def compile(self, policy: RulesetPolicy, around: Surroundings) -> Compiled:
        found = list(running(policy.rules, around.operations))
        entries = [_entry(rule, rule.rate or Rate(), members) for rule, members in found]
        named = frozenset().union(*(self.lists(rule) for rule, _ in found))
        return Compiled({"limits": {"limits": entries}} if entries else {}, lists=named)

    def describe(self, old: RulesetPolicy, new: RulesetPolicy) -> Sequence[str]:
        return list(describe_rules(self.what, old, new))


def _read_rate(table: LimitTable) -> Rate:
    return Rate(
        characteristics=table.characteristics,
        period_seconds=table.period,
        requests_per_period=table.requests_per_period,
        score_per_period=table.score_per_period,
        score_response_header_name=table.score_response_header_name,
        counting_expression=table.counting_expression,
        mitigation_timeout_seconds=table.mitigation_timeout,
        requests_to_origin=table.requests_to_origin,
        in_flight=table.in_flight,
    )


def _write_rate(rate: Rate) -> dict[str, Any]:
    said = {
        "characteristics": list(rate.characteristics),
        "period": rate.period_seconds,
        "requests_per_period": rate.requests_per_period,
        "score_per_period": rate.score_per_period,
        "score_response_header_name": rate.score_response_header_name,
        "counting_expression": rate.counting_expression,
        "mitigation_timeout": rate.mitigation_timeout_seconds,
        "requests_to_origin": rate.requests_to_origin,
        "in_flight": rate.in_flight,
    }
    return {name: value for name, value in said.items() if value is not None and value not in ("", False, [])}


def _programs(rule: Rule, rate: Rate) -> Iterator[Program]:
    yield condition(rule.expression, LIMITS)
    if rate.counting_expression:
        yield condition(rate.counting_expression, COUNTING)
    yield from (value(each, LIMITS) for each in characteristics(rate))


def _entry(rule: Rule, rate: Rate, members: Mapping[str, Any]) -> dict[str, Any]:
    counting = rate.counting_expression
    return {
        **members,
        "when": condition(rule.expression, LIMITS).program,
        "key": key_programs(rate),
        "count_when": condition(counting, COUNTING).program if counting else None,
        "period_seconds": rate.period_seconds,
        "requests": rate.requests_per_period,
        "score": rate.score_per_period,
        "score_header": rate.score_response_header_name.lower() or None,
        "in_flight": rate.in_flight,
        "mitigation_seconds": rate.mitigation_timeout_seconds,
        "to_origin": rate.requests_to_origin,
        "action": rule.action,
        "violation": EXCEEDED if rate.in_flight is None else IN_FLIGHT,
    }
