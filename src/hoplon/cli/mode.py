"""`hoplon mode`: the one switch over everything. Needs neither database nor worker nor gateway."""

import json
from typing import TYPE_CHECKING

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.errors import EXIT_PROBLEM
from hoplon.cli.options import json_option
from hoplon.model.mode import Mode

if TYPE_CHECKING:
    from hoplon.service.gateway import Acknowledgement


@click.command()
@click.argument("new", metavar="[off|log|enforce]", required=False, type=click.Choice([mode.value for mode in Mode]))
@control_options
@json_option
@click.pass_context
def mode(context: click.Context, new: str | None, where: Where, as_json: bool) -> None:
    """Show the mode, or set it.

    off: forward and count only. log: every block becomes a log. enforce: rules act as the policy says. Protocol
    refusals act in every mode. Exit code 1 when a running gateway has not taken the new mode.
    """
    with open_control(where) as control:
        if new is None:
            _show(control.mode.get(), as_json)
            return
        acknowledgement = control.mode.set(Mode(new))
        followed = control.mode.followed()
    _show_set(Mode(new), acknowledgement, as_json)
    if followed is not None:
        click.echo(f"note: this gateway follows {followed}; its mode comes back with its next answer", err=True)
    context.exit(EXIT_PROBLEM if acknowledgement.outcome == "silent" else 0)


def _show(mode: Mode, as_json: bool) -> None:
    click.echo(json.dumps({"mode": mode}) if as_json else f"{mode}: {mode.meaning}")


def _show_set(mode: Mode, acknowledgement: "Acknowledgement", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"mode": mode, "gateway": acknowledgement.outcome, "seconds": acknowledgement.seconds}))
        return
    click.echo(f"{mode}: {mode.meaning}")
    click.echo(
        {
            "taken": f"The gateway has taken it after {acknowledgement.seconds:.2f} s.",
            "not_running": "No gateway is running; it will begin in this mode.",
        }.get(acknowledgement.outcome, "The gateway has not taken it: see `hoplon doctor`.")
    )
