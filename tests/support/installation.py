"""Hoplon as a user runs it: `hoplon up` or `hoplon gateway` as a process, in a state directory of its own.

Everything here goes through what a user has: the command line, the traffic and status addresses, the files.
"""

import contextlib
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoplon.cli import COMMANDS
from hoplon.cli.group import run

PATIENCE_SECONDS = 30.0

POLICY = """format = 1
[zone]
name = "{name}"
hosts = {hosts}
upstreams = [{upstreams}]
[zone.timeouts]
connect_seconds = 1.0
read_seconds = {read_seconds}
idle_seconds = 5.0
[operations]
fallthrough = "{fallthrough}"
saved = [{{ method = "GET", path = "/saved/{{id}}" }}]
"""


def policy(
    *urls: str, name: str = "default", host: str | None = None, fallthrough: str = "log", read_seconds: float = 5.0
) -> str:
    """A policy with one saved operation, `GET /saved/{id}`; all else falls through."""
    return POLICY.format(
        name=name,
        hosts=json.dumps([host] if host else []),
        upstreams=", ".join(f'{{ url = "{url}" }}' for url in urls),
        fallthrough=fallthrough,
        read_seconds=read_seconds,
    )


def spawn(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a process of its own: for those that become a part."""
    command = [sys.executable, "-m", "hoplon", *arguments, "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def hoplon(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in this process: a second is a long time to wait for the same imports again."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: object = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run(COMMANDS, (*arguments, "--state", str(state)))
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int), arguments
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(arguments, code, said, complained)


def apply(state: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`hoplon policy apply`."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        return hoplon(state, "policy", "apply", "--yes", file.name, *options)


def rows(state: Path, sql: str) -> list[dict[str, Any]]:
    """`hoplon records query`."""
    answer = hoplon(state, "records", "query", sql, "--json")
    assert answer.returncode == 0, answer.stderr
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def make_certificate(directory: Path, name: str = "localhost") -> tuple[Path, Path]:
    """A certificate for `localhost` that is its own authority, and its key."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def await_true(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait until `condition` gives something; that."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in {seconds:g} s: {what}"
        time.sleep(0.02)
    return value


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["hoplon-request-id"]

    @property
    def problem(self) -> Any:
        """The problem document."""
        assert self.headers["content-type"] == "application/problem+json", (self.status, self.body)
        return json.loads(self.body)


class Client:
    """One client with one connection, kept open as long as it works."""

    def __init__(self, port: int, host: str = "any.test", timeout_seconds: float = 15.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
        self._host = host

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request. Raises OSError or HTTPException when there is no whole answer."""
        try:
            self._connection.request(method, path, body, {"host": self._host, **headers})
            response = self._connection.getresponse()
            return Answer(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def close(self) -> None:
        self._connection.close()


class Installation:
    """A running `hoplon up` (or `hoplon gateway`) and its state directory."""

    def __init__(
        self, state: Path, *options: str, part: str = "up", listen: str = "127.0.0.1:0", **environment: str
    ) -> None:
        self.state = state
        self.output = state.with_name(f"{state.name}.out")
        admin = ["--admin", "127.0.0.1:0"] if part != "worker" else []
        flags = ["--listen", listen, "--status", "127.0.0.1:0", *admin, "--state", str(state), *options]
        before = self._status_pid()
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hoplon", part, *flags],
                stdout=output,
                stderr=output,
                cwd=state.parent,
                env={**os.environ, **environment},
            )
        await_true(lambda: self._serves(before), f"hoplon {part} serves; it says: {self.said()}")
        if part == "up":
            await_true(lambda: "Ctrl-C stops." in self.said(), "the first screen")
        status = self.status()
        self.port = int(status["listen"][0].rpartition(":")[2])
        self.status_port = int(status["status"].rpartition(":")[2])

    def said(self) -> str:
        return self.output.read_text()

    def status(self) -> Any:
        """The gateway's status file."""
        return json.loads((self.state / "run" / "gateway.status.json").read_text())

    def worker_status(self) -> Any:
        """The worker's status file; `{}` while it has none."""
        try:
            return json.loads((self.state / "run" / "worker.status.json").read_text())
        except FileNotFoundError:
            return {}

    def client(self, host: str = "any.test") -> Client:
        return Client(self.port, host)

    def get(self, path: str, host: str = "any.test") -> Answer:
        """One request on a connection of its own."""
        client = self.client(host)
        try:
            return client.get(path)
        finally:
            client.close()

    def metric(self, name: str, **labels: str) -> float:
        """A sample of `/metrics`; 0 when it is not there."""
        shown = ",".join(f'{label}="{value}"' for label, value in labels.items())
        wanted = f"{name}{{{shown}}}" if shown else name
        lines = self._page("/metrics").decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == wanted), 0.0)

    def readiness(self) -> Any:
        """The document of `/readyz`."""
        return json.loads(self._page("/readyz"))

    def doctor(self) -> dict[str, str]:
        """What `hoplon doctor` finds: the sentence of each code."""
        found = json.loads(hoplon(self.state, "doctor", "--json").stdout)["found"]
        return {ailment["code"]: ailment["what"] for ailment in found}

    def record(self, request_id: str) -> Any:
        """What `hoplon records show` knows, once it is written (the second for which records wait has to pass)."""

        def show() -> Any:
            shown = hoplon(self.state, "records", "show", request_id, "--json")
            return json.loads(shown.stdout)["record"] if shown.returncode == 0 else None

        return await_true(show, f"a record of {request_id}", 10.0)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def _page(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.status_port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read()

    def _status_pid(self) -> int | None:
        try:
            pid = self.status()["pid"]
        except (OSError, ValueError):
            return None
        return int(pid)

    def _serves(self, before: int | None) -> bool:
        assert self.process.poll() is None, self.said()
        return self._status_pid() not in (None, before) and self.status()["phase"] == "serving"


@contextlib.contextmanager
def running(state: Path, *options: str, **arguments: str) -> Iterator[Installation]:
    """An Installation that is stopped at the end of the block."""
    installation = Installation(state, *options, **arguments)
    try:
        yield installation
    finally:
        installation.stop()
