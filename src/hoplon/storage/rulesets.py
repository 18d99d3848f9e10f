"""Rulesets and their rules in the database: rows of a zone's policy, each valid from one of its versions to another.

What a rule says is JSON text that only its feature reads.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from hoplon.storage.policies import in_version
from hoplon.storage.tables import rules, rulesets


@dataclass(frozen=True, slots=True)
class RulesetRow:
    """One version of a ruleset; `number` is its own version, `first_version` the zone's in which it began."""

    zone_id: str
    feature: str
    ruleset_id: str
    number: int
    name: str
    description: str
    last_updated: datetime
    first_version: int
    last_version: int | None = None


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: its place among the others, its own version, and what it says as JSON."""

    rule_id: str
    place: int
    number: int
    content: str
    last_updated: datetime


def rulesets_of(connection: Connection, zone_id: str) -> list[RulesetRow]:
    """The newest version of each ruleset of a zone, by feature."""
    query = select(rulesets).where(rulesets.c.zone_id == zone_id, in_version(rulesets, None))
    return [_ruleset(row) for row in connection.execute(query.order_by(rulesets.c.feature))]


def ruleset_at(connection: Connection, zone_id: str, feature: str, version: int | None = None) -> RulesetRow | None:
    """The ruleset of a feature in one version of the zone, or in the newest; None when it had none then."""
    query = select(rulesets).where(
        rulesets.c.zone_id == zone_id, rulesets.c.feature == feature, in_version(rulesets, version)
    )
    row = connection.execute(query).first()
    return None if row is None else _ruleset(row)


def versions_of(connection: Connection, zone_id: str, ruleset_id: str) -> list[RulesetRow]:
    """Every version of a ruleset, newest first."""
    query = select(rulesets).where(rulesets.c.zone_id == zone_id, rulesets.c.ruleset_id == ruleset_id)
    return [_ruleset(row) for row in connection.execute(query.order_by(rulesets.c.number.desc()))]


def version_at(connection: Connection, zone_id: str, ruleset_id: str, number: int) -> RulesetRow | None:
    """One version of a ruleset by its own number."""
    query = select(rulesets).where(
        rulesets.c.zone_id == zone_id, rulesets.c.ruleset_id == ruleset_id, rulesets.c.number == number
    )
    row = connection.execute(query).first()
    return None if row is None else _ruleset(row)


def begin_ruleset(connection: Connection, row: RulesetRow) -> None:
    """Make this the ruleset of its feature from its `first_version` on."""
    end_ruleset(connection, row.zone_id, row.feature, row.first_version)
    connection.execute(insert(rulesets).values({name: getattr(row, name) for name in RulesetRow.__slots__}))


def end_ruleset(connection: Connection, zone_id: str, feature: str, version: int) -> None:
    """Let the ruleset of a feature end with the version before `version`."""
    current = (rulesets.c.zone_id == zone_id) & (rulesets.c.feature == feature) & in_version(rulesets, None)
    connection.execute(update(rulesets).where(current).values(last_version=version - 1))


def rules_at(connection: Connection, zone_id: str, feature: str, version: int | None = None) -> list[RuleRow]:
    """The rules of a feature in one version of the zone, or in the newest, in their order."""
    columns = [rules.c[name] for name in RuleRow.__slots__]
    query = select(*columns).where(rules.c.zone_id == zone_id, rules.c.feature == feature, in_version(rules, version))
    return [RuleRow(*row) for row in connection.execute(query.order_by(rules.c.place))]


def contents_with(connection: Connection, text: str) -> list[tuple[str, str]]:
    """Feature and content of every rule of a newest version, in any zone, whose content has `text` in it."""
    found = in_version(rules, None) & rules.c.content.contains(text, autoescape=True)
    return [
        (row.feature, row.content) for row in connection.execute(select(rules.c.feature, rules.c.content).where(found))
    ]


def insert_rules(connection: Connection, zone_id: str, feature: str, version: int, added: Sequence[RuleRow]) -> None:
    """Keep rules from `version` on. None of them may be there already."""
    fixed = {"zone_id": zone_id, "feature": feature, "first_version": version}
    rows = [{**fixed, **{name: getattr(row, name) for name in RuleRow.__slots__}} for row in added]
    if rows:
        connection.execute(insert(rules), rows)


def close_rules(connection: Connection, zone_id: str, feature: str, version: int, ids: Collection[str]) -> None:
    """Let rules end with the version before `version`; they stay in the history."""
    of_feature = (rules.c.zone_id == zone_id) & (rules.c.feature == feature)
    statement = (
        update(rules)
        .where(of_feature, rules.c.rule_id == bindparam("closed"), in_version(rules, None))
        .values(last_version=version - 1)
    )
    if ids:
        connection.execute(statement, [{"closed": each} for each in ids])


def _ruleset(row: Row[Any]) -> RulesetRow:
    return RulesetRow(**{name: getattr(row, name) for name in RulesetRow.__slots__})
