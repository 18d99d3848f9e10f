"""APIs that behave and APIs that do not: a server on a real socket whose every answer is written by hand.

A `Script` gets the connection and the request's head as it came, and does whatever it likes. Once it returns, the
connection closes.
"""

import contextlib
import socket
import threading
from collections.abc import Callable

Script = Callable[[socket.socket, bytes], None]

TIMEOUT_SECONDS = 20.0


class Upstream:
    """A server that runs one script per connection, each in a thread of its own. `heads` is what has arrived."""

    def __init__(self, script: Script, port: int = 0) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.heads: list[bytes] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Nobody listens there any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(TIMEOUT_SECONDS)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(TIMEOUT_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if head := read_until(connection, b"\r\n\r\n"):
                self.heads.append(head)
                self._script(connection, head)


def read_until(connection: socket.socket, mark: bytes, begun: bytes = b"") -> bytes:
    """Everything up to and with `mark`, or what came before the end. Reads byte by byte: the rest stays unread."""
    received = bytearray(begun)
    while not received.endswith(mark):
        piece = connection.recv(1)
        if not piece:
            break
        received += piece
    return bytes(received)


def polite(connection: socket.socket, head: bytes) -> None:
    """An API without faults: `ok` for everything, on a connection that stays open."""
    while head:
        polite_once(connection, head)
        head = read_until(connection, b"\r\n\r\n")


def polite_once(connection: socket.socket, head: bytes, *fields: bytes) -> None:
    """One `ok`, with these header fields."""
    _skip_body(connection, head)
    body = b"" if head.startswith(b"HEAD ") else b"ok"
    lines = (b"HTTP/1.1 200 OK", b"content-type: text/plain", b"content-length: 2", *fields)
    connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)


def answering(text: bytes) -> Script:
    """Answers every request with these bytes, whatever they mean, and closes."""
    return lambda connection, _head: connection.sendall(text)


def _skip_body(connection: socket.socket, head: bytes) -> None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            left = int(line.partition(b":")[2])
            while left > 0 and (piece := connection.recv(left)):
                left -= len(piece)
