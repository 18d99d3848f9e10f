"""Rules as they stand in a policy document, to `Rule` and back. Custom rules and limits share everything but what makes
them one or the other; what is not said is left out when it is written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from hoplon.model.rules import (
    DEFAULT_NAME,
    Action,
    FailMode,
    OwnResponse,
    Rule,
    RuleFeature,
    RulesetPolicy,
    Skip,
    is_rule_id,
    rule_id,
)
from hoplon.policy.feature import Table

MAX_RULES = 10_000
"""Rules of one ruleset."""


class ResponseTable(Table):
    """What a blocked caller gets."""

    status_code: int
    content_type: str
    content: str


class SkipTable(Table):
    """What a skip rule turns off. `ruleset = "current"`: the remaining custom rules; `rules`: refs, or ids."""

    ruleset: Literal["current"] | None = None
    phases: tuple[str, ...] = Field(default=(), strict=False)
    products: tuple[str, ...] = Field(default=(), strict=False)
    features: bool = False
    rules: tuple[str, ...] = Field(default=(), strict=False)
    log: bool = True


class RuleTable(Table):
    """What every rule has. `id` only where it does not follow from `ref`."""

    ref: str
    id: str | None = None
    expression: str
    action: Action = "log"
    description: str = ""
    enabled: bool = True
    operations: tuple[str, ...] = Field(default=(), strict=False)
    fail: FailMode = "open"
    response: ResponseTable | None = None


class CustomRuleTable(RuleTable):
    """One custom rule."""

    skip: SkipTable | None = None


class RulesetTable(Table):
    """What every ruleset has besides its rules."""

    name: str = DEFAULT_NAME
    description: str = ""


class RulesTable(RulesetTable):
    """The custom rules, in the order in which they are asked."""

    custom: tuple[CustomRuleTable, ...] = Field(default=(), max_length=MAX_RULES, strict=False)


def read_rule(feature: RuleFeature, table: RuleTable) -> Rule:
    """What every rule has."""
    return Rule(
        id=table.id or rule_id(feature, table.ref),
        ref=table.ref,
        expression=table.expression,
        action=table.action,
        description=table.description,
        is_enabled=table.enabled,
        operations=table.operations,
        fail=table.fail,
        response=OwnResponse(**table.response.model_dump()) if table.response else None,
    )


def write_rule(feature: RuleFeature, rule: Rule) -> dict[str, Any]:
    """The table of a rule: always `ref`, `action` and `expression`, the rest where it says something."""
    table: dict[str, Any] = {"ref": rule.ref}
    if rule.id != rule_id(feature, rule.ref):
        table["id"] = rule.id
    table |= {"action": rule.action, "expression": rule.expression}
    said = {
        "description": rule.description,
        "operations": list(rule.operations),
        "response": _write_response(rule.response),
    }
    table |= {name: value for name, value in said.items() if value}
    if not rule.is_enabled:
        table["enabled"] = False
    if rule.fail != "open":
        table["fail"] = rule.fail
    return table


def write_ruleset(policy: RulesetPolicy) -> dict[str, Any]:
    """Name and description, where they say something."""
    name = {} if policy.name == DEFAULT_NAME else {"name": policy.name}
    return name | ({"description": policy.description} if policy.description else {})


def read_skip(table: SkipTable, ids: Mapping[str, str]) -> Skip:
    """`ids` of the custom rules by their refs. What is neither a ref nor an id stays, for the check to quote."""
    return Skip(
        is_rest=table.ruleset == "current",
        phases=table.phases,
        products=table.products,
        is_features=table.features,
        rules=tuple(each if is_rule_id(each) else ids.get(each, each) for each in table.rules),
        is_logged=table.log,
    )


def write_skip(skip: Skip, refs: Mapping[str, str]) -> dict[str, Any]:
    """`refs`: the refs of the custom rules by their ids."""
    table: dict[str, Any] = {"ruleset": "current"} if skip.is_rest else {}
    said = {
        "phases": list(skip.phases),
        "products": list(skip.products),
        "features": skip.is_features,
        "rules": [refs.get(each, each) for each in skip.rules],
    }
    table |= {name: value for name, value in said.items() if value}
    return table if skip.is_logged else {**table, "log": False}


def ids_by_ref(feature: RuleFeature, tables: Iterable[RuleTable]) -> dict[str, str]:
    return {each.ref: each.id or rule_id(feature, each.ref) for each in tables}


def refs_by_id(rules: Sequence[Rule]) -> dict[str, str]:
    return {each.id: each.ref for each in rules}


def _write_response(response: OwnResponse | None) -> dict[str, Any] | None:
    if response is None:
        return None
    return {
        "status_code": response.status_code,
        "content_type": response.content_type,
        "content": response.content,
    }
