"""`hoplon gateways`: the gateways that fetch their bundles from this control plane, and which of them lag."""

import json
from dataclasses import asdict

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option


@click.command()
@control_options
@json_option
def gateways(where: Where, as_json: bool) -> None:
    """List the gateways elsewhere (`hoplon gateway --server URL`) that were heard.

    current: it serves the current bundle. behind: it serves another one. away: it has not asked for 90 seconds; it goes
    on with the bundle it has.
    """
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        found = control.gateways.list()
    if as_json:
        rows = [
            {**asdict(each), "last_seen_at": each.last_seen_at.isoformat(), "state": state} for each, state in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    print_table(
        ("gateway", "credential", "address", "last heard", "mode", "bundle", "state"),
        [
            (
                each.name,
                each.credential,
                each.address,
                f"{each.last_seen_at:%Y-%m-%d %H:%M:%S} UTC",
                each.mode,
                each.bundle and each.bundle[:16],
                state,
            )
            for each, state in found
        ],
    )
