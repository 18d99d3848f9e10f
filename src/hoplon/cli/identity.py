"""`hoplon identity`: what identifies a session."""

import json
import re
from typing import TYPE_CHECKING

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import json_option
from hoplon.cli.saved_operations import one_zone_option

if TYPE_CHECKING:
    from hoplon.identity.policy import Identifier

_WRITTEN = re.compile(r"(header|cookie|jwt):(.+)")


@click.group(invoke_without_command=True)
@one_zone_option
@control_options
@json_option
@click.pass_context
def identity(context: click.Context, zone: str | None, where: Where, as_json: bool) -> None:
    """List the session identifiers of a zone; where it has none, what its traffic suggests."""
    if context.invoked_subcommand is not None:
        return
    with open_control(where) as control:
        found = control.identity.get(zone)
        proposals = [] if found else control.identity.proposals(zone)
    if as_json:
        proposed = [{**_shown(each.identifier), "requests": each.requests, "share": each.share} for each in proposals]
        shown = {"identifiers": [_shown(each) for each in found], "proposed": proposed}
        click.echo(json.dumps(shown, indent=2))
        return
    for each in found:
        click.echo(f"{each.kind}:{each.name}")
    if not found:
        click.echo("none: the Authorization header is the session, else the client's address")
    for proposal in proposals:
        written = f"{proposal.identifier.kind}:{proposal.identifier.name}"
        click.echo(
            f"proposed: {written} ({proposal.share:.1%} of {proposal.requests} successful requests carry Authorization)"
            f"\n  hoplon identity set '{written}'"
        )


@identity.command("set")
@click.argument("identifiers", nargs=-1, metavar="TYPE:NAME...")
@one_zone_option
@control_options
def set_identity(identifiers: tuple[str, ...], zone: str | None, where: Where) -> None:
    """Make these the session identifiers, the first that a request carries wins: `header:x-user`, `cookie:sid`, or the
    claim of a verified token, `jwt:CONFIGURATION:$.sub`. Without any the zone has none."""
    wanted = [_identifier(text) for text in identifiers]
    with open_control(where) as control:
        version = control.identity.set(zone, wanted)
    click.echo(f"{len(wanted)} session identifiers; the zone is at version {version}.")


def _identifier(text: str) -> "Identifier":
    from hoplon.identity.policy import Identifier

    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise click.UsageError(f"`{text}` is no identifier: header:NAME, cookie:NAME or jwt:CONFIGURATION:$.CLAIM")
    kind = match[1]
    if kind == "header":
        return Identifier("header", match[2])
    return Identifier("cookie", match[2]) if kind == "cookie" else Identifier("jwt", match[2])


def _shown(each: "Identifier") -> dict[str, str]:
    return {"type": each.kind, "name": each.name}
