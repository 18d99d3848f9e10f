"""`hoplon restart`: the running `hoplon up` becomes the installed version, without a dropped request."""

import json
from pathlib import Path

import click

from hoplon.cli.errors import EXIT_PROBLEM
from hoplon.cli.options import json_option, state_option


@click.command()
@state_option
@json_option
@click.pass_context
def restart(context: click.Context, state_dir: Path, as_json: bool) -> None:
    """Restart the running `hoplon up`, after an upgrade or a change of settings, without a dropped request.

    The gateway's successor takes over on the same sockets; the one before ends what it has under way. When the
    new version could not start, nothing is changed and the exit code is 1.
    """
    from hoplon.service.restart import restart as ask
    from hoplon.storage.state import open_state
    from hoplon.supervisor import RESTART_SIGNAL

    outcome = ask(open_state(state_dir), RESTART_SIGNAL)
    if as_json:
        click.echo(json.dumps({"is_done": outcome.is_done, "message": outcome.message}))
    else:
        click.echo("Restarted: every part is replaced." if outcome.is_done else f"Not restarted: {outcome.message}")
    context.exit(0 if outcome.is_done else EXIT_PROBLEM)
