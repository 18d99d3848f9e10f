"""How an error looks on the command line (`error:` then `hint:`, on stderr) and which exit code it gives.

One table maps the stable code of an error to an exit code; docs/reference/cli.md is tested against it.
"""

import click

from hoplon.cli.printable import printable
from hoplon.errors import HoplonError, Problem

EXIT_OK = 0
EXIT_PROBLEM = 1
EXIT_USAGE = 2
EXIT_NO_STATE = 3
EXIT_IN_USE = 4
EXIT_INTERNAL = 5

EXIT_CODES: dict[str, int] = {
    "settings.invalid": EXIT_USAGE,
    "usage": EXIT_USAGE,
    "policy.unconfirmed": EXIT_USAGE,
    "zone.missing": EXIT_USAGE,
    "state.missing": EXIT_NO_STATE,
    "part.in_use": EXIT_IN_USE,
    "policy.locked": EXIT_IN_USE,
    "listen.in_use": EXIT_IN_USE,
    "database.locked": EXIT_IN_USE,
    "records.busy": EXIT_IN_USE,
}
"""Codes that are not listed give EXIT_PROBLEM."""


def exit_code(error: HoplonError) -> int:
    """The exit code of an error, by its stable code."""
    return EXIT_CODES.get(error.code, EXIT_PROBLEM)


def report(message: str, hint: str | None = None, problems: tuple[Problem, ...] = ()) -> None:
    """Say what is wrong, every single problem, and what to do about it, on stderr."""
    _line("error", "red", message)
    for problem in problems:
        click.echo(f"  {printable(str(problem))}", err=True)
        if problem.hint:
            click.echo(f"    hint: {printable(problem.hint)}", err=True)
    if hint:
        _line("hint", "cyan", hint)


def _line(word: str, colour: str, text: str) -> None:
    click.echo(f"{click.style(f'{word}:', fg=colour, bold=True)} {printable(text)}", err=True)
