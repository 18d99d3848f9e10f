"""`hoplon doctor`: what is wrong with this set-up, in sentences."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hoplon.cli.errors import EXIT_PROBLEM
from hoplon.cli.options import json_option, state_option

if TYPE_CHECKING:
    from hoplon.service.doctor.checks import Ailment


@click.command()
@click.option("--config", metavar="FILE", help="Settings. [default: hoplon.toml, if there is one]")
@state_option
@json_option
@click.pass_context
def doctor(context: click.Context, config: str | None, state_dir: Path, as_json: bool) -> None:
    """Say what is wrong with this set-up, and what to do. Exit code 1 when there is a problem."""
    from hoplon.cli.options import settings_of
    from hoplon.service.doctor.checks import diagnose
    from hoplon.service.doctor.look import look
    from hoplon.storage.state import open_state

    found = diagnose(look(open_state(state_dir), settings_of(config)))
    problems = sum(ailment.level == "problem" for ailment in found)
    if as_json:
        click.echo(json.dumps({"ok": problems == 0, "found": [asdict(ailment) for ailment in found]}, indent=2))
    else:
        _show(found, problems)
    context.exit(EXIT_PROBLEM if problems else 0)


def _show(found: "list[Ailment]", problems: int) -> None:
    for ailment in found:
        colour = "red" if ailment.level == "problem" else "yellow"
        click.echo(f"{click.style(f'{ailment.level}:', fg=colour, bold=True)} {ailment.what}")
        click.echo(f"  why: {ailment.why}")
        click.echo(f"  do:  {ailment.todo}\n")
    notes = len(found) - problems
    said = [_count(problems, "problem"), _count(notes, "note")]
    click.echo(", ".join(text for text in said if text) + "." if found else "Nothing is wrong.")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""
