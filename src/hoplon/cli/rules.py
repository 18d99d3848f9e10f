"""`hoplon rules`: a zone's custom rules. Thin: what happens is in `hoplon.service.rulesets`."""

from typing import Any

import click

from hoplon.cli.control import Where, control_options
from hoplon.cli.options import json_option
from hoplon.cli.rule_check import check
from hoplon.cli.rule_commands import add_rule, edit_rule, list_rules, move_rule, remove_rules
from hoplon.cli.rule_explain import explain
from hoplon.cli.rule_options import place_options, rule_options
from hoplon.cli.saved_operations import one_zone_option

_WHICH = "rules"


@click.group(invoke_without_command=True)
@one_zone_option
@control_options
@json_option
@click.pass_context
def rules(context: click.Context, zone: str | None, where: Where, as_json: bool) -> None:
    """List the custom rules of a zone in the order in which they are asked, change them, check expressions."""
    if context.invoked_subcommand is None:
        list_rules(_WHICH, zone, where, as_json)


@rules.command("list")
@one_zone_option
@control_options
@json_option
def listed(zone: str | None, where: Where, as_json: bool) -> None:
    """List the custom rules, as without `list`."""
    list_rules(_WHICH, zone, where, as_json)


@rules.command("add")
@click.argument("expression")
@click.option("--ref", default="", metavar="NAME", help="What you call it. [default: its id]")
@rule_options
@place_options
@one_zone_option
@control_options
@json_option
def add(expression: str, ref: str, zone: str | None, where: Where, as_json: bool, **given: Any) -> None:
    """Add a rule for the requests that EXPRESSION describes. It logs, unless --action says more."""
    add_rule(_WHICH, ref, {**given, "expression": expression}, zone, where, as_json)


@rules.command("edit")
@click.argument("ref")
@click.option("--expression", metavar="EXPRESSION", help="Which requests it is about.")
@rule_options
@place_options
@one_zone_option
@control_options
@json_option
def edit(ref: str, zone: str | None, where: Where, as_json: bool, **given: Any) -> None:
    """Change what the options say about a rule; the rest of it stays."""
    edit_rule(_WHICH, ref, given, zone, where, as_json)


@rules.command("move")
@click.argument("ref")
@place_options
@one_zone_option
@control_options
def move(ref: str, zone: str | None, where: Where, **given: Any) -> None:
    """Let a rule stand somewhere else."""
    move_rule(_WHICH, ref, given, zone, where)


@rules.command("rm")
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
@one_zone_option
@control_options
def rm(refs: tuple[str, ...], zone: str | None, where: Where) -> None:
    """Remove rules, all or none."""
    remove_rules(_WHICH, refs, zone, where)


rules.add_command(check)
rules.add_command(explain)
