"""`hoplon rules explain`: why a request is judged as it is. Thin: `hoplon.service.explain` knows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from hoplon.cli.options import json_option, state_option

if TYPE_CHECKING:
    from hoplon.service.explain import Explained, ExplainedExpression, Part

_WIDTH = 100
"""Of a sub-expression in its line; longer ones are cut."""


@click.command("explain")
@click.option(
    "--request", "source", metavar="FILE", type=click.File("rb"), help="A request as it is sent (- is stdin)."
)
@click.option("--record", "record_id", metavar="ID", help="A stored request: what its record lacks is `not recorded`.")
@click.option(
    "--client", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="With --request: who sends it."
)
@click.option("--tls", "is_tls", is_flag=True, help="With --request: it comes over TLS.")
@state_option
@json_option
def explain(
    source: BinaryIO | None, record_id: str | None, client: str, is_tls: bool, state_dir: Path, as_json: bool
) -> None:
    """Say what each rule answers to a request, and what every part of it comes to.

    The file holds a start line, headers, an empty line and the body. Nothing is counted: limits are shown by their
    expressions.
    """
    from dataclasses import asdict

    from hoplon.service.explain import explain_record, explain_request
    from hoplon.service.request_file import read_request
    from hoplon.service.workspace import open_workspace

    if (source is None) == (record_id is None):
        raise click.UsageError("give either --request FILE or --record ID")
    sent = read_request(source.read(), "https" if is_tls else "http") if source is not None else None
    with open_workspace(state_dir) as workspace:
        if sent is not None:
            found = explain_request(workspace, sent, client)
        else:
            found = explain_record(workspace, record_id or "")
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _print(found)


def _print(found: "Explained") -> None:
    from hoplon.cli.printable import printable

    by = f", by `{found.rule_name or found.rule}`" if found.rule else ""
    click.echo(printable(f"{found.action}{by}; {len(found.rules)} rules asked in {_time(found.nanoseconds)}"))
    for rule in found.rules:
        answer = f": {rule.result} ({_time(rule.nanoseconds)})" if rule.result is not None else ""
        click.echo(printable(f"\n{rule.stage} rule `{rule.name}`{answer}"))
        for expression in rule.expressions:
            _print_expression(expression)


def _print_expression(expression: "ExplainedExpression") -> None:
    from hoplon.cli.printable import printable

    if expression.what != "expression":
        click.echo(f"  {expression.what}")
    for part in expression.parts:
        click.echo(printable(f"  {'  ' * part.depth}{_cut(part.text)}  → {_value(part)}"))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else f"{line[:_WIDTH]}…"


def _value(part: "Part") -> str:
    if part.state == "value":
        return json.dumps(part.value, ensure_ascii=False)
    words: dict[str, str] = {
        "not_recorded": "not recorded",
        "error": f"error: {part.value}",
        "redacted": str(part.value),
    }
    return words.get(part.state, part.state)


def _time(nanoseconds: Any) -> str:
    return "-" if nanoseconds is None else f"{nanoseconds / 1000:.2f} µs"
