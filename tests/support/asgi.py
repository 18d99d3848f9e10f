"""Both sides of an ASGI application: a client that sends messages and keeps what comes back, and a bundle folder."""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoplon.asgi.settings import App, Message
from hoplon.policy.assembly import canonical_json
from hoplon.service.policy import apply_policy
from hoplon.service.workspace import open_workspace
from hoplon.storage.files import replace_file

BASE = """format = 1
[zone]
upstreams = [{ url = "http://127.0.0.1:9" }]
"""
BLOCKING = f"""{BASE}
[operations]
fallthrough = "block"
saved = [
    {{ method = "GET", path = "/items/{{id}}" }},
    {{ method = "POST", path = "/items" }},
]
"""


def put_in_place(state: Path, policy: str) -> Path:
    """Apply `policy` in the state directory; its bundle folder."""
    with open_workspace(state, create=True) as workspace:
        apply_policy(workspace, policy, create=True)
    return state / "bundles"


@dataclass
class Answered:
    """What the client got: messages in order."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


def ask(app: App, path: str = "/items/1", method: str = "GET", pieces: Iterable[bytes] = (), **scope: Any) -> Answered:
    """One HTTP request whose body comes in these pieces, and then the client waits."""
    held = list(pieces)
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": index < len(held) - 1} for index, piece in enumerate(held)
    ] or [{"type": "http.request", "body": b"", "more_body": False}]
    if held and "headers" not in scope:
        scope["headers"] = [(b"host", b"api.test"), (b"content-length", str(sum(map(len, held))).encode())]
    return talk(app, http_scope(path, method, **scope), messages)


def talk(app: App, scope: dict[str, Any], messages: list[Message]) -> Answered:
    """Run the application once: it receives these messages; then an HTTP client waits, and a WebSocket is left."""
    answered = Answered()
    waiting = list(messages)

    async def receive() -> Message:
        await asyncio.sleep(0)
        if not waiting and scope["type"] == "http":
            await asyncio.Event().wait()
        return waiting.pop(0) if waiting else {"type": f"{scope['type']}.disconnect"}

    async def send(message: Message) -> None:
        answered.messages.append(message)

    asyncio.run(_run(app, scope, receive, send))
    return answered


async def _run(app: App, scope: dict[str, Any], receive: Any, send: Any) -> None:
    await app(scope, receive, send)


def http_scope(path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    raw, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"api.test")],
        "client": ("192.0.2.7", 50000),
        "server": ("127.0.0.1", 80),
        **more,
    }


class Echo:
    """An application that answers with what it received, and keeps the scopes and bodies that it saw."""

    def __init__(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []
        self.pieces: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, is_more = b"", scope["type"] == "http"
        while is_more:
            message = await receive()
            if message["type"] != "http.request":
                return
            self.pieces.append(message["body"])
            body, is_more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": body or b"hello", "more_body": False})


def add_rules(bundles: Path, rules: list[dict[str, Any]]) -> None:
    """Put a bundle in place whose zone has these rules behind its own; what no policy says can be tried so."""
    manifest = json.loads((bundles / "current").read_bytes())
    for part in manifest["parts"]:
        if part["kind"] == "rules":
            content = json.loads((bundles / "parts" / part["sha256"]).read_bytes())
            content["rules"] += rules
            data = canonical_json(content)
            part["sha256"], part["bytes"] = hashlib.sha256(data).hexdigest(), len(data)
            (bundles / "parts" / part["sha256"]).write_bytes(data)
    replace_file(bundles / "current", canonical_json(manifest))
