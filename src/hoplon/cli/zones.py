"""`hoplon zones`: the zones, their hosts and where their traffic goes."""

import json
from typing import TYPE_CHECKING

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option

if TYPE_CHECKING:
    from hoplon.service.zones import ZoneSummary


@click.group(invoke_without_command=True)
@control_options
@json_option
@click.pass_context
def zones(context: click.Context, where: Where, as_json: bool) -> None:
    """List the zones and where their traffic goes; add, point elsewhere and remove them."""
    if context.invoked_subcommand is not None:
        return
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        rows = control.zones.list()
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], indent=2))
        return
    print_table(
        ("zone", "hosts", "upstreams", "operations", "fallthrough", "policy", "changed"),
        [
            (
                row.name,
                ", ".join(row.hosts) or "any host",
                ", ".join(row.upstreams),
                row.operations,
                row.fallthrough,
                f"version {row.version}",
                f"{row.changed_at:%Y-%m-%d %H:%M} UTC",
            )
            for row in rows
        ],
        right=("operations",),
    )


@zones.command("add")
@click.argument("name")
@click.option("--upstream", "upstreams", multiple=True, metavar="URL", help="Your API; several share the traffic.")
@control_options
@json_option
def add(name: str, upstreams: tuple[str, ...], where: Where, as_json: bool) -> None:
    """Add a zone for the host NAME and the names right below it. Without --upstream it waits for one, unserved."""
    with open_control(where) as control:
        _say(control.zones.add(name, upstreams), as_json)


@zones.command("upstreams")
@click.argument("name")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@control_options
@json_option
def upstreams(name: str, urls: tuple[str, ...], where: Where, as_json: bool) -> None:
    """Say where the traffic of the zone NAME goes, in place of what was said before."""
    with open_control(where) as control:
        _say(control.zones.set_upstreams(name, urls), as_json)


@zones.command("rm")
@click.argument("name")
@control_options
def rm(name: str, where: Where) -> None:
    """Remove the zone NAME with its policy. Its history and its audit entries stay."""
    with open_control(where) as control:
        control.zones.remove(name)
    click.echo(f"Zone {name} is removed.")


def _say(zone: "ZoneSummary", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(zone.as_json(), indent=2))
        return
    goes = f"goes to {', '.join(zone.upstreams)}" if zone.is_active else "waits for an upstream"
    click.echo(f"Zone {zone.name} (version {zone.version}) takes {', '.join(zone.hosts) or 'any host'} and {goes}.")
