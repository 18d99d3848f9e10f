"""`hoplon audit`: who changed what. Thin: what happens is in `hoplon.service.audit`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.errors import EXIT_PROBLEM
from hoplon.cli.options import Function, json_option

if TYPE_CHECKING:
    from datetime import datetime

    from hoplon.model.audit import AuditRecord


def range_options(function: Function) -> Function:
    """`--since` and `--before` as arguments of the same names."""
    since = click.option("--since", metavar="WHEN", help="From then on: 7d, 12h, or 2027-01-31T12:00:00Z.")
    before = click.option("--before", metavar="WHEN", help="Before then.")
    return since(before(function))


@click.group(invoke_without_command=True)
@range_options
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="So many entries.")
@control_options
@json_option
@click.pass_context
def audit(
    context: click.Context, since: str | None, before: str | None, limit: int, where: Where, as_json: bool
) -> None:
    """Show the newest entries of the audit log: who changed what, when, from where."""
    if context.invoked_subcommand is not None:
        return
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        found = control.audit.newest(_moment(since), _moment(before), limit)
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found], indent=2, ensure_ascii=False))
        return
    print_table(
        ("#", "when", "who", "from", "did", "what"),
        [
            (
                each.sequence,
                f"{each.time:%Y-%m-%d %H:%M:%S} UTC",
                each.actor_name,
                each.address,
                f"{each.action} {each.resource_type}",
                _about(each),
            )
            for each in found
        ],
        right=("#",),
    )


@audit.command("export")
@range_options
@control_options
def export(since: str | None, before: str | None, where: Where) -> None:
    """Print entries, oldest first, one JSON document a line, with everything that their hashes cover."""
    with open_control(where) as control:
        for each in control.audit.export(_moment(since), _moment(before)):
            click.echo(json.dumps(_as_json(each), sort_keys=True, ensure_ascii=False))


@audit.command("verify")
@click.option("--known", metavar="NUMBER:HASH", help="An entry noted earlier: the log must still hold it.")
@control_options
@json_option
@click.pass_context
def verify(context: click.Context, known: str | None, where: Where, as_json: bool) -> None:
    """Check every hash of the log. Exit code 1 when it is not what was written.

    Keep the number and hash that it prints somewhere else: with --known they show later that nothing was cut off.
    """
    with open_control(where) as control:
        report = control.audit.verify(_known(known))
    if as_json:
        click.echo(json.dumps({"ok": not report.faults, **asdict(report)}, indent=2))
    else:
        for fault in report.faults:
            click.secho(f"entry {fault.sequence}: {fault.reason}" if fault.sequence else fault.reason, fg="red")
        click.echo(f"{report.entries} entries, newest {report.entries}:{report.hash}")
    context.exit(EXIT_PROBLEM if report.faults else 0)


def _moment(text: str | None) -> "datetime | None":
    from datetime import UTC, datetime

    from hoplon.model.moments import moment_ago

    try:
        return None if text is None else moment_ago(text, datetime.now(UTC))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _known(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    number, _, found = text.partition(":")
    if not number.isascii() or not number.isdigit() or len(found) != 64:
        raise click.UsageError("--known takes what `hoplon audit verify` prints: a number, a colon and 64 digits")
    return int(number), found


def _as_json(record: "AuditRecord") -> dict[str, Any]:
    return {**asdict(record), "time": record.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def _about(record: "AuditRecord") -> str:
    name = record.details.get("name")
    return f"{name} ({record.resource_id})" if name and name != record.resource_id else record.resource_id
