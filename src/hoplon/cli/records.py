"""`hoplon records`: follow, ask, export and show traffic records. Thin: what happens is in `hoplon.service`."""

import json
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from hoplon.cli.options import Function, json_option, state_option

if TYPE_CHECKING:
    import pyarrow as pa

    from hoplon.service.records import RecordDetail, StoredRecords
    from hoplon.storage.records import Skipped

TERMINAL_ROWS = 200


@click.group()
def records() -> None:
    """Follow, query, export and show traffic records."""


def zone_option(function: Function) -> Function:
    """`--zone NAME` as the argument `zone`."""
    return click.option("--zone", metavar="NAME", help="Only this zone.")(function)


def time_options(function: Function) -> Function:
    """`--since` and `--until` as the arguments of the same names."""
    since = click.option("--since", metavar="TIME", help="From here on: 15m, 24h, 7d ago, or 2026-03-02T10:00 (UTC).")
    until = click.option("--until", metavar="TIME", help="Up to here; this moment is not included.")
    return since(until(function))


@records.command("tail")
@click.option("-n", "--lines", default=10, show_default=True, help="Begin with this many of the newest records.")
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on as they come (Ctrl-C ends).")
@click.option("--status", metavar="CODES", help="Only these: 404, 4xx, 500-503; several with commas.")
@click.option("--action", metavar="ACTIONS", help="Only these: allow, log, block, refuse; several with commas.")
@click.option("--path", metavar="PATTERN", help="Only paths like this; * is anything.")
@click.option("--method", metavar="METHODS", help="Only these methods; several with commas.")
@click.option("--session", metavar="HASH", help="Only this session (its first characters are enough).")
@zone_option
@state_option
@json_option
def tail(
    lines: int,
    follow: bool,
    status: str | None,
    action: str | None,
    path: str | None,
    method: str | None,
    session: str | None,
    zone: str | None,
    state_dir: Path,
    as_json: bool,
) -> None:
    """Show records as they come, at most 1 to 2 seconds behind. In a pipe, or with --json, one JSON object per line."""
    from hoplon.cli.record_lines import record_line
    from hoplon.service.export import json_line
    from hoplon.service.records import resolve_zones
    from hoplon.service.tail import TailFilter, follow_records, parse_statuses
    from hoplon.service.workspace import open_workspace

    with open_workspace(state_dir) as workspace:
        zones = resolve_zones(workspace, zone)
        wanted = TailFilter(parse_statuses(status), _words(action), path, _words(method), session, zones)
        is_pretty = sys.stdout.isatty() and not as_json
        for row in follow_records(workspace.state, wanted, lines, follow):
            click.echo(record_line(row) if is_pretty else json_line(row).decode())


def _words(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(word.strip() for word in text.split(",") if word.strip())


@records.command("query")
@click.argument("sql", required=False)
@click.option("--file", "source", type=click.File("r", encoding="utf-8"), help="Read the SQL from here (- is stdin).")
@zone_option
@time_options
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a heading line.")
@click.option("--timeout", "seconds", default=60.0, show_default=True, help="Stop after this many seconds.")
@click.option("--memory", default="2GB", show_default=True, help="The most memory the query may use.")
@state_option
def query(
    sql: str | None,
    source: IO[str] | None,
    zone: str | None,
    since: str | None,
    until: str | None,
    as_json: bool,
    as_csv: bool,
    seconds: float,
    memory: str,
    state_dir: Path,
) -> None:
    """Run one SELECT over the tables records, violations and observations (DuckDB's SQL).

    Files, network and settings are out of its reach. DESCRIBE records lists the columns.
    """
    from hoplon.service.export import write_csv, write_json
    from hoplon.service.records import parse_selection, query_records
    from hoplon.service.workspace import open_workspace
    from hoplon.storage.records.query import QueryLimits

    text = source.read() if source is not None else sql
    if not text or (source is not None and sql):
        raise click.UsageError("give the SQL, or --file FILE")
    limits = QueryLimits(seconds, _bytes(memory))
    with open_workspace(state_dir) as workspace:
        selection = parse_selection(workspace, zone, since, until)
        with query_records(workspace.state, text, selection, limits) as answer:
            _warn(answer.records.skipped)
            if as_csv or as_json:
                (write_csv if as_csv else write_json)(answer.batches, sys.stdout.buffer)
            else:
                _print_answer(answer.batches)


_UNITS = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


def _bytes(text: str) -> int:
    number = text.strip().upper().rstrip("KMGB")
    unit = text.strip().upper()[len(number) :]
    if not number.replace(".", "", 1).isdigit() or unit not in _UNITS:
        raise click.UsageError(f"--memory: `{text}` is no size; for example 512MB or 4GB")
    return int(float(number) * _UNITS[unit])


def _warn(skipped: "tuple[Skipped, ...]") -> None:
    for item in skipped:
        click.echo(f"{click.style('warning:', fg='yellow')} not read: {item.path}: {item.reason}", err=True)


def _print_answer(batches: "pa.RecordBatchReader") -> None:
    from itertools import islice

    import pyarrow as pa

    from hoplon.cli.tables import print_table
    from hoplon.service.export import rows_of

    rows = rows_of(batches)
    shown = list(islice(rows, TERMINAL_ROWS)) if sys.stdout.isatty() else list(rows)
    numeric = [f.name for f in batches.schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)]
    print_table(batches.schema.names, [[_cell(value) for value in row.values()] for row in shown], right=numeric)
    if next(rows, None) is not None:
        click.echo(f"… only the first {TERMINAL_ROWS} rows: use LIMIT, or --csv or --json for all", err=True)


def _cell(value: Any) -> Any:
    from hoplon.service.export import plain

    if isinstance(value, float):
        return f"{value:.6g}"
    return value if value is None or isinstance(value, int | str) else plain(value)


@records.command("export")
@click.option("--format", "form", type=click.Choice(["parquet", "jsonl", "csv"]), default="parquet", show_default=True)
@click.option(
    "--table",
    type=click.Choice(["records", "violations", "observations"]),
    default="records",
    show_default=True,
    help="Which of the three tables.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@zone_option
@time_options
@state_option
def export(
    form: str, table: str, output: Path, zone: str | None, since: str | None, until: str | None, state_dir: Path
) -> None:
    """Write one table to a file, oldest rows first: Parquet (zstd), JSON lines or CSV."""
    from hoplon.service.export import export_to
    from hoplon.service.records import parse_selection, query_records, select_table
    from hoplon.service.workspace import open_workspace
    from hoplon.storage.records.query import QueryLimits

    with open_workspace(state_dir) as workspace:
        selection = parse_selection(workspace, zone, since, until)
        limits = QueryLimits(seconds=3600.0, memory_bytes=4 * 2**30)
        with query_records(workspace.state, select_table(table), selection, limits) as answer:
            _warn(answer.records.skipped)
            count = export_to(output, form, answer.batches)
    click.echo(f"{count} rows of {table} written to {output}", err=True)


@records.command("show")
@click.argument("record_id", metavar="ID")
@state_option
@json_option
def show(record_id: str, state_dir: Path, as_json: bool) -> None:
    """Show everything stored of one request, by the id in its header hoplon-request-id."""
    from dataclasses import asdict

    from hoplon.service.export import plain
    from hoplon.service.records import show_record
    from hoplon.storage.state import open_state

    detail = show_record(open_state(state_dir), record_id)
    if as_json:
        click.echo(json.dumps(asdict(detail), default=plain, indent=2, ensure_ascii=False))
    else:
        _print_detail(detail)


def _print_detail(detail: "RecordDetail") -> None:
    from hoplon.cli.tables import print_table

    print_table(
        ("column", "value"), [(name, _cell(value)) for name, value in detail.record.items() if value is not None]
    )
    for title, rows, columns in (
        ("violations", detail.violations, ("code", "location", "evidence", "rule", "action")),
        (
            "observations",
            detail.observations,
            ("direction", "location", "pointer", "type", "length", "formats", "detectors"),
        ),
    ):
        click.echo(f"\n{len(rows)} {title}")
        if rows:
            print_table(columns, [[_cell(row[column]) for column in columns] for row in rows], right=("length",))


@records.command("info")
@state_option
@json_option
def info(state_dir: Path, as_json: bool) -> None:
    """Say how much is stored, from when to when, and what is in quarantine."""
    from dataclasses import asdict

    from hoplon.service.export import plain
    from hoplon.service.records import stored_records
    from hoplon.storage.state import open_state

    stored = stored_records(open_state(state_dir))
    if as_json:
        click.echo(json.dumps(asdict(stored), default=plain, indent=2))
    else:
        _print_stored(stored)


def _print_stored(stored: "StoredRecords") -> None:
    from hoplon.cli.tables import print_table

    headings = ("table", "rows", "open segments", "open MiB", "sealed files", "sealed MiB")
    rows = [
        (
            k.kind,
            k.rows,
            k.open_segments,
            f"{k.open_bytes / 2**20:.1f}",
            k.sealed_files,
            f"{k.sealed_bytes / 2**20:.1f}",
        )
        for k in stored.kinds
    ]
    print_table(headings, rows, right=headings[1:])
    if stored.oldest and stored.newest:
        click.echo(f"from {stored.oldest:%Y-%m-%d %H:%M:%S} to {stored.newest:%Y-%m-%d %H:%M:%S} UTC")
    for item in stored.quarantined:
        click.echo(f"in quarantine: {item.path}: {item.reason}")
    for sentence in stored.skipped:
        click.echo(f"not read: {sentence}", err=True)
