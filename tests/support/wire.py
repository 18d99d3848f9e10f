"""Requests as bytes: an upstream that keeps every byte it gets, and three parsers that must agree on what they mean."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11
import httptools

from support.installation import await_true

_NODE_SCRIPT = Path(__file__).with_name("node_parser.js")
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Parsed:
    """One request as a parser read it; field names in lower case, in order."""

    method: str
    target: str
    fields: tuple[tuple[str, bytes], ...]
    body: bytes

    def values(self, name: str) -> list[bytes]:
        return [value for known, value in self.fields if known == name]


class DisagreementError(AssertionError):
    """Bytes that are not one whole request for a parser."""


class Recorder:
    """An upstream's script: keeps all bytes of each connection, answers when h11 has one whole request, then closes."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self._lock = threading.Lock()

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        received = bytearray(head)
        connection.settimeout(2)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while not _is_whole(bytes(received)) and (piece := connection.recv(65536)):
                received += piece
            connection.sendall(ANSWER)
            while piece := connection.recv(65536):
                received += piece
        with self._lock:
            self.seen.append(bytes(received))

    def only(self) -> bytes:
        """The bytes of the one connection that there was, once it is closed."""
        await_true(lambda: self.seen, "the upstream's connection")
        (raw,) = self.seen
        return raw


def _is_whole(raw: bytes) -> bool:
    try:
        read_by_h11(raw)
    except DisagreementError:
        return False
    return True


def read_by_h11(raw: bytes) -> Parsed:
    """The one request that these bytes are for h11 (strict, pure Python)."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    try:
        request = connection.next_event()
        if not isinstance(request, h11.Request):
            raise DisagreementError(f"h11: no request in {raw!r}")
        body = b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise DisagreementError(f"h11: not whole: {raw!r}")
            body += event.data
    except h11.RemoteProtocolError as error:
        raise DisagreementError(f"h11: {error}: {raw!r}") from error
    if connection.trailing_data[0]:
        raise DisagreementError(f"h11: more than one request: {raw!r}")
    fields = tuple((name.decode("latin-1").lower(), value) for name, value in request.headers)
    return Parsed(request.method.decode(), request.target.decode("latin-1"), fields, body)


@dataclass
class _Collector:
    """What httptools calls back."""

    target: bytes = b""
    fields: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""
    complete: int = 0

    def on_url(self, piece: bytes) -> None:
        self.target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.decode("latin-1").lower(), value))

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete += 1


def read_by_httptools(raw: bytes) -> Parsed:
    """The one request that these bytes are for llhttp, as uvicorn uses it."""
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade as upgrade:
        if len(raw) != upgrade.args[0]:
            raise DisagreementError(f"httptools: bytes behind an upgrade: {raw!r}") from upgrade
    except httptools.HttpParserError as error:
        raise DisagreementError(f"httptools: {error}: {raw!r}") from error
    if collector.complete != 1:
        raise DisagreementError(f"httptools: {collector.complete} requests: {raw!r}")
    target = collector.target.decode("latin-1")
    return Parsed(parser.get_method().decode(), target, tuple(collector.fields), collector.body)


def has_node() -> bool:
    """Whether Node is on this machine."""
    return shutil.which("node") is not None


def read_by_node(raws: Iterable[bytes]) -> list[Parsed]:
    """As each of these is read by Node's own server; raises where it is not one request."""
    lines = "".join(base64.b64encode(raw).decode() + "\n" for raw in raws)
    said = subprocess.run(
        ["node", str(_NODE_SCRIPT)], input=lines, capture_output=True, text=True, check=True, timeout=60
    )
    return [_of_node(json.loads(line)) for line in said.stdout.splitlines()]


def _of_node(requests: list[dict[str, Any]]) -> Parsed:
    if len(requests) != 1 or "error" in requests[0]:
        raise DisagreementError(f"node: {requests}")
    (one,) = requests
    names, values = one["raw"][::2], one["raw"][1::2]
    fields = tuple((name.lower(), value.encode("latin-1")) for name, value in zip(names, values, strict=True))
    return Parsed(one["method"], one["url"], fields, base64.b64decode(one["body"]))


def is_cut_off(raw: bytes) -> bool:
    """Whether this is the beginning of one request for both parsers: its client broke its body off, or we did."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    try:
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.EndOfMessage):
                return False
    except h11.RemoteProtocolError:
        return False
    collector = _Collector()
    with contextlib.suppress(httptools.HttpParserUpgrade):
        httptools.HttpRequestParser(collector).feed_data(raw)
    return collector.complete == 0


def one_request(raw: bytes) -> Parsed:
    """What h11 and httptools agree on; raises where they do not."""
    one, other = read_by_h11(raw), read_by_httptools(raw)
    if one != other:
        raise DisagreementError(f"{one} is not {other}")
    return one


def exchange(port: int, *pieces: bytes, patience_seconds: float = 5.0) -> bytes:
    """Sends these bytes on a connection of their own and gives what comes back until it closes or pauses."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience_seconds) as connection:
        received = bytearray()
        with contextlib.suppress(TimeoutError, ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
            while piece := connection.recv(65536):
                received += piece
        return bytes(received)


def statuses(answer: bytes) -> list[int]:
    """The statuses of the responses in these bytes."""
    lines = answer.split(b"HTTP/1.1 ")[1:]
    return [int(line[:3]) for line in lines]
