"""HTTP/2 written frame by frame, with header fields exactly as given: what a library would refuse to send."""

import contextlib
import socket
import struct
from collections.abc import Iterable, Sequence

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x9
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1

Fields = Sequence[tuple[bytes, bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def block(fields: Fields) -> bytes:
    """A header block of literals, never indexed, without Huffman codes (RFC 7541, section 6.2.3)."""
    return b"".join(b"\x10" + _text(name) + _text(value) for name, value in fields)


def _text(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes((len(text),)) + text
    rest, length = len(text) - 127, b"\x7f"
    while rest >= 128:
        length += bytes((rest % 128 | 0x80,))
        rest //= 128
    return length + bytes((rest,)) + text


def request(fields: Fields, body: bytes | None = None, stream: int = 1) -> bytes:
    """The frames of one request."""
    flags = END_HEADERS | (END_STREAM if body is None else 0)
    head = frame(HEADERS, flags, stream, block(fields))
    return head if body is None else head + frame(DATA, END_STREAM, stream, body)


def connect(port: int, patience_seconds: float = 5.0) -> socket.socket:
    """A connection that has said the preface and its settings."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=patience_seconds)
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return connection


def frames(connection: socket.socket) -> Iterable[tuple[int, int, int, bytes]]:
    """Frames as they come (kind, flags, stream, payload), until the connection closes or pauses."""
    received = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while True:
            while len(received) < 9 or len(received) < 9 + int.from_bytes(received[:3], "big"):
                piece = connection.recv(65536)
                if not piece:
                    return
                received += piece
            length = int.from_bytes(received[:3], "big")
            yield received[3], received[4], int.from_bytes(received[5:9], "big"), received[9 : 9 + length]
            received = received[9 + length :]
