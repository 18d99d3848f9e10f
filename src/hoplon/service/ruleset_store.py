"""Custom rules and limits kept as rows: the store of the features `rules` and `limits` (see `hoplon.service.stores`).

Only what differs from the newest rows is written: one edited rule is one row that ends and one that begins, and the row
of the ruleset's next version.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import Connection

from hoplon.errors import Problem
from hoplon.limits.policy import LimitsFeature
from hoplon.model.rules import Rule, RuleFeature, Ruleset, RulesetPolicy, StoredRule
from hoplon.policy.feature import Table
from hoplon.rules.around import Around
from hoplon.rules.policy import RulesFeature
from hoplon.service.rule_places import places
from hoplon.storage import rulesets
from hoplon.storage.rulesets import RuleRow, RulesetRow


class RulesetFeature(Protocol):
    """What a feature whose policy is a ruleset can do besides (see `hoplon.policy.feature.Feature`)."""

    name: str
    what: str
    """The word for one of its rules."""
    path: str
    """Where its rules stand in the document."""
    rule_table: type[Table]

    def read_rule(self, table: Any) -> Rule:
        """The rule that a checked table means; rules that it skips are named by their ids."""

    def write_rule(self, rule: Rule) -> dict[str, Any]:
        """The table of a rule, with the ids of the rules that it skips."""

    def rule_faults(self, rule: Rule) -> Iterable[Problem]:
        """What is wrong with one rule by itself, relative to it."""

    def names(self, rule: Rule) -> bool:
        """Whether it names a list or a token configuration."""

    def naming_faults(self, rule: Rule, around: Around) -> Iterable[Problem]:
        """What is wrong with the lists and token configurations that one rule names."""

    def lists(self, rule: Rule) -> frozenset[str]:
        """The lists that one rule names."""

    def describe(self, old: RulesetPolicy, new: RulesetPolicy) -> Sequence[str]:
        """What changes from `old` to `new`, in words."""


_KEPT = 12_000
"""Rules as values and as texts that are kept: changing one of a large ruleset reads and writes one."""
RULESET_FEATURES: Mapping[RuleFeature, RulesetFeature] = {
    "rules": RulesFeature(),
    "limits": LimitsFeature(),
}


@dataclass(frozen=True, slots=True)
class RulesetStore:
    """The whole feature as rows. Deleting a ruleset is not a policy value: an empty one stays a ruleset."""

    feature: RuleFeature

    def load(self, connection: Connection, zone_id: str, version: int | None = None) -> RulesetPolicy:
        header = rulesets.ruleset_at(connection, zone_id, self.feature, version)
        if header is None:
            return RulesetPolicy()
        rows = rulesets.rules_at(connection, zone_id, self.feature, version)
        return RulesetPolicy(self._rules(rows), header.name, header.description)

    def save(self, connection: Connection, zone_id: str, version: int, now: datetime, policy: RulesetPolicy) -> None:
        header = rulesets.ruleset_at(connection, zone_id, self.feature)
        if header is None:
            if policy != RulesetPolicy():
                self.create(connection, zone_id, version, now, policy)
            return
        changed = self._save_rules(connection, zone_id, version, now, policy.rules)
        said = (policy.name, policy.description)
        if changed or said != (header.name, header.description):
            number = header.number + 1
            rulesets.begin_ruleset(connection, self._header(zone_id, header.ruleset_id, number, version, now, policy))

    def create(self, connection: Connection, zone_id: str, version: int, now: datetime, policy: RulesetPolicy) -> None:
        """Make the ruleset, which there is not, even an empty one."""
        self._save_rules(connection, zone_id, version, now, policy.rules)
        rulesets.begin_ruleset(connection, self._header(zone_id, uuid4().hex, 1, version, now, policy))

    def ruleset(self, connection: Connection, header: RulesetRow, *, is_whole: bool = True) -> Ruleset:
        """The ruleset that a row heads, `is_whole` with its rules."""
        return Ruleset(
            id=header.ruleset_id,
            feature=self.feature,
            version=header.number,
            name=header.name,
            description=header.description,
            last_updated=header.last_updated,
            rules=self._stored(connection, header) if is_whole else (),
        )

    def _header(
        self, zone_id: str, ruleset_id: str, number: int, version: int, now: datetime, policy: RulesetPolicy
    ) -> RulesetRow:
        said = (policy.name, policy.description)
        return RulesetRow(zone_id, self.feature, ruleset_id, number, *said, last_updated=now, first_version=version)

    def _stored(self, connection: Connection, header: RulesetRow) -> tuple[StoredRule, ...]:
        rows = rulesets.rules_at(connection, header.zone_id, self.feature, header.first_version)
        rules = self._rules(rows)
        return tuple(StoredRule(rule, row.number, row.last_updated) for rule, row in zip(rules, rows, strict=True))

    def _rules(self, rows: Sequence[RuleRow]) -> tuple[Rule, ...]:
        return tuple(_rule(self.feature, row.content) for row in rows)

    def _save_rules(
        self, connection: Connection, zone_id: str, version: int, now: datetime, rules: Sequence[Rule]
    ) -> bool:
        """Write what differs; whether anything did."""
        before = {row.rule_id: row for row in rulesets.rules_at(connection, zone_id, self.feature)}
        present = [before[rule.id].place if rule.id in before else None for rule in rules]
        after = [
            self._row(rule, before.get(rule.id), place, now) for rule, place in zip(rules, places(present), strict=True)
        ]
        ids = {row.rule_id for row in after}
        written = [row for row in after if before.get(row.rule_id) != row]
        ended = [row.rule_id for row in written if row.rule_id in before]
        ended += [rule_id for rule_id in before if rule_id not in ids]
        rulesets.close_rules(connection, zone_id, self.feature, version, ended)
        rulesets.insert_rules(connection, zone_id, self.feature, version, written)
        return bool(ended or written)

    def _row(self, rule: Rule, old: RuleRow | None, place: int, now: datetime) -> RuleRow:
        content = _content(self.feature, rule)
        if old is not None and old.content == content:
            return RuleRow(rule.id, place, old.number, content, old.last_updated)
        return RuleRow(rule.id, place, old.number + 1 if old else 1, content, now)


def stored_rule(feature: str, content: str) -> tuple[RuleFeature, Rule]:
    """A rule of a row, and whose it is."""
    whose: RuleFeature = "limits" if feature == "limits" else "rules"
    return whose, _rule(whose, content)


@lru_cache(maxsize=_KEPT)
def _rule(feature: RuleFeature, content: str) -> Rule:
    """Rules are stored with the ids of the rules that they skip, so that none needs another to be read."""
    whose = RULESET_FEATURES[feature]
    return whose.read_rule(whose.rule_table.model_validate_json(content))


@lru_cache(maxsize=_KEPT)
def _content(feature: RuleFeature, rule: Rule) -> str:
    table = RULESET_FEATURES[feature].write_rule(rule)
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
