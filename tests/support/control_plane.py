"""A control plane whose every answer is written by hand, for what a real one does only when it is broken; and a real
one."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hoplon.delivery.following import Following
from hoplon.policy.assembly import canonical_json
from hoplon.storage.state import StateDirectory, create_state
from support.installation import await_true, hoplon
from support.upstream import Upstream, read_until

TOKEN = "token-of-a-test"

Respond = Callable[[str], bytes | None]
"""From a request's target to the bytes of its answer; None hangs up."""


def manifest(parts: list[bytes], **versions: int) -> bytes:
    """The manifest of a bundle of these parts, of zones with these policy versions."""
    return canonical_json(
        {
            "format": 1,
            "zones": [{"id": zone, "name": zone, "policy_version": version} for zone, version in versions.items()],
            "parts": [{"sha256": hashlib.sha256(part).hexdigest(), "bytes": len(part)} for part in parts],
        }
    )


def offer(manifest: bytes | None, mode: str = "enforce", generation: int = 0, **changed: Any) -> bytes:
    """The answer to the long poll."""
    bundle = hashlib.sha256(manifest).hexdigest() if manifest is not None else None
    text = manifest.decode() if manifest is not None else None
    result = {"bundle": bundle, "mode": mode, "generation": generation, "manifest": text, **changed}
    return answer(json.dumps({"success": True, "errors": [], "messages": [], "result": result}).encode())


def answer(body: bytes, status: str = "200 OK", *fields: bytes, length: int | None = None) -> bytes:
    """A whole HTTP answer; `length` lies about the body's."""
    declared = len(body) if length is None else length
    lines = (f"HTTP/1.1 {status}".encode(), f"content-length: {declared}".encode(), *fields)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


NOTHING_NEW = b"HTTP/1.1 204 No Content\r\n\r\n"


class ScriptedControlPlane:
    """Answers as `respond` says, until it is told otherwise; `targets` is what was asked for."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.targets: list[str] = []
        self.upstream = Upstream(self._script)

    def following(self, directory: Path, **changed: Any) -> tuple[Following, StateDirectory]:
        """A gateway's state directory, and whom it follows with a good credential."""
        state = create_state(directory / "gateway")
        credential = directory / "credential"
        credential.touch(mode=0o600)
        credential.write_text(f"{TOKEN}\n")
        facts = {"server": self.upstream.url, "credential": str(credential), "state": str(state.root), "name": "gw-1"}
        return Following(**{**facts, **changed}), state

    def close(self) -> None:
        self.upstream.close()

    def _script(self, connection: socket.socket, head: bytes) -> None:
        while head:
            target = head.split(b" ", 2)[1].decode()
            self.targets.append(target)
            content = self.respond(target)
            if content is None:
                return
            connection.sendall(content)
            if b"connection: close" in content:
                return
            head = read_until(connection, b"\r\n\r\n")


class RunningControlPlane:
    """A state directory and its `hoplon api`, which can be killed and started again on the same port."""

    def __init__(self, state: Path, scheme: str = "http") -> None:
        self.state = state
        self._scheme = scheme
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://{'localhost' if self._scheme == 'https' else '127.0.0.1'}:{self.port}"

    def start(self) -> None:
        prefix = "https://" if self._scheme == "https" else ""
        command = [sys.executable, "-m", "hoplon", "api", "--admin", f"{prefix}127.0.0.1:{self.port}"]
        command += ["--state", str(self.state)]
        with self.state.with_name("api.out").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        pid = self._process.pid
        status = await_true(lambda: self._status(pid), "the API serves")
        self.port = int(status["address"].rpartition(":")[2])

    def kill(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> float:
        """Ask it to end; how many seconds that took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(20) == 0
        return time.monotonic() - began

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def credential(self, name: str = "gateways") -> Path:
        """A new gateway credential in a file of mode 0600."""
        made = hoplon(self.state, "token", "create", "--gateway", "--name", name, "--json")
        assert made.returncode == 0, made.stderr
        file = self.state.with_name(f"{name}.token")
        file.touch(mode=0o600)
        file.write_text(json.loads(made.stdout)["token"])
        return file

    def _status(self, pid: int) -> Any:
        assert self._process is not None and self._process.poll() is None, self.state.with_name("api.out").read_text()
        try:
            status = json.loads((self.state / "run" / "api.status.json").read_text())
        except (OSError, ValueError):
            return None
        return status if status["pid"] == pid else None
