"""Which expressions a policy holds, and whose they are: one row per feature, in the order of the features."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hoplon.model.policy import Policy
from hoplon.model.rules import RulesetPolicy
from hoplon.rules.compile import Compiled
from hoplon.rules.dialects import COUNTING, CUSTOM, LIMITS
from hoplon.rules.programs import condition, value


@dataclass(frozen=True, slots=True)
class Written:
    """An expression as it was written: in which member (`what`) of which rule, and its program."""

    rule_id: str
    name: str
    what: str
    text: str
    compiled: Compiled


def written_rules(policy: Policy) -> Iterator[Written]:
    """Every expression of every enabled rule of a policy."""
    for feature, expressions in EXPRESSIONS.items():
        if feature in policy.features:
            yield from expressions(policy.features[feature])


def _custom(policy: RulesetPolicy) -> Iterator[Written]:
    for rule in policy.rules:
        if rule.is_enabled:
            yield Written(rule.id, str(rule), "expression", rule.expression, condition(rule.expression, CUSTOM))


def _limits(policy: RulesetPolicy) -> Iterator[Written]:
    for rule in policy.rules:
        if not rule.is_enabled:
            continue
        yield Written(rule.id, str(rule), "expression", rule.expression, condition(rule.expression, LIMITS))
        if rule.rate is None:
            continue
        if counting := rule.rate.counting_expression:
            yield Written(rule.id, str(rule), "counting_expression", counting, condition(counting, COUNTING))
        for index, text in enumerate(rule.rate.characteristics):
            yield Written(rule.id, str(rule), f"characteristics[{index}]", text, value(text, LIMITS))


EXPRESSIONS: Mapping[str, Callable[[Any], Iterator[Written]]] = {
    "rules": _custom,
    "limits": _limits,
}
