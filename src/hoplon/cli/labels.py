"""`hoplon labels`: names that operations carry. Thin: what happens is in `hoplon.service.labels` and `.attachments`."""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import Function, json_option
from hoplon.cli.saved_operations import one_zone_option
from hoplon.errors import HoplonError, Problem

if TYPE_CHECKING:
    from hoplon.model.labels import Label
    from hoplon.service.attachments import How

_SPELLED = re.compile(r"(?P<method>\S+) (?P<path>/\S*)(?: on (?P<host>\S+))?")


def listing_options(function: Function) -> Function:
    """`--filter` and `--source` as the arguments `text` and `source`."""
    text = click.option("--filter", "text", default="", metavar="TEXT", help="Only with this in name or description.")
    source = click.option("--source", type=click.Choice(["user", "managed"]), help="Only the zone's own, or managed.")
    return text(source(function))


def operation_option(function: Function) -> Function:
    """`--operation` as the argument `operations`."""
    return click.option(
        "--operation",
        "operations",
        multiple=True,
        required=True,
        metavar="WHICH",
        help='A saved operation: its id, or "GET /users/{id}", or "GET /users/{id} on HOST". Several times.',
    )(function)


@click.group(invoke_without_command=True)
@listing_options
@one_zone_option
@control_options
@json_option
@click.pass_context
def labels(context: click.Context, text: str, source: Any, zone: str | None, where: Where, as_json: bool) -> None:
    """List the labels of a zone, its own and the managed ones, and how many operations carry each."""
    if context.invoked_subcommand is None:
        _list(text, source, zone, where, as_json)


@labels.command("list")
@listing_options
@one_zone_option
@control_options
@json_option
def list_labels(text: str, source: Any, zone: str | None, where: Where, as_json: bool) -> None:
    """List the labels of a zone, as without `list`."""
    _list(text, source, zone, where, as_json)


@labels.command("add")
@click.argument("name")
@click.option("--description", default="", help="What it means.")
@click.option("--metadata", default="null", metavar="JSON", help="Whatever belongs to it, as JSON.")
@one_zone_option
@control_options
@json_option
def add(name: str, description: str, metadata: str, zone: str | None, where: Where, as_json: bool) -> None:
    """Make a label."""
    from hoplon.labels.names import parse_metadata
    from hoplon.service.labels import LabelSpec

    try:
        spec = LabelSpec(name, description, parse_metadata(metadata))
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--metadata is no JSON: {error}") from None
    with open_control(where) as control:
        added = control.labels.add(zone, spec)
    if as_json:
        click.echo(json.dumps(_as_json(added.value), indent=2, ensure_ascii=False))
        return
    click.echo(f"Label {name} is made; the zone is at version {added.version}.")


@labels.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@one_zone_option
@control_options
def rm(names: tuple[str, ...], zone: str | None, where: Where) -> None:
    """Delete labels, all or none; no operation carries them any more."""
    with open_control(where) as control:
        removed = control.labels.remove(zone, names)
    click.echo(f"Removed {len(removed.value)}; the zone is at version {removed.version}.")


@labels.command("attach")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@operation_option
@one_zone_option
@control_options
@json_option
def attach(names: tuple[str, ...], operations: tuple[str, ...], zone: str | None, where: Where, as_json: bool) -> None:
    """Let saved operations carry labels."""
    _label("attach", names, operations, zone, where, as_json)


@labels.command("detach")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@operation_option
@one_zone_option
@control_options
@json_option
def detach(names: tuple[str, ...], operations: tuple[str, ...], zone: str | None, where: Where, as_json: bool) -> None:
    """Let saved operations carry labels no more."""
    _label("detach", names, operations, zone, where, as_json)


def _list(text: str, source: Any, zone: str | None, where: Where, as_json: bool) -> None:
    from hoplon.cli.tables import print_table

    with open_control(where) as control:
        found = control.labels.list(zone, text, source)
    if as_json:
        click.echo(json.dumps([_as_json(label) for label in found], indent=2, ensure_ascii=False))
        return
    rows = [(label.name, label.source, label.operation_count, label.description) for label in found]
    print_table(("label", "source", "operations", "description"), rows, right=("operations",))


def _label(
    how: "How", names: Sequence[str], operations: Sequence[str], zone: str | None, where: Where, as_json: bool
) -> None:
    ids = {_operation_id(spelled): spelled for spelled in operations}
    with open_control(where) as control:
        try:
            done = control.labels.label(zone, how, list(ids), names)
        except HoplonError as error:
            raise _as_spelled(error, ids) from None
    carried = {ids[each.operation.id]: [label.name for label in each.labels] for each in done.value}
    if as_json:
        click.echo(json.dumps({"version": done.version, "operations": carried}, indent=2))
        return
    for spelled, found in carried.items():
        click.echo(f"{spelled}: {', '.join(found) or 'no label'}")


def _operation_id(spelled: str) -> str:
    """The id of an operation that is named in words; what is no such words is an id."""
    from hoplon.operations import template

    match = _SPELLED.fullmatch(spelled)
    if match is None:
        return spelled
    if fault := template.path_fault(match["path"]):
        raise click.UsageError(f"{fault[0]}: {fault[1]}")
    return str(template.operation_id(match["method"].upper(), (match["host"] or "*").lower(), match["path"]))


def _as_spelled(error: HoplonError, ids: dict[str, str]) -> HoplonError:
    """The error, naming operations as they were named on the command line."""

    def told(text: str) -> str:
        for operation_id, spelled in ids.items():
            text = text.replace(operation_id, spelled)
        return text

    problems = tuple(Problem("", told(each.message), each.hint) for each in error.problems)
    return HoplonError(error.code, told(error.message), error.hint, problems)


def _as_json(label: "Label") -> dict[str, Any]:
    return {
        "name": label.name,
        "source": label.source,
        "description": label.description,
        "metadata": label.metadata,
        "operations": label.operation_count,
    }
