"""`hoplon rules check`: what is wrong with expressions, before they stand in a policy."""

import json
import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from hoplon.cli.options import json_option

if TYPE_CHECKING:
    from hoplon.rules.refusal import ExpressionError

DIALECTS = ("custom", "limits", "counting", "tokens", "authorization")


@click.command("check")
@click.argument("source", metavar="FILE", type=click.File("rb"))
@click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    default=DIALECTS[0],
    show_default=True,
    help="Where the expressions are to stand: each place has its own fields and functions.",
)
@json_option
def check(source: BinaryIO, dialect: str, as_json: bool) -> None:
    """Check expressions, one a line (- is stdin). Exit code 1 when one is refused."""
    from hoplon.cli.errors import EXIT_OK, EXIT_PROBLEM
    from hoplon.rules import dialects
    from hoplon.rules.checking import check_lines

    found = check_lines(source.read().decode("utf-8", "surrogateescape"), getattr(dialects, dialect.upper()))
    if as_json:
        click.echo(json.dumps([_row(error) for error in found]))
    else:
        _print(found)
    sys.exit(EXIT_PROBLEM if any(found) else EXIT_OK)


def _row(error: "ExpressionError | None") -> dict[str, object]:
    if error is None:
        return {"ok": True, "error": None}
    members = {"message": error.message, "line": error.line, "column": error.column, "hint": error.hint}
    return {"ok": False, "error": members}


def _print(found: "list[ExpressionError | None]") -> None:
    from hoplon.cli.printable import printable

    for error in filter(None, found):
        click.echo(printable(str(error)))
        if error.hint:
            click.echo(f"  hint: {printable(error.hint)}")
    refused = sum(error is not None for error in found)
    click.echo(f"{len(found) - refused} of {len(found)} expressions are fine")
