"""What the Shield costs a request: an ASGI application that only answers, with and without it, in one process.

`python -m bench.in_process` prints microseconds of processor time per request, the median of some rounds; no server.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hoplon.asgi import Shield
from hoplon.asgi.settings import App
from hoplon.service.policy import apply_policy
from hoplon.service.workspace import open_workspace

POLICY = """format = 1
[zone]
upstreams = [{ url = "http://127.0.0.1:9" }]
[operations]
fallthrough = "block"
saved = [{ method = "GET", path = "/items/{id}" }, { method = "POST", path = "/items" }]
"""
HEADERS = [
    (b"host", b"api.test"),
    (b"user-agent", b"bench/1.0"),
    (b"accept", b"application/json"),
    (b"authorization", b"Bearer 0123456789abcdef0123456789abcdef"),
    (b"content-type", b"application/json"),
]
BODY = b'{"name": "' + b"x" * 1000 + b'"}'
REQUESTS = 5_000
ROUNDS = 9


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and answers at once."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


def scope_of(method: str, path: str, body: bytes) -> dict[str, Any]:
    """A request as uvicorn would hand it over."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*HEADERS, (b"content-length", str(len(body)).encode())] if body else HEADERS,
        "client": ("192.0.2.7", 50000),
    }


async def _burst(app: App, scope: dict[str, Any], body: bytes) -> float:
    message = {"type": "http.request", "body": body, "more_body": False}

    async def receive() -> dict[str, Any]:
        return message

    async def send(message: dict[str, Any]) -> None:
        pass

    began = time.process_time()
    for _ in range(REQUESTS):
        await app(dict(scope), receive, send)
    return (time.process_time() - began) / REQUESTS * 1e6


def measure(apps: dict[str, App], method: str, path: str, body: bytes) -> dict[str, float]:
    """Microseconds per request of each application, in turns."""
    found: dict[str, list[float]] = {name: [] for name in apps}
    for _ in range(ROUNDS):
        for name, app in apps.items():
            found[name].append(asyncio.run(_burst(app, scope_of(method, path, body), body)))
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> int:
    """Prints one line per kind of request."""
    with tempfile.TemporaryDirectory(prefix="hoplon-bench-") as name:
        bundles = _bundles(Path(name))
        apps: dict[str, App] = {
            "without": answering,
            "Shield": Shield(answering, bundles=bundles),
            "Shield, on_end": Shield(answering, bundles=bundles, on_end=lambda ended: None),
        }
        for label, method, path, body in (
            ("GET", "GET", "/items/1", b""),
            ("POST 1 KB JSON", "POST", "/items", BODY),
        ):
            times = measure(apps, method, path, body)
            print(f"{label:16}", ", ".join(f"{name}: {micros:.1f} µs" for name, micros in times.items()))
    return 0


def _bundles(root: Path) -> Path:
    with open_workspace(root / "state", create=True) as workspace:
        apply_policy(workspace, POLICY, create=True)
    return root / "state" / "bundles"


if __name__ == "__main__":
    sys.exit(main())
