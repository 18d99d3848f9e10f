"""What changes between two rulesets, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hoplon.model.rules import Rule, RulesetPolicy


def describe_rules(what: str, old: RulesetPolicy, new: RulesetPolicy) -> Iterator[str]:
    """`what` is the word for one rule. Nothing when nothing changes."""
    before, after = _by_id(old), _by_id(new)
    yield from (f"removes {what} {before[key]}" for key in before if key not in after)
    yield from (f"adds {what} {after[key]} ({_state(after[key])})" for key in after if key not in before)
    for key, rule in after.items():
        if key in before and before[key] != rule:
            yield f"changes {what} {rule}{_detail(before[key], rule)}"
    kept, now = [key for key in before if key in after], [key for key in after if key in before]
    if kept != now:
        yield f"changes the order of the {what}s"
    if (old.name, old.description) != (new.name, new.description):
        yield f"describes the {what}s anew"


def _by_id(policy: RulesetPolicy) -> Mapping[str, Rule]:
    return {each.id: each for each in policy.rules}


def _detail(old: Rule, new: Rule) -> str:
    """Said only where the action or the switch is all that changes: what matters most in a history."""
    if replace(old, action=new.action, is_enabled=new.is_enabled) == new:
        return f": {_state(old)} → {_state(new)}"
    return ""


def _state(rule: Rule) -> str:
    return rule.action if rule.is_enabled else f"{rule.action}, off"
