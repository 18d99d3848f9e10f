"""A zone's rulesets: the entry points of custom rules and of limits, read in any version, and changed rule by rule or
as a whole. Each change is the zone's next version; what was not changed is not written."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from hoplon.errors import HoplonError, Problem
from hoplon.model.actor import Actor
from hoplon.model.rules import Rule, RuleFeature, Ruleset, RulesetPolicy
from hoplon.model.versioned import Versioned
from hoplon.service.changes import ZoneChange, changing_zone, known_zone
from hoplon.service.rule_checks import check_rules
from hoplon.service.rule_order import KnownRules, Position, identified, placed
from hoplon.service.ruleset_store import RULESET_FEATURES, RulesetStore
from hoplon.service.workspace import Workspace
from hoplon.storage import rulesets as rows
from hoplon.storage.database import reading
from hoplon.storage.rulesets import RulesetRow

AUDITED = 20
"""So many sentences of one change are in the audit log; the history has more."""
STORES = {feature: RulesetStore(feature) for feature in RULESET_FEATURES}


@dataclass(frozen=True, slots=True)
class Write:
    """Who changes a zone's ruleset, and how: at which version of the zone, or only to see whether it could be done."""

    actor: Actor
    zone_id: str
    if_match: int | None = None
    is_dry: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What a ruleset shall be; None: as it is. Rules without an id or ref are found or get one."""

    rules: Sequence[Rule] | None = None
    name: str | None = None
    description: str | None = None


Written = Versioned[Ruleset | None]
"""The whole ruleset after a change, None after a dry run; and the zone's version."""


def list_rulesets(workspace: Workspace, zone_id: str) -> Versioned[list[Ruleset]]:
    """The rulesets that a zone has, without their rules. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        found = [_store(row).ruleset(connection, row, is_whole=False) for row in rows.rulesets_of(connection, zone_id)]
    return Versioned(found, zone.version)


def get_ruleset(workspace: Workspace, zone_id: str, ruleset_id: str) -> Versioned[Ruleset]:
    """One ruleset. Raises `zone.unknown`, `ruleset.unknown`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        row = _by_id(connection, zone_id, ruleset_id)
        return Versioned(_store(row).ruleset(connection, row), zone.version)


def get_entrypoint(workspace: Workspace, zone_id: str, feature: RuleFeature) -> Versioned[Ruleset]:
    """The ruleset of a feature. Raises `zone.unknown`, `ruleset.no_entrypoint`."""
    with reading(workspace.database) as connection:
        zone = known_zone(connection, zone_id)
        row = _entrypoint(connection, zone_id, feature)
        return Versioned(_store(row).ruleset(connection, row), zone.version)


def entrypoint_id(workspace: Workspace, zone_id: str, feature: RuleFeature) -> str:
    """The id of the ruleset of a feature. Raises as `get_entrypoint` does."""
    with reading(workspace.database) as connection:
        known_zone(connection, zone_id)
        return _entrypoint(connection, zone_id, feature).ruleset_id


def list_versions(workspace: Workspace, zone_id: str, ruleset_id: str) -> list[Ruleset]:
    """Every version of a ruleset, newest first, without rules. Raises `zone.unknown`, `ruleset.unknown`."""
    with reading(workspace.database) as connection:
        known_zone(connection, zone_id)
        _by_id(connection, zone_id, ruleset_id)
        versions = rows.versions_of(connection, zone_id, ruleset_id)
        return [_store(row).ruleset(connection, row, is_whole=False) for row in versions]


def get_version(workspace: Workspace, zone_id: str, ruleset_id: str, number: int) -> Ruleset:
    """One version of a ruleset. Raises as `list_versions` does, and `ruleset.version_unknown`."""
    with reading(workspace.database) as connection:
        known_zone(connection, zone_id)
        newest = _by_id(connection, zone_id, ruleset_id).number
        row = rows.version_at(connection, zone_id, ruleset_id, number)
        if row is None:
            message = f"the ruleset has no version {number}"
            raise HoplonError("ruleset.version_unknown", message, f"the newest is {newest}")
        return _store(row).ruleset(connection, row)


def create_ruleset(workspace: Workspace, write: Write, feature: RuleFeature, wish: Wish) -> Written:
    """Make the ruleset of a feature. Raises `ruleset.exists`, and what `set_entrypoint` raises."""
    with _changing(workspace, write) as change:
        row = rows.ruleset_at(change.connection, write.zone_id, feature)
        if row is not None:
            message = f"the zone has this ruleset already: `{row.ruleset_id}`"
            raise HoplonError("ruleset.exists", message, "change it with PUT, or rule by rule")
        return _replace(workspace, write, change, feature, wish)


def set_entrypoint(workspace: Workspace, write: Write, feature: RuleFeature, wish: Wish) -> Written:
    """Make this the ruleset of a feature, which is created where there is none.

    Raises `zone.unknown`, `precondition.failed`, `ruleset.invalid` with every problem.
    """
    with _changing(workspace, write) as change:
        return _replace(workspace, write, change, feature, wish)


def set_ruleset(workspace: Workspace, write: Write, ruleset_id: str, wish: Wish) -> Written:
    """Make this ruleset so. Raises as `set_entrypoint` does, and `ruleset.unknown`."""
    with _changing(workspace, write) as change:
        return _replace(workspace, write, change, _feature_of(change, ruleset_id), wish)


def delete_ruleset(workspace: Workspace, write: Write, ruleset_id: str) -> int:
    """Delete a ruleset with its rules; the zone's version after it. The policy versions before still have it.

    Raises `zone.unknown`, `precondition.failed`, `ruleset.unknown`.
    """
    with _changing(workspace, write) as change:
        feature = _feature_of(change, ruleset_id)
        if write.is_dry:
            return change.old_version
        STORES[feature].save(change.connection, change.zone_id, change.new_version, change.now, RulesetPolicy())
        rows.end_ruleset(change.connection, change.zone_id, feature, change.new_version)
        change.describe(f"deletes every {RULESET_FEATURES[feature].what}")
        change.audit("delete", "ruleset", ruleset_id, {"feature": feature})
        return change.new_version


def add_rule(
    workspace: Workspace, write: Write, ruleset_id: str, rule: Rule, position: Position | None = None
) -> Written:
    """Add a rule, at the end unless `position` says where. Raises as `set_ruleset` does."""

    def added(old: RulesetPolicy, known: KnownRules) -> tuple[Rule, ...]:
        new = identified(rule, known)
        if new.id in known.by_id:
            raise _wrong("ref", f"the ruleset has a rule `{rule.ref}` already", "choose another, or change that rule")
        return placed(old.rules, new, position or Position(after=""))

    return _change_rules(workspace, write, ruleset_id, added)


def edit_rule(
    workspace: Workspace,
    write: Write,
    ruleset_id: str,
    rule_id: str,
    edit: Callable[[Rule], Rule],
    position: Position | None = None,
) -> Written:
    """Let one rule be what `edit` makes of it, and stand where `position` says. Raises as `set_ruleset` does, and
    `ruleset.rule_unknown`."""

    def edited(old: RulesetPolicy, known: KnownRules) -> tuple[Rule, ...]:
        new = edit(_rule(known, rule_id))
        if position is None:
            return tuple(new if rule.id == rule_id else rule for rule in old.rules)
        return placed([rule for rule in old.rules if rule.id != rule_id], new, position)

    return _change_rules(workspace, write, ruleset_id, edited)


def remove_rule(workspace: Workspace, write: Write, ruleset_id: str, rule_id: str) -> Written:
    """Remove one rule. Raises as `edit_rule` does."""

    def left(old: RulesetPolicy, known: KnownRules) -> tuple[Rule, ...]:
        gone = _rule(known, rule_id)
        return tuple(rule for rule in old.rules if rule is not gone)

    return _change_rules(workspace, write, ruleset_id, left)


def _change_rules(
    workspace: Workspace,
    write: Write,
    ruleset_id: str,
    decide: Callable[[RulesetPolicy, KnownRules], tuple[Rule, ...]],
) -> Written:
    with _changing(workspace, write) as change:
        feature = _feature_of(change, ruleset_id)
        old: RulesetPolicy = change.load(feature)
        new = replace(old, rules=decide(old, KnownRules(feature, old.rules)))
        return _save(workspace, write, change, feature, old, new)


def _replace(workspace: Workspace, write: Write, change: ZoneChange, feature: RuleFeature, wish: Wish) -> Written:
    old: RulesetPolicy = change.load(feature)
    known = KnownRules(feature, old.rules)
    rules = old.rules if wish.rules is None else tuple(_each_identified(wish.rules, known))
    name = old.name if wish.name is None else wish.name
    description = old.description if wish.description is None else wish.description
    return _save(workspace, write, change, feature, old, RulesetPolicy(rules, name, description))


def _each_identified(rules: Sequence[Rule], known: KnownRules) -> Iterator[Rule]:
    for index, rule in enumerate(rules):
        try:
            yield identified(rule, known)
        except HoplonError as error:
            problems = tuple(replace(each, path=f"rules[{index}]{each.path}") for each in error.problems)
            raise HoplonError(error.code, error.message, error.hint, problems) from None


def _save(
    workspace: Workspace,
    write: Write,
    change: ZoneChange,
    feature: RuleFeature,
    old: RulesetPolicy,
    new: RulesetPolicy,
) -> Written:
    """Keep what differs; nothing is a version when nothing does, except a ruleset that was not there."""
    check_rules(workspace, change, feature, old, new)
    if write.is_dry:
        return Versioned(None, change.old_version)
    whose, store = RULESET_FEATURES[feature], STORES[feature]
    sentences = whose.describe(old, new)
    if rows.ruleset_at(change.connection, change.zone_id, feature) is None:
        store.create(change.connection, change.zone_id, change.new_version, change.now, new)
        sentences = sentences or [f"creates the ruleset of {whose.what}s"]
    elif sentences:
        change.save(feature, new)
    row = _entrypoint(change.connection, change.zone_id, feature)
    if sentences:
        change.describe(*sentences)
        details = {"feature": feature, "version": row.number, "changes": list(sentences[:AUDITED])}
        change.audit("update", "ruleset", row.ruleset_id, details)
    version = change.new_version if sentences else change.old_version
    return Versioned(store.ruleset(change.connection, row), version)


def _changing(workspace: Workspace, write: Write) -> AbstractContextManager[ZoneChange]:
    return changing_zone(workspace, write.actor, write.zone_id, write.if_match)


def _feature_of(change: ZoneChange, ruleset_id: str) -> RuleFeature:
    return _store(_by_id(change.connection, change.zone_id, ruleset_id)).feature


def _rule(known: KnownRules, rule_id: str) -> Rule:
    rule = known.by_id.get(rule_id)
    if rule is None:
        raise HoplonError("ruleset.rule_unknown", f"the ruleset has no rule `{rule_id}`")
    return rule


def _by_id(connection: Connection, zone_id: str, ruleset_id: str) -> RulesetRow:
    for row in rows.rulesets_of(connection, zone_id):
        if row.ruleset_id == ruleset_id:
            return row
    raise HoplonError("ruleset.unknown", f"the zone has no ruleset `{ruleset_id}`")


def _entrypoint(connection: Connection, zone_id: str, feature: RuleFeature) -> RulesetRow:
    row = rows.ruleset_at(connection, zone_id, feature)
    if row is None:
        what = RULESET_FEATURES[feature].what
        raise HoplonError("ruleset.no_entrypoint", f"the zone has no ruleset of {what}s yet", "PUT makes it")
    return row


def _store(row: RulesetRow) -> RulesetStore:
    return STORES["limits" if row.feature == "limits" else "rules"]


def _wrong(path: str, message: str, hint: str | None = None) -> HoplonError:
    return HoplonError("ruleset.invalid", "nothing was changed", None, (Problem(path, message, hint),))
