"""Rulesets and their rules as Cloudflare writes them."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from hoplon.api.envelope import moment
from hoplon.model.rules import RuleFeature, Ruleset, StoredRule
from hoplon.rules.form import definition_form

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
