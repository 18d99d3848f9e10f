"""The control plane as its callers meet it: `hoplon api` as a process, and a client that sends what it is told to."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.installation import PATIENCE_SECONDS, await_true

CLOUDFLARE = "/client/v4"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a caller got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        """The result of a success."""
        assert self.status == 200, (self.status, self.body)
        return self.json["result"]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors of a failure, whose envelope must be as Cloudflare's."""
        envelope = self.json
        assert self.headers["content-type"] == JSON, self
        assert envelope["success"] is False, self
        assert envelope["result"] is None, self
        assert envelope["messages"] == [], self
        assert envelope["errors"], self
        assert all(error["code"] >= 1000 and error["message"] for error in envelope["errors"]), self
        return list(envelope["errors"])

    @property
    def etag(self) -> int:
        """The version that the answer carries."""
        return int(self.headers["etag"].strip('"'))


class Caller:
    """One caller with one connection, kept open as long as it works."""

    def __init__(self, port: int, token: str | None, timeout_seconds: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
        self._authorization = {"authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request below `/client/v4` (or below `/hoplon`, or `/readyz`…); a body that is no bytes goes as JSON.

        Raises OSError or HTTPException when there is no whole answer.
        """
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if body is None else {"content-type": JSON}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith(("/hoplon", "/client", "/readyz", "/metrics", "/openapi")) else CLOUDFLARE + path
        try:
            self._connection.request(method, url, content, {**kind, **self._authorization, **named})
            answer = self._connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def close(self) -> None:
        self._connection.close()


class ApiProcess:
    """A running `hoplon api` on a state directory, and the token of its first start."""

    def __init__(self, state: Path, *options: str, **environment: str) -> None:
        self.state = state
        self.output = state.with_name(f"{state.name}.api.out")
        command = [sys.executable, "-m", "hoplon", "api", "--admin", "127.0.0.1:0", "--state", str(state), *options]
        full = {**os.environ, **environment}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, cwd=state.parent, env=full)
        await_api(state, self.process.pid)
        self.token = token_of(state)

    @property
    def port(self) -> int:
        return port_of(self.state)

    def caller(self, token: str | None = None, timeout_seconds: float = 60.0) -> Caller:
        return Caller(self.port, token or self.token, timeout_seconds)

    def kill(self) -> None:
        """SIGKILL: nothing of it runs on."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


def await_api(state: Path, pid: int | None = None) -> None:
    """Wait until the API answers (the one with this pid, where it is known)."""

    def is_ready() -> bool:
        try:
            found = api_status(state)["pid"]
            return pid in (None, found) and Caller(port_of(state), None).get("/readyz").status == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False

    await_true(is_ready, f"the API of {state} answers")


def api_status(state: Path) -> Any:
    """The status file of the API."""
    return json.loads((state / "run" / "api.status.json").read_text())


def port_of(state: Path) -> int:
    """Where the API listens, once it does."""
    return int(api_status(state)["address"].rpartition(":")[2])


def token_of(state: Path) -> str:
    """The token that the first start left in the state directory."""
    return (state / "api-token").read_text().strip()


@contextlib.contextmanager
def api_running(state: Path, *options: str, **environment: str) -> Iterator[ApiProcess]:
    """An ApiProcess that is stopped at the end of the block."""
    api = ApiProcess(state, *options, **environment)
    try:
        yield api
    finally:
        api.stop()
