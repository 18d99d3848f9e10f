"""`hoplon version`: which versions work together here."""

import json
import platform

import click

from hoplon.cli.options import json_option


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Show the versions of Hoplon's halves."""
    versions = {"hoplon": _package_version(), "engine": _engine_version(), "python": platform.python_version()}
    if as_json:
        click.echo(json.dumps(versions))
        return
    for name, value in versions.items():
        click.echo(f"{name:8} {value or 'not installed'}")


def _package_version() -> str | None:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed_version

    try:
        return installed_version("hoplon")
    except PackageNotFoundError:
        return None


def _engine_version() -> str | None:
    try:
        from hoplon._native import version as engine_version
    except ImportError:
        return None
    return str(engine_version())
