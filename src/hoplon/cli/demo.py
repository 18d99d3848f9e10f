"""`hoplon demo`: the whole story on the bundled shop."""

import sys
from pathlib import Path

import click


@click.command()
@click.option("--headless", is_flag=True, help="No colour and nothing that moves, as in a pipe.")
@click.option(
    "--state",
    "state_dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A new or empty folder to work in; default: a temporary one, which is kept.",
)
def demo(headless: bool, state_dir: Path | None) -> None:
    """Start a flawed shop, put Hoplon in front, send it traffic, and change a policy while it runs."""
    from hoplon.demo.story import tell

    tell(state_dir, sys.stdout, live=sys.stdout.isatty() and not headless)
