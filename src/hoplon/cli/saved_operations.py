"""`hoplon operations add`, `rm` and `export`: saved operations one by one, and as files for other tools."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from hoplon.cli.control import Where, control_options, open_control
from hoplon.cli.options import Function, json_option

_METHOD_AND_PATH = 2


def one_zone_option(function: Function) -> Function:
    """`--zone NAME` of commands that change one zone, as the argument `zone`."""
    return click.option("--zone", metavar="NAME", help="The zone; needed when there are several.")(function)


@click.command("add")
@click.argument("method")
@click.argument("path")
@click.option("--host", default="*", show_default=True, help="One host, or * for any host of the zone.")
@one_zone_option
@control_options
@json_option
def add(method: str, path: str, host: str, zone: str | None, where: Where, as_json: bool) -> None:
    """Save an operation: `hoplon operations add GET /users/{id}`. One that is saved already stays as it is."""
    from hoplon.operations.specification import OperationSpec

    with open_control(where) as control:
        (saved,) = control.operations.add([OperationSpec(method.upper(), host, path)], zone)
    click.echo(json.dumps(asdict(saved)) if as_json else f"Saved: {saved} ({saved.id}).")


@click.command("rm")
@click.argument("operation", nargs=-1, required=True, metavar="(ID… | METHOD PATH)")
@click.option("--host", default="*", show_default=True, help="With METHOD PATH: the host it was saved with.")
@one_zone_option
@control_options
def remove(operation: tuple[str, ...], host: str, zone: str | None, where: Where) -> None:
    """Remove saved operations, by their ids or one by method and path. Nothing matches them any more."""
    ids = _ids(operation, host)
    with open_control(where) as control:
        control.operations.remove(ids, zone)
    click.echo(f"Removed {len(set(ids))}.")


@click.command("export")
@click.option("--format", "form", type=click.Choice(["openapi", "csv"]), default="openapi", show_default=True)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Only this host; several times.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@one_zone_option
@control_options
def export(form: str, hosts: tuple[str, ...], output: Path | None, zone: str | None, where: Where) -> None:
    """Write the saved operations as an OpenAPI 3.0 document (of one host) or as CSV."""
    wanted = [host.lower() for host in hosts]
    with open_control(where) as control:
        if form == "csv":
            text = control.operations.csv(wanted, zone)
        else:
            document = _only(control.operations.openapi(wanted, zone))
            text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8", newline="")


def _ids(operation: tuple[str, ...], host: str) -> list[str]:
    from hoplon.operations import template

    if len(operation) == _METHOD_AND_PATH and operation[1].startswith("/"):
        method, path = operation
        if fault := template.path_fault(path):
            raise click.UsageError(f"{fault[0]}: {fault[1]}")
        return [str(template.operation_id(method.upper(), host.lower(), path))]
    return list(operation)


def _only(documents: list[dict[str, object]]) -> dict[str, object]:
    """OpenAPI has one document for each host: paths of two hosts would collide."""
    if len(documents) == 1:
        return documents[0]
    if not documents:
        raise click.ClickException("no operation is saved there")
    urls = [str(document["servers"][0]["url"]) for document in documents]  # type: ignore[index]
    hosts = ", ".join("*" if url == "/" else url.removeprefix("https://") for url in urls)
    raise click.UsageError(f"there are operations of several hosts: say which with --host (one of {hosts})")
