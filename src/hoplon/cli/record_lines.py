"""One record as one coloured line for a terminal."""

from typing import Any

import click

_STATUS_COLOURS = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}
_ACTION_COLOURS = {"log": "yellow", "block": "red", "refuse": "magenta"}


def record_line(row: dict[str, Any]) -> str:
    """Time, status, action, duration, method, host and path, then what stands out: rule, error, anomalies, session."""
    status = row["status"] or 0
    action = row["action"] or ""
    return " ".join(
        [
            click.style(f"{row['time']:%H:%M:%S.%f}"[:-3], dim=True),
            click.style(f"{status or '---':>3}", fg=_STATUS_COLOURS.get(status // 100, "red"), bold=status >= 500),
            click.style(f"{action:6}", fg=_ACTION_COLOURS.get(action)),
            f"{_duration(row['duration_us']):>8}",
            click.style(f"{row['method']:6}", bold=True),
            f"{row['host']}{row['path']}",
            click.style(" ".join(_details(row)), dim=True),
        ]
    ).rstrip()


def _duration(micros: int | None) -> str:
    if micros is None:
        return "-"
    return f"{micros / 1000:.1f} ms" if micros < 1_000_000 else f"{micros / 1_000_000:.2f} s"


def _details(row: dict[str, Any]) -> list[str]:
    session = (row["session"] or "")[:8]
    found = {"rule": row["rule"], "error": row["error"], "path": row["path_anomalies"], "session": session}
    return [f"{name}={value}" for name, value in found.items() if value]
