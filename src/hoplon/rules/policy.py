"""The `[rules]` table: the zone's custom rules, in the order in which they are asked. Compiles to entries of the
engine's rules part, stage `custom`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from hoplon.errors import Problem
from hoplon.model.policy import ZonePolicy
from hoplon.model.rules import Rule, RulesetPolicy
from hoplon.policy.feature import Compiled, Surroundings, Table
from hoplon.rules.around import Around
from hoplon.rules.describe import describe_rules
from hoplon.rules.dialects import CUSTOM
from hoplon.rules.entries import running
from hoplon.rules.faults import rule_faults, ruleset_problems, skip_faults, skipped_stages
from hoplon.rules.programs import condition, condition_faults, names_anything, naming_faults
from hoplon.rules.table import (
    CustomRuleTable,
    RulesTable,
    ids_by_ref,
    read_rule,
    read_skip,
    refs_by_id,
    write_rule,
    write_ruleset,
    write_skip,
)

VIOLATION = "rules.custom"
SKIPPED = "rules.skipped"
_NONE: Mapping[str, str] = MappingProxyType({})


class RulesFeature:
    """Custom rules' side of policy (see `hoplon.policy.feature.Feature`)."""

    name = "rules"
    table: type[Table] = RulesTable
    rule_table: type[Table] = CustomRuleTable
    what = "custom rule"
    path = "rules.custom"

    def read(self, table: RulesTable) -> RulesetPolicy:
        ids = ids_by_ref("rules", table.custom)
        return RulesetPolicy(tuple(self.read_rule(each, ids) for each in table.custom), table.name, table.description)

    def read_rule(self, table: CustomRuleTable, ids: Mapping[str, str] = _NONE) -> Rule:
        """One rule; `ids` of the ruleset's rules by their refs."""
        return replace(read_rule("rules", table), skip=read_skip(table.skip, ids) if table.skip else None)

    def write(self, policy: RulesetPolicy) -> dict[str, Any]:
        refs = refs_by_id(policy.rules)
        return write_ruleset(policy) | {"custom": [self.write_rule(each, refs) for each in policy.rules]}

    def write_rule(self, rule: Rule, refs: Mapping[str, str] = _NONE) -> dict[str, Any]:
        """One rule's table; `refs` of the ruleset's rules by their ids."""
        table = write_rule("rules", rule)
        return table if rule.skip is None else {**table, "skip": write_skip(rule.skip, refs)}

    def check(self, policy: RulesetPolicy, zone: ZonePolicy) -> list[Problem]:
        return ruleset_problems(policy, self.name, self.path, self.rule_faults)

    def rule_faults(self, rule: Rule) -> Iterator[Problem]:
        """What is wrong with one rule by itself, relative to it."""
        yield from rule_faults(rule)
        yield from skip_faults(rule)
        yield from condition_faults(".expression", rule.expression, CUSTOM)

    def names(self, rule: Rule) -> bool:
        """Whether it names a list or a token configuration."""
        return names_anything(condition(rule.expression, CUSTOM))

    def naming_faults(self, rule: Rule, around: Around) -> Iterator[Problem]:
        """What is wrong with the lists and token configurations that one rule names."""
        yield from naming_faults(".expression", rule.expression, CUSTOM, around, is_condition=True)

    def lists(self, rule: Rule) -> frozenset[str]:
        """The lists that one rule names."""
        return condition(rule.expression, CUSTOM).lists

    def compile(self, policy: RulesetPolicy, around: Surroundings) -> Compiled:
        found = list(running(policy.rules, around.operations))
        named = frozenset().union(*(self.lists(rule) for rule, _ in found))
        return Compiled({}, tuple(_entry(rule, members) for rule, members in found), named)

    def describe(self, old: RulesetPolicy, new: RulesetPolicy) -> Sequence[str]:
        return list(describe_rules(self.what, old, new))


def _entry(rule: Rule, members: Mapping[str, Any]) -> dict[str, Any]:
    entry = {
        **members,
        "stage": "custom",
        "when": condition(rule.expression, CUSTOM).program,
        "action": rule.action,
        "violation": SKIPPED if rule.action == "skip" else VIOLATION,
    }
    if rule.skip is not None:
        skip = rule.skip
        entry["skip"] = {
            "rest": skip.is_rest,
            "stages": skipped_stages(skip),
            "rules": list(skip.rules),
            "log": skip.is_logged,
        }
    return entry
