"""What people call the rules of a policy: takes a policy, gives the names of its rules by the ids that records hold.

One row per feature that makes rules, in the order of the features.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hoplon.browsers.policy import BrowsersPolicy
from hoplon.model.policy import Policy
from hoplon.model.rules import RulesetPolicy
from hoplon.operations.policy import FALLTHROUGH_RULE, OperationsPolicy
from hoplon.tokens.model import TokensPolicy

RuleNames = Callable[[Any], Mapping[str, str]]
"""A feature's policy value to the name of each of its rules, by id."""


def rule_names(policy: Policy) -> dict[str, str]:
    """The names of every rule that `policy` makes, by rule id; a rule without a name of its own is missing."""
    return {
        rule_id: name
        for feature, names in NAMES.items()
        if feature in policy.features
        for rule_id, name in names(policy.features[feature]).items()
    }


def _operations(policy: OperationsPolicy) -> Mapping[str, str]:
    return {FALLTHROUGH_RULE: "requests that match no saved operation"}


def _browsers(policy: BrowsersPolicy) -> Mapping[str, str]:
    return {
        "http.method_override": "requests that ask for another method than their own",
        "http.method_override.form": "forms that ask for another method than their request's",
    }


def _rules(policy: RulesetPolicy) -> Mapping[str, str]:
    """As its author described it, else what the author calls it."""
    return {rule.id: rule.description or rule.ref for rule in policy.rules if rule.description or rule.ref}


def _tokens(policy: TokensPolicy) -> Mapping[str, str]:
    rules = {rule.id: rule.title or rule.description for rule in policy.rules if rule.title or rule.description}
    return rules | {each.id: each.description or str(each) for each in policy.authorization}


NAMES: Mapping[str, RuleNames] = {
    "operations": _operations,
    "browsers": _browsers,
    "rules": _rules,
    "limits": _rules,
    "tokens": _tokens,
}
