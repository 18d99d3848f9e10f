"""`hoplon operations add`, `rm` and `export`: saved operations one by one, and as files for other tools."""

import json
from pathlib import Path

import click

from hoplon.cli.options import Function, json_option, state_option

_METHOD_AND_PATH = 2


def one_zone_option(function: Function) -> Function:
    """`--zone NAME` of commands that change one zone, as the argument `zone`."""
    return click.option("--zone", metavar="NAME", help="The zone; needed when there are several.")(function)


@click.command("add")
@click.argument("method")
@click.argument("path")
@click.option("--host", default="*", show_default=True, help="One host, or * for any host of the zone.")
@one_zone_option
@state_option
@json_option
def add(method: str, path: str, host: str, zone: str | None, state_dir: Path, as_json: bool) -> None:
    """Save an operation: `hoplon operations add GET /users/{id}`."""
    from hoplon.operations.specification import OperationSpec
    from hoplon.service.changes import local_actor
    from hoplon.service.operations import add_operations
    from hoplon.service.policy import find_zone
    from hoplon.service.workspace import open_workspace

    with open_workspace(state_dir) as workspace:
        zone_id = find_zone(workspace, zone).zone_id
        saved = add_operations(workspace, local_actor(), zone_id, [OperationSpec(method.upper(), host, path)])
    operation = saved.operations[0]
    if as_json:
        click.echo(json.dumps({"operation_id": operation.id, "is_new": saved.added == 1, "version": saved.version}))
        return
    what = "Saved" if saved.added else "Saved already:"
    click.echo(f"{what} {operation.method} {operation.path} on {_host(operation.host)} ({operation.id}).")


@click.command("rm")
@click.argument("operation", nargs=-1, required=True, metavar="(ID… | METHOD PATH)")
@click.option("--host", default="*", show_default=True, help="With METHOD PATH: the host it was saved with.")
@one_zone_option
@state_option
def remove(operation: tuple[str, ...], host: str, zone: str | None, state_dir: Path) -> None:
    """Remove saved operations, by their ids or one by method and path. Nothing matches them any more."""
    from hoplon.service.changes import local_actor
    from hoplon.service.operations import remove_operations
    from hoplon.service.policy import find_zone
    from hoplon.service.workspace import open_workspace

    ids = _ids(operation, host)
    with open_workspace(state_dir) as workspace:
        zone_id = find_zone(workspace, zone).zone_id
        version = remove_operations(workspace, local_actor(), zone_id, ids, path="")
    click.echo(f"Removed {len(set(ids))}; the zone is at version {version}.")


@click.command("export")
@click.option("--format", "form", type=click.Choice(["openapi", "csv"]), default="openapi", show_default=True)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Only this host; several times.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@one_zone_option
@state_option
def export(form: str, hosts: tuple[str, ...], output: Path | None, zone: str | None, state_dir: Path) -> None:
    """Write the saved operations as an OpenAPI 3.0 document (of one host) or as CSV."""
    from hoplon.service.operations import export_csv, export_openapi
    from hoplon.service.policy import find_zone
    from hoplon.service.workspace import open_workspace

    wanted = [host.lower() for host in hosts]
    with open_workspace(state_dir) as workspace:
        zone_id = find_zone(workspace, zone).zone_id
        if form == "csv":
            text = export_csv(workspace, zone_id, wanted)
        else:
            text = json.dumps(_only(export_openapi(workspace, zone_id, wanted)), indent=2, ensure_ascii=False) + "\n"
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


def _host(host: str) -> str:
    return "any host" if host == "*" else host
