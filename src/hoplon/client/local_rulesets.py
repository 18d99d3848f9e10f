"""Custom rules or limits of the Hoplon in a state directory here; the methods of `hoplon.client.remote_rulesets`."""

from collections.abc import Callable, Sequence

from hoplon.errors import HoplonError
from hoplon.model.rules import Rule, RuleFeature, Ruleset
from hoplon.model.versioned import Versioned
from hoplon.service import rulesets as service
from hoplon.service.changes import local_actor
from hoplon.service.policy import find_zone
from hoplon.service.rule_order import Position
from hoplon.service.rulesets import Wish, Write
from hoplon.service.workspace import Workspace
from hoplon.spelling import did_you_mean

Changed = Versioned[Ruleset]
NO_RULESET = "ruleset.no_entrypoint"


class LocalRulesets:
    """The rules of one feature, named by their refs."""

    def __init__(self, workspace: Callable[[], Workspace], feature: RuleFeature) -> None:
        self._workspace = workspace
        self._feature = feature

    def get(self, zone: str | None = None) -> Ruleset | None:
        """The ruleset, None where there is none yet."""
        try:
            return service.get_entrypoint(self._workspace(), self._zone_id(zone), self._feature).value
        except HoplonError as error:
            if error.code != NO_RULESET:
                raise
            return None

    def add(self, zone: str | None, rule: Rule, position: Position | None = None) -> Changed:
        """Add a rule; without an id or ref it gets one."""
        ruleset, write = self.get(zone), self._write(zone)
        if ruleset is None:
            return whole(service.set_entrypoint(self._workspace(), write, self._feature, Wish([rule])))
        return whole(service.add_rule(self._workspace(), write, ruleset.id, rule, position))

    def edit(
        self, zone: str | None, ref: str, edit: Callable[[Rule], Rule], position: Position | None = None
    ) -> Changed:
        """Let a rule be what `edit` makes of it, and stand where `position` says."""
        ruleset, rule = found(self.get(zone), ref)
        write = self._write(zone)
        return whole(service.edit_rule(self._workspace(), write, ruleset.id, rule.id, edit, position))

    def remove(self, zone: str | None, refs: Sequence[str]) -> Changed:
        """Remove rules, all or none."""
        ruleset, left = without(self.get(zone), refs)
        return whole(service.set_ruleset(self._workspace(), self._write(zone), ruleset.id, Wish(left)))

    def _write(self, zone: str | None) -> Write:
        return Write(local_actor(), self._zone_id(zone))

    def _zone_id(self, zone: str | None) -> str:
        return find_zone(self._workspace(), zone).zone_id


def found(ruleset: Ruleset | None, ref: str) -> tuple[Ruleset, Rule]:
    """The rule with this ref, or id, and its ruleset. Raises `ruleset.rule_unknown`."""
    rules = () if ruleset is None else tuple(stored.rule for stored in ruleset.rules)
    for rule in rules:
        if ruleset is not None and ref in (rule.ref, rule.id):
            return ruleset, rule
    hint = did_you_mean(ref, [rule.ref for rule in rules]) if rules else "there are none yet"
    raise HoplonError("ruleset.rule_unknown", f"there is no rule `{ref}`", hint)


def without(ruleset: Ruleset | None, refs: Sequence[str]) -> tuple[Ruleset, list[Rule]]:
    """The ruleset, and its rules without those. Raises `ruleset.rule_unknown`."""
    whole_ruleset, _ = found(ruleset, refs[0])
    gone = {found(ruleset, ref)[1].id for ref in refs}
    return whole_ruleset, [stored.rule for stored in whole_ruleset.rules if stored.rule.id not in gone]


def whole(written: service.Written) -> Changed:
    """What was written. Raises ValueError for a dry run, which writes nothing."""
    if written.value is None:
        raise ValueError("a dry run has no ruleset")
    return Versioned(written.value, written.version)
