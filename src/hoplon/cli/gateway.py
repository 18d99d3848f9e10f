"""`hoplon gateway`: the gateway alone, in this process."""

import os

import click

from hoplon.cli.options import process_options, settings_of


@click.command()
@process_options
def gateway(config: str | None, **flags: object) -> None:
    """Run the gateway alone, in the foreground, under your own supervisor.

    Without --upstream, and when the database cannot be used, it serves the bundle that is in place.
    """
    from hoplon.service.gateway_start import prepare_gateway

    with prepare_gateway(settings_of(config, **flags), parts=("gateway",)) as start:
        for notice in start.notices:
            click.echo(f"note: {notice}", err=True)
        os.execv(start.command[0], start.command)  # noqa: S606  the same interpreter, without the shell
