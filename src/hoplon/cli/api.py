"""`hoplon api`: the API alone, in this process."""

import os

import click

from hoplon.cli.options import settings_of


@click.command()
@click.option("--admin", metavar="ADDRESS", help="Listen here. [default: 127.0.0.1:8081]")
@click.option("--state", metavar="DIR", help="The state directory. [default: ./hoplon-state]")
@click.option("--config", metavar="FILE", help="Settings. [default: hoplon.toml, if there is one]")
def api(config: str | None, **flags: object) -> None:
    """Run the API alone, in the foreground, under your own supervisor: a control plane for gateways elsewhere."""
    from hoplon.service.api_start import prepare_api

    with prepare_api(settings_of(config, **flags)) as start:
        for notice in start.notices:
            click.echo(f"note: {notice}", err=True)
        os.execv(start.command[0], start.command)  # noqa: S606  the same interpreter, without the shell
