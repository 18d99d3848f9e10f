"""A control plane whose every answer is written by hand: for what a real one does only when it is broken."""

import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hoplon.delivery.following import Following
from hoplon.policy.assembly import canonical_json
from hoplon.storage.state import StateDirectory, create_state
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
