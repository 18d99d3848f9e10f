"""Tables for people: fitted to the terminal, untruncated in a pipe. Machines ask for `--json`."""

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import click

from hoplon.cli.printable import printable

_PIPE_WIDTH = 100_000


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], right: Collection[str] = ()) -> None:
    """Print rows under their headings; the columns named in `right` are flush right (numbers). None is `-`."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("-" if value is None else printable(str(value))) for value in row))
    console = Console(width=None if is_terminal else _PIPE_WIDTH)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())
