"""`hoplon tokens rules`: what operations demand of tokens, highest precedence first."""

import json
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import Function, json_option
from hoplon.cli.saved_operations import one_zone_option

if TYPE_CHECKING:
    from hoplon.service.token_rules import Position
    from hoplon.tokens.model import TokenRule


def selector_options(function: Function) -> Function:
    """Which operations, as the arguments `hosts` and `exclude`."""
    exclude = click.option(
        "--exclude",
        multiple=True,
        metavar="WHICH",
        help='Not this operation: its id, or "GET /health". Several times.',
    )
    hosts = click.option("--host", "hosts", multiple=True, help="Operations of this host. Several times. [all]")
    return hosts(exclude(function))


def rule_options(function: Function) -> Function:
    """What a rule says besides its expression; None where nothing was said."""
    action = click.option("--action", type=click.Choice(["log", "block"]), help="When the expression is false. [log]")
    enabled = click.option("--on/--off", "enabled", default=None, help="Whether it acts. [on]")
    description = click.option("--description", help="What it is for, in 500 characters.")
    return action(enabled(description(selector_options(function))))


def place_options(function: Function) -> Function:
    """Where a rule is moved to, as the arguments `index`, `before` and `after`."""
    index = click.option("--index", type=click.IntRange(min=1), help="To this place; 1 is the first.")
    before = click.option("--before", metavar="ID", help="Right before this rule.")
    after = click.option("--after", metavar="ID", help="Right after this rule.")
    return index(before(after(function)))


@click.group("rules", invoke_without_command=True)
@one_zone_option
@control_options
@json_option
@click.pass_context
def rules(context: click.Context, zone: str | None, where: Where, as_json: bool) -> None:
    """List the token rules. At most one applies to an operation: the first that is about it."""
    if context.invoked_subcommand is not None:
        return
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        found = control.token_validation.rules(zone)
    if as_json:
        click.echo(json.dumps([_as_json(rule) for rule in found], indent=2, ensure_ascii=False))
        return
    rows = [
        (rule.id, rule.title, rule.action if rule.enabled else "off", ", ".join(rule.hosts) or "all", rule.expression)
        for rule in found
    ]
    print_table(("id", "title", "action", "hosts", "demands"), rows)


@rules.command("add")
@click.argument("title")
@click.argument("expression")
@rule_options
@one_zone_option
@control_options
@json_option
def add(title: str, expression: str, zone: str | None, where: Where, as_json: bool, **given: Any) -> None:
    """Add a rule: its action is taken when EXPRESSION is false, as in `is_jwt_valid("ID")`."""
    with open_control(where) as control:
        rule = control.token_validation.add_rule(zone, {"title": title, "expression": expression, **_said(given)})
    _say(rule, as_json)


@rules.command("edit")
@click.argument("identity", metavar="ID")
@click.option("--title", help="What it is called, in 50 characters.")
@click.option("--expression", help="What operations demand.")
@rule_options
@place_options
@one_zone_option
@control_options
@json_option
def edit(
    identity: str,
    zone: str | None,
    where: Where,
    as_json: bool,
    index: int | None,
    before: str | None,
    after: str | None,
    **given: Any,
) -> None:
    """Change what the options say, and move it; the rest of the rule stays."""
    position = _position(index, before, after)
    with open_control(where) as control:
        changes = _said(given)
        if "hosts" in changes or "exclude" in changes:
            old = next((rule for rule in control.token_validation.rules(zone) if rule.id == identity), None)
            changes = {"hosts": old.hosts, "exclude": old.exclude, **changes} if old is not None else changes
        rule = control.token_validation.edit_rule(zone, identity, changes, position)
    _say(rule, as_json)


@rules.command("rm")
@click.argument("identity", metavar="ID")
@one_zone_option
@control_options
def rm(identity: str, zone: str | None, where: Where) -> None:
    """Remove a rule."""
    with open_control(where) as control:
        version = control.token_validation.remove_rule(zone, identity)
    click.echo(f"Token rule {identity} is removed; the zone is at version {version}.")


@rules.command("preview")
@selector_options
@one_zone_option
@control_options
@json_option
def preview(hosts: tuple[str, ...], exclude: tuple[str, ...], zone: str | None, where: Where, as_json: bool) -> None:
    """Say which saved operations a rule with these hosts and exclusions would take."""
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        found = control.token_validation.preview(zone, hosts, exclude)
    if as_json:
        shown = [
            {"id": each.id, "method": each.method, "host": each.host, "path": each.path, "state": state}
            for each, state in found.shown
        ]
        click.echo(json.dumps({"operations": shown, **found.counts}, indent=2))
        return
    rows = [(state, each.method, each.host, each.path) for each, state in found.shown]
    print_table(("state", "method", "host", "path"), rows)


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in given.items() if each not in (None, ())}


def _position(index: int | None, before: str | None, after: str | None) -> "Position | None":
    from hoplon.service.token_rules import Position

    if [index, before, after].count(None) < 2:
        raise click.UsageError("say one of --index, --before and --after")
    if index is not None:
        return Position("index", index)
    if before is not None:
        return Position("before", before)
    return Position("after", after) if after is not None else None


def _say(rule: "TokenRule", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(rule), indent=2, ensure_ascii=False))
        return
    acts = f"{rule.action}s" if rule.enabled else "is off; else it would " + rule.action
    click.echo(f"Token rule {rule.id} ({rule.title}) {acts} what does not meet: {rule.expression}")


def _as_json(rule: "TokenRule") -> dict[str, Any]:
    names = ("id", "title", "description", "action", "enabled", "expression")
    return {**{name: getattr(rule, name) for name in names}, "hosts": list(rule.hosts), "exclude": list(rule.exclude)}
