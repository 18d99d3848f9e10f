"""Hoplon as a user starts it in front of an application: `hoplon up`, and its records asked for on the command line."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.applications import Command
from apps.processes import AppFailedError, free_port, running
from apps.report import Written

HOPLON = (sys.executable, "-m", "hoplon")
RECORDS = "SELECT method, path, status, upgraded, error FROM records"
FLUSH_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running `hoplon up`."""

    port: int
    state: Path

    def written(self, requests: int) -> Written:
        """What Hoplon wrote down, once it is as much as `requests` (the writer flushes each second) or time is up."""
        deadline = time.monotonic() + FLUSH_SECONDS
        while True:
            records = self._ask("records", "query", RECORDS, "--json")
            if len(records) >= requests or time.monotonic() > deadline:
                [zone] = self._ask("operations", "--seen", "--json")
                return Written(tuple(records), tuple(zone["operations"]))
            time.sleep(0.5)

    def _ask(self, *arguments: str) -> Any:
        command = (*HOPLON, *arguments, "--state", str(self.state))
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if answer.returncode:
            raise AppFailedError(f"hoplon {' '.join(arguments)}: {answer.stderr.strip()}")
        return json.loads(answer.stdout)


@asynccontextmanager
async def gateway_before(upstream_port: int, folder: Path) -> AsyncIterator[Gateway]:
    """`hoplon up` in front of a port of this machine, stopped at the end of the block."""
    port, status = free_port(), free_port()
    state = folder / "state"
    command = Command(
        (
            *(*HOPLON, "up", "--upstream", f"http://127.0.0.1:{upstream_port}", "--listen", f"127.0.0.1:{port}"),
            *("--status", f"127.0.0.1:{status}", "--admin", "127.0.0.1:0", "--state", str(state)),
        )
    )
    async with running(command, f"http://127.0.0.1:{status}/readyz", folder / "hoplon.log"):
        yield Gateway(port, state)
