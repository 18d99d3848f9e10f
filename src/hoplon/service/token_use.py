"""Who names a token configuration: what must be changed before it can go."""

import json
from collections.abc import Iterator
from typing import Any

from hoplon.model.policy import Policy
from hoplon.service.features import FEATURES
from hoplon.tokens.programs import compile_condition


def uses_of(policy: Policy, identity: str) -> list[str]:
    """What names the token configuration `identity` anywhere in a policy, in words."""
    tokens = policy.features["tokens"]
    found = [
        f"session identifier {each}"
        for each in policy.features["identity"].identifiers
        if each.token_configuration == identity
    ]
    found += [f"token rule {rule}" for rule in tokens.rules if _names(rule.expression, identity)]
    found += [
        f"authorization of {each.operation}"
        for each in tokens.authorization
        if identity in compile_condition(each, tokens).token_configurations
    ]
    others = [each for each in FEATURES if each.name not in ("identity", "tokens", "operations", "labels")]
    for feature in others:
        table = feature.write(policy.features[feature.name])
        found += [f"{feature.name}: {text[:80]}" for text in _texts(table) if _names(text, identity)]
    return found


def _names(text: str, identity: str) -> bool:
    """Whether an expression names it: ids stand in quotes there."""
    return json.dumps(identity) in text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
