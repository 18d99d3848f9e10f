"""`hoplon policy`: a zone's policy as one TOML file. Thin: what happens is in `hoplon.service.policy`."""

import json
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.errors import EXIT_PROBLEM, report
from hoplon.cli.options import Function, json_option

if TYPE_CHECKING:
    from hoplon.model.versions import PolicyVersion
    from hoplon.service.gateway import Acknowledgement
    from hoplon.service.policy import Applied


_SHOWN_CHANGES = 3
"""So many sentences of a version stand in the table of the history."""


def zone_option(function: Function) -> Function:
    """`--zone NAME` as the argument `zone`."""
    return click.option("--zone", metavar="NAME", help="The zone; not needed when there is one only.")(function)


@click.group()
def policy() -> None:
    """Export, compare and apply a zone's policy; its history."""


@policy.command("export")
@zone_option
@click.option(
    "--version", type=click.IntRange(min=1), metavar="N", help="As it was in this version. [default: the newest]"
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write here, not to stdout.")
@control_options
def export(zone: str | None, version: int | None, output: Path | None, where: Where) -> None:
    """Print the policy of a zone. Applying the output of the newest version changes nothing."""
    with open_control(where) as control:
        text = control.policy.export(zone, version)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)


@policy.command("apply")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@zone_option
@click.option("--create", is_flag=True, help="Create the zone, and the state directory, where they do not exist.")
@click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not show and ask first: for scripts.")
@click.option(
    "--since", default="24h", show_default=True, metavar="TIME", help="Ask with a replay from here on; off: none."
)
@click.option("--wait", "wait_seconds", default=5.0, show_default=True, help="Seconds to wait for the gateway.")
@control_options
@json_option
@click.pass_context
def apply(
    context: click.Context,
    file: IO[str],
    zone: str | None,
    create: bool,
    is_sure: bool,
    since: str,
    wait_seconds: float,
    where: Where,
    as_json: bool,
) -> None:
    """Make FILE (`-` is stdin) the policy of its zone, and wait until the gateway acts on it.

    On a terminal it first shows what changes and what that would have done with the stored requests (as `hoplon replay`
    does), and asks. Elsewhere, and with --json, a policy that changes something needs --yes (exit code 2 without it).

    A policy with an error changes nothing; every error is listed. Exit code 1 when the answer was no, or when the
    running gateway has not taken the policy.
    """
    from hoplon.cli.confirm import Asked, is_wanted

    text = read_document(file)
    with open_control(where) as control:
        asked = Asked(text, file.name, zone, since, can_ask=not as_json and is_terminal())
        if not is_sure and not is_wanted(control, asked, create):
            click.echo("Nothing was changed.")
            context.exit(EXIT_PROBLEM)
        applied, acknowledgement = control.policy.apply(text, file.name, zone, create, wait_seconds)
    _say_applied(context, applied, acknowledgement, as_json)


@policy.command("diff")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@zone_option
@click.option("--words", is_flag=True, help="Only the sentences, no unified diff.")
@control_options
@json_option
@click.pass_context
def diff(context: click.Context, file: IO[str], zone: str | None, words: bool, where: Where, as_json: bool) -> None:
    """Show what applying FILE would change. Exit code 0: nothing; 1: something."""
    with open_control(where) as control:
        difference = control.policy.diff(read_document(file), file.name, zone)
    if as_json:
        unified = difference.unified
        document = {
            "zone": difference.zone_name,
            "changes": difference.changes,
            "unified": unified,
            "is_new": difference.is_new,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        show_changes(difference.changes, f"No change in zone {difference.zone_name}.")
        if difference.unified and not words:
            show_unified(difference.unified)
    context.exit(EXIT_PROBLEM if difference.unified else 0)


@policy.command("rollback")
@zone_option
@click.option("--to", "to_version", type=int, metavar="N", help="The version to go back to. [default: the one before]")
@click.option("--wait", "wait_seconds", default=5.0, show_default=True, help="Seconds to wait for the gateway.")
@control_options
@json_option
@click.pass_context
def rollback(
    context: click.Context,
    zone: str | None,
    to_version: int | None,
    wait_seconds: float,
    where: Where,
    as_json: bool,
) -> None:
    """Make an old version of a zone's policy the newest again, and wait until the gateway acts on it.

    The history goes on: going back makes a new version, which can be taken back in turn.
    """
    with open_control(where) as control:
        applied, acknowledgement = control.policy.rollback(zone, to_version, wait_seconds)
    _say_applied(context, applied, acknowledgement, as_json)


@policy.command("history")
@zone_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="So many versions.")
@control_options
@json_option
def history(zone: str | None, limit: int, where: Where, as_json: bool) -> None:
    """List the versions of a zone's policy: who, when, what changed, which bundle."""
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        versions = control.policy.history(zone, limit)
    if as_json:
        click.echo(json.dumps([_version_json(version) for version in versions], indent=2, ensure_ascii=False))
        return
    print_table(
        ("version", "when", "who", "bundle", "what changed"),
        [
            (
                version.version,
                f"{version.committed_at:%Y-%m-%d %H:%M:%S} UTC",
                version.author,
                version.bundle and version.bundle[:16],
                _in_short(version.changes),
            )
            for version in versions
        ],
        right=("version",),
    )


def _in_short(changes: tuple[str, ...]) -> str:
    """The first sentences, and how many more there are; `--json` has them all."""
    shown, rest = changes[:_SHOWN_CHANGES], len(changes) - _SHOWN_CHANGES
    return "; ".join([*shown, f"and {rest} more"] if rest > 0 else shown)


def read_document(file: IO[str]) -> str:
    """The text of the file; a file that is no UTF-8 is told apart from a policy with errors."""
    from hoplon.errors import HoplonError

    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise HoplonError("policy.invalid", f"{file.name} is not UTF-8: {error.reason} at byte {error.start}") from None


def _write(path: Path, text: str) -> None:
    from hoplon.errors import HoplonError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HoplonError("output.unwritable", f"cannot write {path}: {error.strerror}") from error


def is_terminal() -> bool:
    """Whether somebody is there to read and to answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def show_unified(unified: str) -> None:
    """A unified diff, coloured."""
    click.echo()
    for line in unified.splitlines():
        click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))


def show_changes(changes: tuple[str, ...], nothing: str) -> None:
    """What changes, one sentence a line; `nothing` when nothing does."""
    for change in changes:
        click.echo(f"  {change}")
    if not changes:
        click.echo(nothing)


def _say_applied(context: click.Context, applied: "Applied", acknowledgement: "Acknowledgement", as_json: bool) -> None:
    """Say what was applied and whether the gateway acts on it; the exit code says the latter too."""
    if as_json:
        click.echo(json.dumps(_applied_json(applied, acknowledgement), indent=2))
    else:
        _show_applied(applied, acknowledgement)
    context.exit(EXIT_PROBLEM if acknowledgement.outcome in ("refused", "silent") else 0)


def _show_applied(applied: "Applied", acknowledgement: "Acknowledgement") -> None:
    show_changes(applied.changes, f"No change: zone {applied.zone_name} stays at version {applied.version}.")
    if applied.changes:
        click.echo(f"Zone {applied.zone_name} is at version {applied.version} ({_bundle(applied.bundle)}).")
    match acknowledgement.outcome:
        case "taken":
            click.echo(f"The gateway acts on it ({acknowledgement.seconds:.2f} s).")
        case "no_upstream":
            click.echo("No zone has an upstream yet, so no gateway can serve it.")
        case "not_running":
            click.echo("No gateway is running; it will begin with this policy.")
        case "refused":
            report("the gateway refuses this bundle and goes on with the one before", None, acknowledgement.problems)
        case "silent":
            message = f"the gateway has not said within {acknowledgement.seconds:g} s that it acts on it"
            report(message, "`hoplon doctor` says what is wrong with it")


def _bundle(bundle: str | None) -> str:
    return f"bundle {bundle[:16]}" if bundle else "in no bundle"


def _applied_json(applied: "Applied", acknowledgement: "Acknowledgement") -> dict[str, Any]:
    return {
        "zone": {"id": applied.zone_id, "name": applied.zone_name},
        "version": applied.version,
        "changes": applied.changes,
        "bundle": applied.bundle,
        "gateway": acknowledgement.outcome,
        "seconds": acknowledgement.seconds,
        "errors": [{"path": problem.path, "message": problem.message} for problem in acknowledgement.problems],
    }


def _version_json(version: "PolicyVersion") -> dict[str, Any]:
    return {
        "zone": {"id": version.zone_id, "name": version.zone_name},
        "version": version.version,
        "committed_at": version.committed_at.isoformat(),
        "author": version.author,
        "changes": version.changes,
        "bundle": version.bundle,
    }
