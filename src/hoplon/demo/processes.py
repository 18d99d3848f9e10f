"""Starts the shop and `hoplon up` as processes of their own, waits until they answer, and stops them whatever happens.

Takes commands, gives addresses. Knows nothing of the story.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import hoplon
from hoplon.errors import HoplonError

START_SECONDS = 20
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ports on 127.0.0.1: the shop itself, the gateway in front of it, the gateway's status listener, and the API."""

    shop: int
    gateway: int
    status: int
    admin: int


class Part:
    """A child process in a group of its own with a log file; leaving the block ends it and all of its children."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = own_environment() | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if not self._process:
            return
        _signal_group(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        _signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def wait_for(self, is_ready: Callable[[], bool]) -> None:
        """Return once `is_ready`; raises with the end of the log when the process ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            code = self._process.poll() if self._process else None
            if code is not None:
                raise self._failure(f"{self.name} ended with code {code} while starting")
            if time.monotonic() > deadline:
                raise self._failure(f"{self.name} was not ready within {START_SECONDS} s")
            time.sleep(0.05)

    def check(self) -> None:
        """Raise when the process is no longer running."""
        if self._process and self._process.poll() is not None:
            raise self._failure(f"{self.name} ended with code {self._process.returncode} in the middle of the demo")

    def _failure(self, message: str) -> HoplonError:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        said = f"; it said: {lines[-1]}" if lines else ""
        return HoplonError("demo.failed", message + said, f"its whole output is in {self.log}")


def shop_part(port: int, state: Path) -> Part:
    """The bundled shop; it is not part of the wheel, so a checkout is needed."""
    examples = Path(hoplon.__file__).parents[2] / "examples"
    if not (examples / "shop" / "app.py").is_file():
        raise HoplonError(
            "demo.no_shop",
            "the example shop is not here: this Hoplon was not installed from a checkout",
            "clone the repository and run `make demo` there",
        )
    if not _has_modules("fastapi", "uvicorn", "jwt"):
        raise HoplonError("demo.no_shop", "what the example shop needs is not installed", "uv sync --group demo")
    command = (sys.executable, "-m", "shop", "--port", str(port), "--database", str(state / "shop.db"))
    return Part("the shop", command, state / "shop.log", {"PYTHONPATH": str(examples)})


def hoplon_part(addresses: Addresses, state: Path) -> Part:
    """`hoplon up` in front of the shop."""
    listen = ("--listen", f"127.0.0.1:{addresses.gateway}", "--status", f"127.0.0.1:{addresses.status}")
    admin = ("--admin", f"127.0.0.1:{addresses.admin}")
    upstream = ("--upstream", f"http://127.0.0.1:{addresses.shop}")
    command = (sys.executable, "-m", "hoplon", "up", *upstream, *listen, *admin, "--state", str(state))
    return Part("hoplon up", command, state / "up.log")


def free_ports() -> Addresses:
    """Four ports that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return Addresses(*ports)


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with success on a port of 127.0.0.1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def own_environment() -> dict[str, str]:
    """The environment without settings of Hoplon: the demo brings its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HOPLON_")}


def _has_modules(*names: str) -> bool:
    from importlib.util import find_spec

    return all(find_spec(name) for name in names)


def _signal_group(process_id: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process_id, sign)
