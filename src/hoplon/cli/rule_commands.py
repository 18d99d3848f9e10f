"""What `hoplon rules` and `hoplon limits` do alike: list, add, edit, move and remove the rules of a ruleset."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.control import Where, open_control
from hoplon.cli.rule_options import Given, position_of, rule_of

if TYPE_CHECKING:
    from hoplon.cli.control import Control
    from hoplon.client.local_rulesets import LocalRulesets
    from hoplon.client.remote_rulesets import RemoteRulesets
    from hoplon.model.rules import Rate, Rule, StoredRule

_SHOWN = 80
"""Characters of an expression in a table on a terminal or in a pipe; `--json` has all."""


def list_rules(which: str, zone: str | None, where: Where, as_json: bool) -> None:
    """Print the rules in the order in which they are asked."""
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        ruleset = _rulesets(control, which).get(zone)
    stored = () if ruleset is None else ruleset.rules
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in stored], indent=2, ensure_ascii=False))
        return
    rows = [(index, *_row(each.rule)) for index, each in enumerate(stored, start=1)]
    allowed = ("allows",) if which == "limits" else ()
    print_table(("", "ref", "action", *allowed, "expression", "description"), rows, right=("",))


def add_rule(which: str, ref: str, given: Given, zone: str | None, where: Where, as_json: bool) -> None:
    """Add a rule where the options say."""
    from hoplon.model.rules import Rule

    with open_control(where) as control:
        rulesets = _rulesets(control, which)
        ruleset = rulesets.get(zone)
        rule = rule_of(Rule("", ref, ""), given, ruleset)
        before = set() if ruleset is None else {stored.rule.id for stored in ruleset.rules}
        added = rulesets.add(zone, rule, position_of(given, ruleset))
    (new,) = [stored for stored in added.value.rules if stored.rule.id not in before]
    _tell("Added", new, added.version, as_json)


def edit_rule(which: str, ref: str, given: Given, zone: str | None, where: Where, as_json: bool) -> None:
    """Change what the options say."""
    from hoplon.client.local_rulesets import found

    with open_control(where) as control:
        rulesets = _rulesets(control, which)
        ruleset = rulesets.get(zone)
        changed = rulesets.edit(zone, ref, lambda rule: rule_of(rule, given, ruleset), position_of(given, ruleset))
    rule_id = found(changed.value, ref)[1].id
    (new,) = [stored for stored in changed.value.rules if stored.rule.id == rule_id]
    _tell("Changed", new, changed.version, as_json)


def move_rule(which: str, ref: str, given: Given, zone: str | None, where: Where) -> None:
    """Let a rule stand where the options say."""
    with open_control(where) as control:
        rulesets = _rulesets(control, which)
        position = position_of(given, rulesets.get(zone))
        if position is None:
            raise click.UsageError("say where: --first, --last, --before REF, --after REF or --index N")
        moved = rulesets.edit(zone, ref, lambda rule: rule, position)
    order = ", ".join(stored.rule.ref for stored in moved.value.rules[:10])
    more = ", …" if len(moved.value.rules) > len(moved.value.rules[:10]) else ""
    click.echo(f"The order is now {order}{more}; the zone is at version {moved.version}.")


def remove_rules(which: str, refs: Sequence[str], zone: str | None, where: Where) -> None:
    """Remove rules, all or none."""
    with open_control(where) as control:
        removed = _rulesets(control, which).remove(zone, refs)
    click.echo(f"Removed {len(set(refs))}; the zone is at version {removed.version}.")


def _rulesets(control: "Control", which: str) -> "LocalRulesets | RemoteRulesets":
    return control.limits if which == "limits" else control.rules


def _tell(word: str, stored: "StoredRule", version: int, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(stored), indent=2, ensure_ascii=False))
        return
    rule = stored.rule
    state = f"{rule.action}, off" if not rule.is_enabled else rule.action
    click.echo(f"{word} {rule.ref} ({state}); the zone is at version {version}.")


def _row(rule: "Rule") -> tuple[str, ...]:
    action = rule.action if rule.is_enabled else f"{rule.action} (off)"
    allowed = () if rule.rate is None else (_allowed(rule.rate),)
    return rule.ref, action, *allowed, _short(rule.expression), rule.description


def _allowed(rate: "Rate") -> str:
    if rate.in_flight is not None:
        return f"{rate.in_flight} at once"
    if rate.score_per_period is not None:
        return f"score {rate.score_per_period} in {rate.period_seconds} s"
    return f"{rate.requests_per_period} in {rate.period_seconds} s"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _as_json(stored: "StoredRule") -> dict[str, Any]:
    from hoplon.rules.form import definition_form

    definition = definition_form(stored.rule, "current")
    moment = stored.last_updated.isoformat().replace("+00:00", "Z")
    return {"id": stored.rule.id, **definition, "version": stored.version, "last_updated": moment}
