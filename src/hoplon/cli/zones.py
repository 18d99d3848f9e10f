"""`hoplon zones`: the zones, their hosts and where their traffic goes."""

import json

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option


@click.command()
@control_options
@json_option
def zones(where: Where, as_json: bool) -> None:
    """List the zones and where their traffic goes."""
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
