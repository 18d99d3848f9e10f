"""`hoplon worker`: the worker alone, in this process."""

import os
import sys

import click

from hoplon.cli.options import settings_of


@click.command()
@click.option("--state", metavar="DIR", help="The state directory. [default: ./hoplon-state]")
@click.option("--config", metavar="FILE", help="Settings. [default: hoplon.toml, if there is one]")
def worker(config: str | None, state: str | None) -> None:
    """Run the worker alone, in the foreground, under your own supervisor."""
    settings = settings_of(config, state=state)
    command = (sys.executable, "-m", "hoplon.worker", str(settings.state.absolute()))
    os.execv(command[0], command)  # noqa: S606  the same interpreter, without the shell
