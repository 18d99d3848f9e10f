"""`hoplon gateway`: the gateway alone, in this process."""

import os
from typing import TYPE_CHECKING

import click

from hoplon.cli.options import process_options, settings_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hoplon.service.gateway_start import GatewayStart
    from hoplon.settings.fields import Settings


@click.command()
@click.option("--server", metavar="URL", help="Follow the control plane there instead of a policy here.")
@click.option("--credential", metavar="FILE", help="With --server: this gateway's token, in a file of mode 0600.")
@click.option("--server-ca", metavar="FILE", help="With --server: who signed its certificate. [default: the system's]")
@click.option("--accept-older", is_flag=True, help="With --server: once take a policy older than the one in place.")
@process_options
def gateway(
    config: str | None,
    server: str | None,
    credential: str | None,
    server_ca: str | None,
    accept_older: bool,
    **flags: object,
) -> None:
    """Run the gateway alone, in the foreground, under your own supervisor.

    Without --upstream, and when the database cannot be used, it serves the bundle that is in place. With --server it
    serves what that control plane says, and goes on with the last of it when the control plane is away.
    """
    named = {"url": server, "credential": credential, "ca": server_ca}
    control_plane = {name: value for name, value in named.items() if value is not None}
    settings = settings_of(config, **flags, **({"control_plane": control_plane} if control_plane else {}))
    with _prepared(settings, accept_older) as start:
        for notice in start.notices:
            click.echo(f"note: {notice}", err=True)
        os.execv(start.command[0], start.command)  # noqa: S606  the same interpreter, without the shell


def _prepared(settings: "Settings", accept_older: bool) -> "AbstractContextManager[GatewayStart]":
    """The gateway of this state directory's policy, or of the control plane that the settings name."""
    if settings.control_plane.url is not None:
        from hoplon.service.following_start import prepare_following

        return prepare_following(settings, accept_older)
    if accept_older:
        raise click.UsageError("--accept-older goes with --server")
    from hoplon.service.gateway_start import prepare_gateway

    return prepare_gateway(settings, parts=("gateway",))
