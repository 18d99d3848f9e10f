"""`hoplon secrets`: what is sealed under the installation key. No command shows a value."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from hoplon.cli.options import json_option, state_option


@click.group()
def secrets() -> None:
    """List what is sealed under the installation key, and seal it under another one."""


@secrets.command("list")
@state_option
@json_option
def list_(state_dir: Path, as_json: bool) -> None:
    """List the secrets: kind, name and under which key. Never a value."""
    from hoplon.cli.tables import print_table
    from hoplon.service.secrets import list_secrets
    from hoplon.service.workspace import open_workspace

    with open_workspace(state_dir) as workspace:
        found = list_secrets(workspace)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2, default=str))
        return
    print_table(
        ("id", "kind", "name", "key", "changed"),
        [(each.id, each.kind, each.name, each.key_id, f"{each.modified_at:%Y-%m-%d %H:%M} UTC") for each in found],
    )


@secrets.command("rotate-key")
@state_option
def rotate_key(state_dir: Path) -> None:
    """Make a new installation key and seal every secret under it.

    A key from the environment is yours to replace: set HOPLON_INSTALLATION_KEY to the new one and
    HOPLON_INSTALLATION_KEY_PREVIOUS to the old one, then run this; it seals everything under the new one.
    """
    from hoplon.service.changes import local_actor
    from hoplon.service.secrets import rotate_key as rotate
    from hoplon.service.workspace import open_workspace

    with open_workspace(state_dir) as workspace:
        rotation = rotate(workspace, local_actor())
    count = "1 secret" if rotation.resealed == 1 else f"{rotation.resealed} secrets"
    click.echo(f"{count} sealed under key {rotation.key_id}.")
