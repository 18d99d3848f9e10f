"""Floods over HTTP/2, and clients that give their bytes one by one: who does it is cut off, others are served."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from support import h2_frames
from support.h2_frames import frame
from support.installation import Installation
from support.wire import Recorder, exchange, statuses

Gateway = tuple[Installation, Recorder]

GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"any.test"), (b":path", b"/")]
ENABLE_CONNECT_PROTOCOL = 0x8
PATIENCE_SECONDS = 20.0


def pings() -> Iterator[bytes]:
    return iter(lambda: frame(h2_frames.PING, 0, 0, bytes(8)) * 500, b"")


def settings() -> Iterator[bytes]:
    return iter(lambda: frame(h2_frames.SETTINGS, 0, 0, b"\x00\x03\x00\x00\x00\x64") * 500, b"")


def resets() -> Iterator[bytes]:
    """Each stream is opened and taken back at once (CVE-2023-44487)."""
    for stream in range(1, 2**30, 2):
        head = frame(h2_frames.HEADERS, h2_frames.END_HEADERS | h2_frames.END_STREAM, stream, h2_frames.block(GET))
        yield head + frame(h2_frames.RST_STREAM, 0, stream, b"\x00\x00\x00\x08")


def continuations() -> Iterator[bytes]:
    """A header block that never ends (CVE-2024-27316)."""
    yield frame(h2_frames.HEADERS, 0, 1, h2_frames.block(GET))
    more = h2_frames.block([(b"x", b"y" * 100)]) * 20
    yield from iter(lambda: frame(h2_frames.CONTINUATION, 0, 1, more), b"")


def unknown_frames() -> Iterator[bytes]:
    return iter(lambda: frame(0x77, 0, 0) * 500, b"")


@pytest.mark.parametrize("flood", [pings, settings, resets, continuations, unknown_frames])
def test_a_flood_is_cut_off_and_others_are_served(gateway: Gateway, flood: Callable[[], Iterator[bytes]]) -> None:
    up, _ = gateway
    before = up.metric("hoplon_resident_memory_bytes")
    started = time.monotonic()
    with h2_frames.connect(up.port) as connection:
        connection.setblocking(False)
        assert _is_cut_off(connection, flood()), "it was still there"
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert up.get("/beside").status == 200
    assert up.metric("hoplon_resident_memory_bytes") < before + 64 * 1024**2


def _is_cut_off(connection: socket.socket, flood: Iterator[bytes]) -> bool:
    """Sends without reading more than must be, until the other side closes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    left = b""
    while time.monotonic() < deadline:
        try:
            with contextlib.suppress(BlockingIOError):
                if connection.recv(65536) == b"":
                    return True
            left = left or next(flood)
            left = left[connection.send(left) :]
        except BlockingIOError:
            time.sleep(0.001)
        except ConnectionError:
            return True
    return False


def test_extended_connect_is_not_announced(gateway: Gateway) -> None:
    """RFC 8441: nobody may ask for a tunnel over HTTP/2 that was not offered."""
    up, _ = gateway
    with h2_frames.connect(up.port, 1.0) as connection:
        announced = [payload for kind, flags, _, payload in h2_frames.frames(connection) if (kind, flags) == (4, 0)]
    numbers = {int.from_bytes(payload[at : at + 2], "big") for payload in announced for at in range(0, len(payload), 6)}
    assert announced and ENABLE_CONNECT_PROTOCOL not in numbers


def test_many_slow_heads_disturb_nobody(gateway: Gateway) -> None:
    up, _ = gateway
    with contextlib.ExitStack() as open_ones:
        for _ in range(200):
            slow = open_ones.enter_context(socket.create_connection(("127.0.0.1", up.port)))
            slow.sendall(b"GET / HTTP/1.1\r\nHost: any.test\r\nX-")
        answer = exchange(up.port, b"GET /beside HTTP/1.1\r\nHost: any.test\r\nConnection: close\r\n\r\n")
        assert statuses(answer) == [200]
