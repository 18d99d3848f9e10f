"""`hoplon import`: descriptions in. Thin: see `hoplon.operations.importing`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option
from hoplon.cli.printable import printable

if TYPE_CHECKING:
    from hoplon.operations.importing import Import

SHOWN_NOTES = 20


@click.group("import")
def importing() -> None:
    """Take in what describes your API."""


@importing.command("openapi")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--zone", metavar="NAME", help="The zone; needed when there are several.")
@click.option("--host", metavar="HOST", help="Instead of the hosts in `servers`; * is any host of the zone.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Show what would be saved, and save nothing.")
@control_options
@json_option
def openapi(
    files: tuple[Path, ...], zone: str | None, host: str | None, is_dry_run: bool, where: Where, as_json: bool
) -> None:
    """Save the operations that OpenAPI 3.0 or 3.1 descriptions (JSON or YAML) list.

    Hosts and base paths come from `servers`. Operations that are saved already stay as they are; none is removed.
    """
    from hoplon.operations.importing import plan_import

    documents = [(str(file), file.read_bytes()) for file in files]
    with open_control(where) as control:
        target = control.zones.choose(zone)
        saved = {each.id for each in control.operations.all(target.name)}
        found = plan_import(documents, target.hosts, saved, host.lower() if host else None)
        if not is_dry_run:
            control.operations.add(found.specs, target.name)
    if as_json:
        click.echo(json.dumps(_as_json(found, target.name, is_dry_run), indent=2))
    else:
        _print(found, target.name, is_dry_run)


def _as_json(found: "Import", zone: str, is_dry_run: bool) -> dict[str, object]:
    return {
        "zone": zone,
        "dry_run": is_dry_run,
        "new": [{"method": each.method, "host": each.host, "path": each.path} for each in found.new],
        "known": len(found.known),
        "notes": list(found.notes),
    }


def _print(found: "Import", zone: str, is_dry_run: bool) -> None:
    if is_dry_run:
        for each in found.new:
            click.echo(f"  would save {each}")
    for note in found.notes[:SHOWN_NOTES]:
        click.echo(f"note: {printable(note)}", err=True)
    if len(found.notes) > SHOWN_NOTES:
        click.echo(f"note: and {len(found.notes) - SHOWN_NOTES} more (--json lists all)", err=True)
    done = "would be saved in" if is_dry_run else "saved in"
    click.echo(f"{len(found.new)} new operations {done} zone {zone}; {len(found.known)} were there already.")
