"""`hoplon operations`: what is called, how often, how fast and with what outcome; below it, the commands that change
what is saved. Thin: see `hoplon.service`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.options import json_option, state_option
from hoplon.cli.records import time_options, zone_option
from hoplon.cli.saved_operations import add, export, remove

if TYPE_CHECKING:
    from hoplon.catalog import SeenOperation
    from hoplon.service.records import ZoneOperations

_HEADINGS = ("method", "host", "path", "requests", "sessions", "p50 ms", "p99 ms", "4xx %", "5xx %", "blocked", "state")


@click.group(invoke_without_command=True)
@click.option("--seen", "only_seen", is_flag=True, help="Only operations that are not saved.")
@click.option("--saved", "only_saved", is_flag=True, help="Only saved operations, also those without traffic.")
@click.option("--as-policy", is_flag=True, help="Print the operations seen as [[operations.saved]] to paste.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --as-policy: write the whole policy with them here.",
)
@click.option(
    "--min-sessions",
    default=2,
    show_default=True,
    help="With --as-policy: called successfully by this many sessions (unverified ones: from as many addresses).",
)
@zone_option
@time_options
@state_option
@json_option
@click.pass_context
def operations(
    context: click.Context,
    only_seen: bool,
    only_saved: bool,
    as_policy: bool,
    output: Path | None,
    min_sessions: int,
    zone: str | None,
    since: str | None,
    until: str | None,
    state_dir: Path,
    as_json: bool,
) -> None:
    """List the operations seen in traffic and those saved in the policy.

    Seen is what was answered successfully at least once. --as-policy gives the ones not saved yet as policy; with -o
    FILE, the zone's whole policy with them added: `hoplon policy diff FILE` shows, `hoplon policy apply FILE` applies.
    """
    from hoplon.service.records import parse_selection, zone_operations
    from hoplon.service.workspace import open_workspace

    if context.invoked_subcommand is not None:
        return
    if output is not None and not as_policy:
        raise click.UsageError("-o goes with --as-policy")
    with open_workspace(state_dir) as workspace:
        selection = parse_selection(workspace, None, since, until)
        found = zone_operations(workspace, zone, selection.since, selection.until)
        if as_policy:
            _print_policy(workspace, found, zone, min_sessions, output)
            return
    if as_json:
        click.echo(json.dumps([_as_json(each, only_seen, only_saved) for each in found], indent=2))
        return
    for each in found:
        _print_zone(each, only_seen, only_saved, is_named=len(found) > 1)


operations.add_command(add)
operations.add_command(remove)
operations.add_command(export)


def _chosen(found: "ZoneOperations", only_seen: bool, only_saved: bool) -> "list[SeenOperation]":
    wanted = {True, False} if only_seen == only_saved else {only_saved}
    return [operation for operation in found.catalogue.operations if operation.is_saved in wanted]


def _as_json(found: "ZoneOperations", only_seen: bool, only_saved: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from hoplon.service.export import plain

    document = {
        "zone": found.zone_name,
        "operations": [asdict(operation) for operation in _chosen(found, only_seen, only_saved)],
        "saved_without_traffic": [] if only_seen else [asdict(each) for each in found.idle],
        "requests": found.catalogue.requests,
        "preflights": found.catalogue.preflights,
        "unsuccessful": found.catalogue.unsuccessful,
        "hosts": found.catalogue.hosts,
    }
    plainly: dict[str, Any] = json.loads(json.dumps(document, default=plain))
    return plainly


def _print_zone(found: "ZoneOperations", only_seen: bool, only_saved: bool, is_named: bool) -> None:
    from hoplon.cli.tables import print_table

    if is_named:
        click.echo(f"zone {found.zone_name}")
    rows: list[tuple[Any, ...]] = [_row(operation) for operation in _chosen(found, only_seen, only_saved)]
    if not only_seen:
        rows += [(each.method, each.host, each.path, 0, 0, *[None] * 4, 0, "saved") for each in found.idle]
    print_table(_HEADINGS, rows, right=_HEADINGS[3:10])
    click.echo(_summary(found), err=True)


def _row(operation: "SeenOperation") -> tuple[Any, ...]:
    share = 100 / operation.requests
    return (
        operation.method,
        operation.host,
        operation.path,
        operation.requests,
        operation.sessions,
        _milliseconds(operation.p50_ms),
        _milliseconds(operation.p99_ms),
        f"{operation.client_errors * share:.1f}",
        f"{operation.server_errors * share:.1f}",
        operation.blocked,
        "saved" if operation.is_saved else "seen",
    )


def _milliseconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"


def _summary(found: "ZoneOperations") -> str:
    catalogue = found.catalogue
    if not catalogue.requests:
        return "No requests yet. Send some through the gateway; they appear within 2 seconds."
    return (
        f"{catalogue.requests} requests; {catalogue.unsuccessful} to paths that never answered successfully,"
        f" {catalogue.preflights} CORS preflights"
    )


def _print_policy(
    workspace: Any, found: "list[ZoneOperations]", zone: str | None, min_sessions: int, output: Path | None
) -> None:
    from hoplon.service.policy import find_zone
    from hoplon.service.seen_operations import new_operations, policy_with, saved_tables

    version = find_zone(workspace, zone)
    added = new_operations(next(each for each in found if each.zone_id == version.zone_id), min_sessions)
    if output is None:
        click.echo(saved_tables(added), nl=False)
        return
    output.write_text(policy_with(workspace, zone, added), encoding="utf-8")
    click.echo(f"{output}: {len(added)} operations added; `hoplon policy diff {output}` shows them", err=True)
