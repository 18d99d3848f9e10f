"""`hoplon worker`: the worker alone, in this process."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hoplon.cli.options import settings_of

if TYPE_CHECKING:
    from hoplon.settings.fields import JwksSettings, RecordsSettings


@click.command()
@click.option("--state", metavar="DIR", help="The state directory. [default: ./hoplon-state]")
@click.option("--config", metavar="FILE", help="Settings. [default: hoplon.toml, if there is one]")
def worker(config: str | None, state: str | None) -> None:
    """Run the worker alone, in the foreground, under your own supervisor."""
    settings = settings_of(config, state=state)
    command = worker_command(settings.state, settings.records, settings.jwks)
    os.execv(command[0], command)  # noqa: S606  the same interpreter, without the shell


def worker_command(state: Path, records: "RecordsSettings", jwks: "JwksSettings") -> tuple[str, ...]:
    """The command line of a worker process. Who starts it has read the settings: both halves keep records alike."""
    limits = (str(records.retention_seconds), str(records.retention_bytes))
    servers = (",".join(jwks.networks), str(jwks.ca.absolute()) if jwks.ca else "")
    return (sys.executable, "-m", "hoplon.worker", str(state.absolute()), *limits, *servers)
