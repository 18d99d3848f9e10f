"""Which expressions a policy holds, and whose they are: one row per feature, in the order in which rules are asked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hoplon.model.policy import Policy
from hoplon.model.rules import Rule, RulesetPolicy
from hoplon.policy.feature import Saved
from hoplon.rules.compile import Compiled
from hoplon.rules.dialects import COUNTING, CUSTOM, LIMITS
from hoplon.rules.programs import condition, value
from hoplon.tokens.model import TokensPolicy
from hoplon.tokens.programs import compile_condition, compile_rule


@dataclass(frozen=True, slots=True)
class Written:
    """An expression as it was written: in which member (`what`) of which rule, and its program."""

    rule_id: str
    name: str
    stage: Literal["custom", "limits", "features"]
    what: str
    text: str
    compiled: Compiled


def written_rules(policy: Policy) -> Iterator[Written]:
    """Every expression of every enabled rule of a policy. Those of tokens act when they are false."""
    for feature, expressions in EXPRESSIONS.items():
        if feature in policy.features:
            yield from expressions(policy)


def _custom(policy: Policy) -> Iterator[Written]:
    for rule in _enabled(policy.features["rules"]):
        program = condition(rule.expression, CUSTOM)
        yield Written(rule.id, str(rule), "custom", "expression", rule.expression, program)


def _limits(policy: Policy) -> Iterator[Written]:
    for rule in _enabled(policy.features["limits"]):
        for what, text, program in _limit(rule):
            yield Written(rule.id, str(rule), "limits", what, text, program)


def _limit(rule: Rule) -> Iterator[tuple[str, str, Compiled]]:
    yield "expression", rule.expression, condition(rule.expression, LIMITS)
    if rule.rate is None:
        return
    if counting := rule.rate.counting_expression:
        yield "counting_expression", counting, condition(counting, COUNTING)
    for index, text in enumerate(rule.rate.characteristics):
        yield f"characteristics[{index}]", text, value(text, LIMITS)


def _tokens(policy: Policy) -> Iterator[Written]:
    yield from _token_rules(policy.features["tokens"])
    yield from _authorization(policy.features["tokens"], policy.features["operations"].saved)


def _token_rules(tokens: TokensPolicy) -> Iterator[Written]:
    for rule in tokens.rules:
        if rule.enabled:
            program = compile_rule(rule.expression, tokens)
            yield Written(rule.id, str(rule), "features", "expression", rule.expression, program)


def _authorization(tokens: TokensPolicy, operations: Sequence[Saved]) -> Iterator[Written]:
    saved = {operation.id: operation for operation in operations}
    for each in tokens.authorization:
        if each.enabled:
            program = compile_condition(each, tokens, saved.get(each.operation))
            yield Written(each.id, str(each), "features", "condition", each.condition, program)


def _enabled(policy: RulesetPolicy) -> Iterator[Rule]:
    return (rule for rule in policy.rules if rule.is_enabled)


EXPRESSIONS: Mapping[str, Callable[[Policy], Iterator[Written]]] = {
    "rules": _custom,
    "limits": _limits,
    "tokens": _tokens,
}
