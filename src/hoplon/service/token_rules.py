"""Token rules of a zone in the order of their precedence: listed, made, changed, moved and removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import uuid4

from hoplon.errors import HoplonError, Problem
from hoplon.model.actor import Actor
from hoplon.model.versioned import Versioned
from hoplon.service.changes import ZoneChange, changing_zone, check_written, known_zone
from hoplon.service.stores import store_of
from hoplon.service.token_validation import TOKENS
from hoplon.service.workspace import Workspace
from hoplon.storage.database import reading
from hoplon.tokens.check import one_rule_problems
from hoplon.tokens.model import MAX_RULES, TokenRule, TokensPolicy
from hoplon.tokens.programs import compile_rule

Place = Literal["index", "before", "after"]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a rule is moved: to an index (from 1, as Cloudflare counts), or beside the rule with an id."""

    place: Place
    value: int | str


@dataclass(frozen=True, slots=True)
class RuleEdit:
    """What changes of one rule: members of `TokenRule`, and its place."""

    id: str
    changes: Mapping[str, Any]
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class RuleFilter:
    """Which rules: all that have every property which is asked for."""

    ids: tuple[str, ...] = ()
    configurations: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    action: str | None = None
    enabled: bool | None = None


def list_rules(workspace: Workspace, zone_id: str, wanted: RuleFilter = RuleFilter()) -> Versioned[list[TokenRule]]:
    """The rules in the order of their precedence. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        policy: TokensPolicy = store_of(TOKENS).load(connection, zone_id)
    return Versioned([rule for rule in policy.rules if _is_wanted(rule, wanted, policy)], zone.version)


def get_rule(workspace: Workspace, zone_id: str, identity: str) -> Versioned[TokenRule]:
    """One rule. Raises `zone.unknown`, `token_rule.unknown`."""
    found = list_rules(workspace, zone_id)
    return Versioned(_found(found.value, identity), found.version)


def add_rules(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    wanted: Sequence[Mapping[str, Any]],
    if_match: int | None = None,
    path: str = "[{}]",
) -> Versioned[list[TokenRule]]:
    """Add rules behind those there are, all or none; each is members of `TokenRule`. `path` is where the one with a
    number stands in what the caller wrote.

    Raises `token_rule.invalid` with every problem, `token_rule.too_many`, `zone.unknown`, `precondition.failed`.
    """
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        policy: TokensPolicy = change.load(TOKENS)
        if len(policy.rules) + len(wanted) > MAX_RULES:
            raise HoplonError("token_rule.too_many", f"a zone has at most {MAX_RULES} token rules; nothing was changed")
        added = [TokenRule(id=str(uuid4()), **each) for each in wanted]
        _refuse(
            [
                problem
                for index, rule in enumerate(added)
                for problem in one_rule_problems(rule, policy, path.format(index))
            ]
        )
        _save(workspace, change, replace(policy, rules=(*policy.rules, *added)))
        for rule in added:
            change.describe(f"adds token rule {rule}")
            change.audit("create", "token_rule", rule.id, _audited(rule))
        return _answer(change, [rule.id for rule in added])


def edit_rules(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    edits: Sequence[RuleEdit],
    if_match: int | None = None,
    path: str = "[{}]",
) -> Versioned[list[TokenRule]]:
    """Change rules and move them, all or none, one after the other; gives them as they are then. Raises as
    `add_rules` does, and `token_rule.unknown`."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        policy: TokensPolicy = change.load(TOKENS)
        rules, problems = list(policy.rules), []
        for index, edit in enumerate(edits):
            old = _found(rules, edit.id)
            new = replace(old, **edit.changes)
            rules[rules.index(old)] = new
            problems += one_rule_problems(new, policy, path.format(index))
            if edit.position is not None:
                problems += _move(rules, new, edit.position, path.format(index))
        _refuse(problems)
        if tuple(rules) != policy.rules:
            _save(workspace, change, replace(policy, rules=tuple(rules)))
            _describe(change, policy.rules, rules, edits)
        return _answer(change, [edit.id for edit in edits])


def remove_rule(workspace: Workspace, actor: Actor, zone_id: str, identity: str, if_match: int | None = None) -> int:
    """Remove one rule; gives the zone's version. Raises `token_rule.unknown`, `zone.unknown`, `precondition.failed`."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        policy: TokensPolicy = change.load(TOKENS)
        old = _found(policy.rules, identity)
        _save(workspace, change, replace(policy, rules=tuple(rule for rule in policy.rules if rule.id != identity)))
        change.describe(f"removes token rule {old}")
        change.audit("delete", "token_rule", identity, _audited(old))
        return change.new_version


def _is_wanted(rule: TokenRule, wanted: RuleFilter, policy: TokensPolicy) -> bool:
    return (
        (not wanted.ids or rule.id in wanted.ids)
        and (not wanted.hosts or not wanted_is_missing(wanted.hosts, rule.hosts))
        and wanted.action in (None, rule.action)
        and wanted.enabled in (None, rule.enabled)
        and (
            not wanted.configurations
            or not compile_rule(rule.expression, policy).token_configurations.isdisjoint(wanted.configurations)
        )
    )


def wanted_is_missing(wanted: Sequence[str], hosts: Sequence[str]) -> bool:
    """Whether none of the wanted hosts is among a selector's."""
    return {host.lower() for host in wanted}.isdisjoint(hosts)


def _move(rules: list[TokenRule], rule: TokenRule, position: Position, path: str) -> list[Problem]:
    """Move a rule inside of `rules`; what is wrong with where it shall go."""
    others = [each for each in rules if each.id != rule.id]
    place = f"{path}.position.{position.place}".lstrip(".")
    if position.place == "index":
        index = int(position.value)
        if not 1 <= index <= len(rules):
            return [Problem(place, f"it is 1 to {len(rules)}", "1 is the first")]
        others.insert(index - 1, rule)
    else:
        beside = next((at for at, each in enumerate(others) if each.id == position.value), None)
        if beside is None:
            return [Problem(place, f"there is no other token rule `{str(position.value)[:80]}`", "name it by its id")]
        others.insert(beside + (position.place == "after"), rule)
    rules[:] = others
    return []


def _describe(
    change: ZoneChange, before: Sequence[TokenRule], after: Sequence[TokenRule], edits: Sequence[RuleEdit]
) -> None:
    old = {rule.id: rule for rule in before}
    for rule in after:
        if rule != old[rule.id]:
            change.describe(f"changes token rule {rule}")
    if [rule.id for rule in before] != [rule.id for rule in after]:
        change.describe("changes the order of the token rules")
    for identity in dict.fromkeys(edit.id for edit in edits):
        change.audit("update", "token_rule", identity, _audited(_found(after, identity)))


def _save(workspace: Workspace, change: ZoneChange, policy: TokensPolicy) -> None:
    operations = change.load("operations")
    check_written(workspace, change.load_zone(), {"operations": operations, TOKENS: policy})
    change.save(TOKENS, policy)


def _answer(change: ZoneChange, ids: Sequence[str]) -> Versioned[list[TokenRule]]:
    policy: TokensPolicy = change.load(TOKENS)
    version = change.new_version if change.changes else change.old_version
    return Versioned([_found(policy.rules, identity) for identity in ids], version)


def _found(rules: Sequence[TokenRule], identity: str) -> TokenRule:
    for rule in rules:
        if rule.id == identity:
            return rule
    raise HoplonError(
        "token_rule.unknown", f"there is no token rule `{identity[:80]}`", "`hoplon tokens rules` lists them"
    )


def _audited(rule: TokenRule) -> dict[str, Any]:
    return {"title": rule.title, "action": rule.action, "enabled": rule.enabled, "expression": rule.expression[:500]}


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        placed = tuple(replace(problem, path=_as_sent(problem.path)) for problem in problems)
        raise HoplonError("token_rule.invalid", "the token rules cannot be taken; nothing was changed", None, placed)


def _as_sent(path: str) -> str:
    """Where a rule is sent its hosts and exclusions are in a selector, in lists of lists."""
    place, _, member = path.rpartition(".")
    name = _SELECTOR.get(member.partition("[")[0])
    return path if name is None else f"{place}.{name}".lstrip(".")


_SELECTOR = {"hosts": "selector.include", "exclude": "selector.exclude"}
