"""`hoplon zones`: the zones, their hosts and where their traffic goes."""

import json
from pathlib import Path

import click

from hoplon.cli.options import json_option, state_option


@click.command()
@state_option
@json_option
def zones(state_dir: Path, as_json: bool) -> None:
    """List the zones and where their traffic goes."""
    from hoplon.cli.tables import print_table
    from hoplon.service.workspace import open_workspace
    from hoplon.service.zones import list_zones

    with open_workspace(state_dir) as workspace:
        rows = list_zones(workspace)
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
