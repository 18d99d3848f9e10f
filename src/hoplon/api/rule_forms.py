"""Rulesets and their rules as Cloudflare writes them."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from hoplon.api.envelope import moment
from hoplon.limits.rates import COLO
from hoplon.model.rules import Rate, Rule, RuleFeature, Ruleset, Skip, StoredRule

Phase = Literal["http_request_firewall_custom", "http_ratelimit"]
PHASES: dict[RuleFeature, Phase] = {"rules": "http_request_firewall_custom", "limits": "http_ratelimit"}
FEATURES: dict[str, RuleFeature] = {phase: feature for feature, phase in PHASES.items()}


class RuleForm(TypedDict):
    """One rule. `operations`, `fail` and `ratelimit.in_flight` are Hoplon's own."""

    id: str
    ref: str
    version: str
    action: Literal["log", "block", "skip"]
    action_parameters: NotRequired[dict[str, Any]]
    expression: str
    description: str
    enabled: bool
    logging: NotRequired[dict[str, bool]]
    ratelimit: NotRequired[dict[str, Any]]
    operations: NotRequired[list[str]]
    fail: NotRequired[Literal["open", "closed"]]
    last_updated: str


class RulesetSummary(TypedDict):
    """A ruleset without its rules."""

    id: str
    kind: Literal["zone"]
    name: str
    description: str
    phase: Phase
    version: str
    last_updated: str


class RulesetForm(RulesetSummary):
    """A ruleset with its rules."""

    rules: list[RuleForm]


def summary_form(ruleset: Ruleset) -> RulesetSummary:
    """A ruleset without its rules."""
    return {
        "id": ruleset.id,
        "kind": "zone",
        "name": ruleset.name,
        "description": ruleset.description,
        "phase": PHASES[ruleset.feature],
        "version": str(ruleset.version),
        "last_updated": moment(ruleset.last_updated),
    }


def ruleset_form(ruleset: Ruleset) -> RulesetForm:
    """A ruleset with its rules."""
    return {**summary_form(ruleset), "rules": [rule_form(each, ruleset.id) for each in ruleset.rules]}


def rule_form(stored: StoredRule, ruleset_id: str) -> RuleForm:
    """A rule as it stands in its ruleset."""
    form: Any = {
        "id": stored.rule.id,
        "version": str(stored.version),
        **definition_form(stored.rule, ruleset_id),
        "last_updated": moment(stored.last_updated),
    }
    found: RuleForm = form
    return found


def definition_form(rule: Rule, ruleset_id: str) -> dict[str, Any]:
    """What a rule says, in the form in which it can be sent again."""
    form: dict[str, Any] = {
        "ref": rule.ref,
        "action": rule.action,
        "expression": rule.expression,
        "description": rule.description,
        "enabled": rule.is_enabled,
    }
    if rule.response is not None:
        response = rule.response
        content = {"status_code": response.status_code, "content_type": response.content_type}
        form["action_parameters"] = {"response": {**content, "content": response.content}}
    if rule.skip is not None:
        form["action_parameters"] = _skip_form(rule.skip, ruleset_id)
        form["logging"] = {"enabled": rule.skip.is_logged}
    if rule.rate is not None:
        form["ratelimit"] = _rate_form(rule.rate)
    if rule.operations:
        form["operations"] = list(rule.operations)
    return form if rule.fail == "open" else {**form, "fail": rule.fail}


def _skip_form(skip: Skip, ruleset_id: str) -> dict[str, Any]:
    said = {
        "ruleset": "current" if skip.is_rest else None,
        "phases": list(skip.phases),
        "products": list(skip.products),
        "rules": {ruleset_id: list(skip.rules)} if skip.rules else None,
        "features": skip.is_features,
    }
    return {name: value for name, value in said.items() if value}


def _rate_form(rate: Rate) -> dict[str, Any]:
    """Cloudflare's characteristics always name the data centre; a policy document may leave it out."""
    names = list(rate.characteristics)
    form: dict[str, Any] = {
        "characteristics": names if COLO in names else [COLO, *names],
        "period": rate.period_seconds,
        "mitigation_timeout": rate.mitigation_timeout_seconds,
        "requests_to_origin": rate.requests_to_origin,
    }
    said = {
        "requests_per_period": rate.requests_per_period,
        "score_per_period": rate.score_per_period,
        "score_response_header_name": rate.score_response_header_name or None,
        "counting_expression": rate.counting_expression or None,
        "in_flight": rate.in_flight,
    }
    return form | {name: value for name, value in said.items() if value is not None}
