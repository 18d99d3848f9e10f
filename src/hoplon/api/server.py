"""HTTP for the application: uvicorn with httptools, with a bound on heads and our envelope for what is no HTTP."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hoplon.api.app import ControlPlane
from hoplon.api.envelope import write_errors

MAX_HEAD_BYTES = 64 * 1024
MAX_CONNECTIONS = 1024
KEEP_ALIVE_SECONDS = 75
STOP_SECONDS = 8
"""So long may requests finish once the process was asked to stop."""


class BoundedProtocol(HttpToolsProtocol):
    """httptools itself takes heads of any length, and keeps a header until it has ended."""

    _head_bytes = 0
    _unfinished_bytes = 0

    def on_message_begin(self) -> None:
        self._head_bytes = self._unfinished_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_bytes = -1
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes >= 0 and not self.transport.is_closing():
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > MAX_HEAD_BYTES:
                self.send_400_response(f"a head of more than {MAX_HEAD_BYTES} bytes")

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP gets the envelope too, and the connection ends."""
        body = write_errors([{"code": 10401, "message": msg}])
        head = (
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n"
        )
        self.transport.write(head % len(body) + b"\r\n" + body)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError(f"a head of more than {MAX_HEAD_BYTES} bytes")


class Server(uvicorn.Server):
    """Serves on one open socket; says when it has begun, and when it is about to end."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun, self._stopping = begun, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._begun()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)


def serve(app: ControlPlane, listener: socket.socket, tls: tuple[Path, Path] | None, begun: Callable[[], None]) -> None:
    """Serve `app` until SIGTERM or SIGINT; `tls` is certificate and key."""
    server_of(app, tls, begun, app.stopping).run(sockets=[listener])


def server_of(
    app: Any, tls: tuple[Path, Path] | None, begun: Callable[[], None], stopping: Callable[[], None]
) -> Server:
    """The server of an ASGI application, with every bound that it has."""
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
    )
    return Server(config, begun, stopping)
