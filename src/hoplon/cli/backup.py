"""`hoplon backup` and `hoplon restore`. Thin: what happens is in `hoplon.service.backup`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.options import json_option, state_option

if TYPE_CHECKING:
    from hoplon.service.backup import Contents

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@state_option
@json_option
def backup(file: Path, state_dir: Path, as_json: bool) -> None:
    """Write to FILE, while everything runs, what cannot be made again: zones, policy and its history, labels, lists,
    tokens, the audit log, sealed secrets, the keys and the mode.

    FILE can do what this installation can: it holds the keys and the first API token. It has mode 0600; keep it so.
    Traffic records are not in it.
    """
    from hoplon.service.backup import backup as write_backup
    from hoplon.service.workspace import open_workspace

    with open_workspace(state_dir) as workspace:
        contents = write_backup(workspace, file)
    if as_json:
        click.echo(json.dumps(_as_json(contents), indent=2))
        return
    click.echo(f"{file}: {contents.bytes:,} bytes, {_zones(contents)}.")
    click.echo(f"It holds secrets ({_held(contents)}): whoever reads it can act as this installation.", err=True)
    if not contents.holds_secrets_key:
        click.echo(
            "The key of sealed secrets is not in it: keep HOPLON_INSTALLATION_KEY apart, if you use it.", err=True
        )


@click.command()
@click.argument("file", type=_FILE)
@click.option("--force", "is_forced", is_flag=True, help="Also while a part runs there; restart it afterwards.")
@state_option
@json_option
def restore(file: Path, is_forced: bool, state_dir: Path, as_json: bool) -> None:
    """Make FILE, a backup, the contents of a state directory, which is made where it is missing.

    What is there now is replaced as a whole, or not at all; traffic records stay. Nothing may run there, unless
    --force. Tokens that were revoked since the backup are valid again: revoke them anew.
    """
    from hoplon.service.backup import restore as restore_backup
    from hoplon.service.changes import local_actor

    contents = restore_backup(state_dir, file, local_actor(), is_forced=is_forced)
    if as_json:
        click.echo(json.dumps(_as_json(contents), indent=2))
        return
    click.echo(f"{state_dir} is as it was on {contents.created_at:%Y-%m-%d %H:%M:%S} UTC: {_zones(contents)}.")
    click.echo("Tokens revoked since then are valid again: `hoplon token list` shows them.", err=True)
    if is_forced:
        click.echo("Restart what was running: it still uses the keys of before.", err=True)


def _zones(contents: "Contents") -> str:
    if not contents.zones:
        return "no zone"
    return ", ".join(f"zone {name} at version {version}" for name, version in contents.zones.items())


def _held(contents: "Contents") -> str:
    return ", ".join(name for name in contents.members if name.startswith("keys/") or name == "api-token")


def _as_json(contents: "Contents") -> dict[str, Any]:
    return {**asdict(contents), "created_at": contents.created_at.isoformat()}
