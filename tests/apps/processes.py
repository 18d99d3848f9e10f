"""Start a server in its own process group, wait until it answers, run a client's command, and stop what was started."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from apps.applications import Command

READY_SECONDS = 120
STOP_SECONDS = 15
CLIENT_SECONDS = 180


class AppFailedError(Exception):
    """Something around the comparison failed; the message says what, and where its log is."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def environment_of(command: Command) -> dict[str, str]:
    """The usual environment without settings of Hoplon, and what the command needs."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith("HOPLON_")}
    return usual | dict(command.environment)


@asynccontextmanager
async def running(command: Command, ready_url: str, log: Path) -> AsyncIterator[None]:
    """The command runs inside the block; it and all of its children are gone afterwards."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command.arguments,
            env=environment_of(command),
            cwd=command.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        await _ready(process, ready_url, log)
        yield
    finally:
        await _stop(process)


async def _ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if process.returncode is not None:
            raise AppFailedError(f"the server ended with {process.returncode}: see {log}")
        if await asyncio.to_thread(_answers, url):
            return
        await asyncio.sleep(0.2)
    raise AppFailedError(f"no answer from {url} within {READY_SECONDS} s: see {log}")


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):
            return True
    except (HTTPError, URLError, ConnectionError, TimeoutError):
        return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            continue
    await process.wait()


async def run_client(command: Command) -> tuple[int, list[str]]:
    """Exit code and the lines of both outputs."""
    process = await asyncio.create_subprocess_exec(
        *command.arguments,
        env=environment_of(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), CLIENT_SECONDS)
    except TimeoutError:
        process.kill()
        raise AppFailedError(f"{' '.join(command.arguments)} did not end within {CLIENT_SECONDS} s") from None
    return process.returncode or 0, output.decode(errors="replace").splitlines()
