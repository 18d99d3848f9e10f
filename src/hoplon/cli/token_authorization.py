"""`hoplon tokens authorization`: who may use which operation, by the claims of their tokens."""

import json
from dataclasses import asdict
from typing import Any

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option
from hoplon.cli.saved_operations import one_zone_option


@click.group("authorization", invoke_without_command=True)
@one_zone_option
@control_options
@json_option
@click.pass_context
def authorization(context: click.Context, zone: str | None, where: Where, as_json: bool) -> None:
    """List the conditions under which operations may be used."""
    if context.invoked_subcommand is not None:
        return
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        found = control.token_validation.authorization(zone).value
    if as_json:
        click.echo(json.dumps([{"id": each.id, **asdict(each)} for each in found], indent=2, ensure_ascii=False))
        return
    rows = [(each.operation, each.condition, each.action if each.enabled else "off") for each in found]
    print_table(("operation", "allowed when", "else"), rows)


@authorization.command("add")
@click.argument("operation")
@click.argument("condition")
@click.option("--action", type=click.Choice(["log", "block"]), default="log", help="When it is not true. [log]")
@click.option("--description", default="", help="What it is for.")
@one_zone_option
@control_options
def add(operation: str, condition: str, zone: str | None, where: Where, **given: Any) -> None:
    """Allow OPERATION ("GET /users/{user}/orders") only when CONDITION is true, as in
    'claim("sub") eq path_variable("user")'."""
    from hoplon.tokens.model import Authorization

    with open_control(where) as control:
        before = control.token_validation.authorization(zone)
        new = Authorization(operation=operation, condition=condition, **given)
        version = control.token_validation.set_authorization(zone, [*before.value, new], before.version)
    click.echo(f"{operation} is allowed when {condition}; the zone is at version {version}.")


@authorization.command("rm")
@click.argument("operation")
@click.argument("condition", required=False)
@one_zone_option
@control_options
def rm(operation: str, condition: str | None, zone: str | None, where: Where) -> None:
    """Take back a condition of OPERATION, or all it has."""
    with open_control(where) as control:
        before = control.token_validation.authorization(zone)
        kept = [each for each in before.value if each.operation != operation or condition not in (None, each.condition)]
        if len(kept) == len(before.value):
            raise click.UsageError(f"there is no such condition for `{operation}`")
        version = control.token_validation.set_authorization(zone, kept, before.version)
    click.echo(f"Removed {len(before.value) - len(kept)}; the zone is at version {version}.")
