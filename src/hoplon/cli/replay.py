"""`hoplon replay`: what a policy that is not in force would have done. Thin: see `hoplon.service.replay`."""

import json
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hoplon.service.replay import Progress


@click.command()
@click.option(
    "--policy", "file", type=click.File("r", encoding="utf-8"), required=True, help="The new policy (- is stdin)."
)
@click.option(
    "--since", default="24h", show_default=True, metavar="TIME", help="From here on: 15m, 24h, 7d, or a time."
)
@click.option("--until", metavar="TIME", help="Up to here; this moment is not included.")
@click.option("--zone", metavar="NAME", help="The zone, when the document renames it.")
@click.option(
    "--newest", "max_records", type=click.IntRange(min=1), metavar="N", help="Only so many of the newest requests."
)
@control_options
@json_option
def replay(
    file: IO[str],
    since: str,
    until: str | None,
    zone: str | None,
    max_records: int | None,
    where: Where,
    as_json: bool,
) -> None:
    """Say what a policy would have done with the stored requests of its zone; nothing is changed.

    It is compared with what was done, and with the policy of now. What records do not hold is counted, never guessed.
    """
    from datetime import UTC, datetime

    from hoplon.cli.policy import read_document
    from hoplon.cli.replay_report import no_records, show_report
    from hoplon.service.isolated_replay import report_document
    from hoplon.service.records import parse_moment
    from hoplon.service.replay import ReplayBounds

    now = datetime.now(UTC)
    begin, end = parse_moment(since, now), None if until is None else parse_moment(until, now)
    bounds = ReplayBounds() if max_records is None else ReplayBounds(max_records)
    with open_control(where) as control, progress_bar("replaying") as on_progress:
        report = control.replays.run(read_document(file), file.name, zone, begin, end, bounds, on_progress)
    if as_json:
        click.echo(json.dumps(report_document(report), indent=2, ensure_ascii=False))
    elif no_records(report):
        click.echo(f"Zone {report.zone_name} has no stored requests since {since}: there is nothing to replay.")
    else:
        show_report(report, file.name)


@contextmanager
def progress_bar(label: str) -> "Iterator[Progress]":
    """A bar on stderr, when that is a terminal; elsewhere nothing moves."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
