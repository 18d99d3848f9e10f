"""HTTP for the application: uvicorn with httptools, with bounds on heads and on waiting, and our envelope for what is
no HTTP."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from hoplon.api.app import ControlPlane
from hoplon.api.envelope import write_errors

MAX_HEAD_BYTES = 64 * 1024
MAX_CONNECTIONS = 1024
KEEP_ALIVE_SECONDS = 75
HEAD_SECONDS = 20.0
"""A head takes at most so long, from the connection's beginning or the first byte after the request before."""
READ_SECONDS = 60.0
"""Who takes nothing of an answer for so long is given up."""
STOP_SECONDS = 8
"""So long may requests finish once the process was asked to stop."""


class BoundedProtocol(HttpToolsProtocol):
    """httptools itself takes heads of any length, and keeps a header until it has ended; uvicorn waits without end, for
    heads and for those who do not read their answer.

    When connections run out, the one that has been idle for longest makes room: nobody keeps others out by opening many
    and sending nothing."""

    _head_bytes = 0
    _unfinished_bytes = 0
    _idle_since = 0.0
    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._await_head()
        if len(self.connections) >= MAX_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        self._cancel_read_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader(unread_bytes=None)

    def resume_writing(self) -> None:
        self._cancel_read_timer()
        super().resume_writing()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

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
        self._cancel_head_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_idle and not self.transport.is_closing():
            self._await_head()
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

    @property
    def _is_idle(self) -> bool:
        """Whether no request is under way: none has begun, or the next head has not ended yet."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _await_reader(self, unread_bytes: int | None) -> None:
        """Look again and again whether anything of an answer has been taken since."""
        now_unread = self.transport.get_write_buffer_size()
        if unread_bytes is not None and now_unread >= unread_bytes:
            self.transport.abort()
        else:
            self._read_timer = self.loop.call_later(READ_SECONDS, self._await_reader, now_unread)

    def _cancel_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _make_room(self) -> None:
        """Abort the longest idle of all connections; it is no longer counted from now on."""
        idle = [each for each in self.connections if isinstance(each, BoundedProtocol) and each._is_idle]
        longest = min(idle, key=lambda each: each._idle_since)
        self.connections.discard(longest)
        longest.transport.abort()

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
