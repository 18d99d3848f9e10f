"""Whether rules that somebody wrote can be kept: each by itself, beside the others, and as the engine sees them.

Only what is new is looked at, so that editing one of a thousand rules costs one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hoplon.errors import HoplonError, Problem
from hoplon.model.rules import Rule, RuleFeature, RulesetPolicy
from hoplon.policy.assembly import surroundings
from hoplon.rules.around import Around
from hoplon.rules.faults import header_faults, operation_faults, operation_index, ruleset_faults
from hoplon.rules.table import MAX_RULES
from hoplon.service.changes import ZoneChange, check_written
from hoplon.service.rule_lists import RuleLists
from hoplon.service.ruleset_store import RULESET_FEATURES
from hoplon.service.stores import load_policy
from hoplon.service.workspace import Workspace

OPERATIONS = "operations"


def check_rules(
    workspace: Workspace, change: ZoneChange, feature: RuleFeature, old: RulesetPolicy, new: RulesetPolicy
) -> None:
    """Raise `ruleset.invalid` with every problem of the rules that `old` does not have, each with its path in the list
    (`rules[3].expression`); `policy.invalid` when the engine alone finds one."""
    if len(new.rules) > MAX_RULES:
        raise _invalid([Problem("rules", f"a ruleset has at most {MAX_RULES:,} rules, not {len(new.rules):,}")])
    kept = set(old.rules)
    written = [(index, rule) for index, rule in enumerate(new.rules) if rule not in kept]
    problems = [
        replace(problem, path=f"rules[{index}]{problem.path}")
        for index, rule in written
        for problem in RULESET_FEATURES[feature].rule_faults(rule)
    ]
    problems += [replace(problem, path=f"rules{problem.path}") for problem in ruleset_faults(new.rules)]
    problems += header_faults(new)
    problems = problems or list(_naming_faults(change, feature, written))
    if problems:
        raise _invalid(problems)
    _ask_engine(workspace, change, feature, [rule for _, rule in written])


def _naming_faults(change: ZoneChange, feature: RuleFeature, written: Sequence[tuple[int, Rule]]) -> Iterator[Problem]:
    """Names of operations, lists and token configurations that there are not. Most rules name none."""
    whose = RULESET_FEATURES[feature]
    naming = [(index, rule) for index, rule in written if rule.operations or whose.names(rule)]
    if not naming:
        return
    known = surroundings(load_policy(change.connection, change.zone_id))
    around = Around(RuleLists(change.connection).types, known.token_configurations)
    saved = operation_index(known.operations)
    for index, rule in naming:
        for problem in (*operation_faults(rule, saved), *whose.naming_faults(rule, around)):
            yield replace(problem, path=f"rules[{index}]{problem.path}")


def _ask_engine(workspace: Workspace, change: ZoneChange, feature: RuleFeature, written: Sequence[Rule]) -> None:
    """Rules that are off are shown too: they shall load once they are switched on."""
    if not written:
        return
    shown = RulesetPolicy(tuple(replace(rule, is_enabled=True) for rule in written))
    features: dict[str, Any] = {feature: shown}
    if any(rule.operations for rule in written):
        features[OPERATIONS] = change.load(OPERATIONS)
    check_written(workspace, change.load_zone(), features)


def _invalid(problems: Sequence[Problem]) -> HoplonError:
    return HoplonError("ruleset.invalid", "nothing was changed", None, tuple(problems))
