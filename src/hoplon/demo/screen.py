"""How the demo looks: acts, progress, tables. With `live` false nothing moves and nothing has a colour.

Takes values that the story hands it; decides nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from hoplon.catalog import SeenOperation
from hoplon.demo.ledger import Contrast, Service

PLAIN_WIDTH = 120

Tick = Callable[[float, str], None]


class Screen:
    """Writes the story to a stream."""

    def __init__(self, stream: TextIO, live: bool) -> None:
        width = None if live else PLAIN_WIDTH
        self._console = Console(file=stream, width=width, no_color=not live, force_terminal=live, highlight=False)
        self._live = live

    def act(self, number: int, title: str) -> None:
        self._console.print()
        self._console.print(Text(f"{number}  {title}", style="bold cyan"))

    def say(self, text: str) -> None:
        self._console.print(Text(f"   {text}"))

    def command(self, text: str, comment: str = "") -> None:
        """A command that the reader can type."""
        self._console.print(Text.assemble(("   $ ", "dim"), (text, "bold"), (comment and f"   # {comment}", "dim")))

    @contextmanager
    def progress(self, label: str, seconds: float) -> Iterator[Tick]:
        """A bar that moves on a terminal, and one line elsewhere. Gives what to call with (seconds so far, a count)."""
        if not self._live:
            self.say(f"{label} ({seconds:.0f} s)")
            yield lambda _elapsed, _count: None
            return
        columns = (TextColumn("   {task.description}"), BarColumn(30), TextColumn("{task.fields[count]}"))
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(label, total=seconds, count="")
            yield lambda elapsed, count: progress.update(task, completed=elapsed, count=count)

    def operations(self, rows: Sequence[tuple[SeenOperation, bool]]) -> None:
        """Seen operations, each with whether it is going to be saved."""
        table = self._table()
        for heading in ("operation", "requests", "sessions", "p50 ms", "p99 ms", "4xx", "5xx", "save"):
            table.add_column(heading, justify="left" if heading == "operation" else "right", no_wrap=True)
        for operation, is_saved in rows:
            errors = (_share(operation.client_errors, operation), _share(operation.server_errors, operation))
            times = (_milliseconds(operation.p50_ms), _milliseconds(operation.p99_ms))
            counts = (f"{operation.requests:,}", f"{operation.sessions:,}")
            save = Text("yes") if is_saved else Text("no", style="bold red")
            table.add_row(Text(f"{operation.method:6} {operation.path}"), *counts, *times, *errors, save)
        self._console.print(table)

    def contrast(self, services: Mapping[str, Service], contrasts: Sequence[Contrast]) -> None:
        """Before and after, side by side."""
        table = self._table()
        for heading in ("who asks what", "before", "after"):
            table.add_column(heading, no_wrap=True)
        table.add_row("all the others", *(_service(service) for service in services.values()))
        for contrast in contrasts:
            cells = (f"curious one   {contrast.name}", _statuses(contrast.before), _statuses(contrast.after))
            table.add_row(*cells, style="" if contrast.is_unknown else "dim")
        self._console.print(table)

    def record(self, fields: Mapping[str, object]) -> None:
        """One record, name by name."""
        table = Table.grid(padding=(0, 2))
        for name, value in fields.items():
            table.add_row("  ", Text(name, style="dim"), Text(str(value)))
        self._console.print(table)

    def _table(self) -> Table:
        return Table(box=None, header_style="bold", pad_edge=False, padding=(0, 0, 0, 3))


def _service(service: Service) -> str:
    harm = [f"{count:,} {what}" for what, count in (("blocked", service.blocked), ("failed", service.failed)) if count]
    return ", ".join([f"{service.answered:,} of {service.requests:,} served", *harm])


def _statuses(counts: Counter[int]) -> str:
    return ", ".join(f"{status} x {count}" for status, count in sorted(counts.items()))


def _share(part: int, operation: SeenOperation) -> str:
    return f"{part / operation.requests:.1%}" if part else "-"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
