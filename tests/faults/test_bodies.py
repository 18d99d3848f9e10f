"""Bodies that are no acceptable JSON, too big, never end, or are cut off: refused, not held in memory, no change."""

import json
import select
import socket
import time
from pathlib import Path

import pytest

from faults.plane import Plane
from support.api import CLOUDFLARE, api_status, port_of, token_of

LABELS = "/zones/{zone}/api_gateway/labels"
MEGABYTE = 1024 * 1024

RAW = {
    "no JSON": b"{",
    "two documents": b"[][]",
    "a comma too many": b'[{"name":"a"},]',
    "NaN": b'[{"name":"a","metadata":{"n":NaN}}]',
    "infinity": b'[{"name":"a","metadata":{"n":1e999}}]',
    "a member twice": b'[{"name":"a","name":"b"}]',
    "UTF-16": json.dumps([{"name": "a"}]).encode("utf-16"),
    "Latin-1": '[{"name":"\u00e4"}]'.encode("latin-1"),
    "half a character": b'[{"name":"\xe2\x82"}]',
    "an overlong character": b'[{"name":"\xc0\xaf"}]',
    "half a surrogate pair": b'[{"name":"\\ud800"}]',
    "a byte order mark": b'\xef\xbb\xbf[{"name":"a"}]',
    "NUL": b'[{"name":"\\u0000"}]',
    "deep arrays": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep metadata": b'[{"name":"a","metadata":' + b"[" * 5000 + b"]" * 5000 + b"}]",
    "a number of a million digits": b'[{"name":"a","metadata":' + b"9" * 1_000_000 + b"}]",
    "blanks": b"   ",
    "form": b"name=a",
}


@pytest.mark.parametrize("body", RAW.values(), ids=RAW.keys())
def test_bytes_that_are_no_acceptable_json_are_refused(unharmed: Plane, body: bytes) -> None:
    reply = unharmed.call("POST", f"{LABELS}/user", body)
    assert reply.status == 400, reply
    assert reply.errors


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/xml"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_encoding": "gzip"},
        {"content_encoding": "br"},
    ],
    ids=str,
)
def test_a_body_of_another_kind_is_refused(unharmed: Plane, headers: dict[str, str]) -> None:
    reply = unharmed.call("POST", f"{LABELS}/user", b'[{"name":"a"}]', **headers)
    assert reply.status == 415
    assert reply.errors


def test_a_body_of_100_megabytes_is_refused_and_not_held_in_memory(unharmed: Plane) -> None:
    before = _peak_megabytes(unharmed)
    with _posting(unharmed, f"content-length: {100 * MEGABYTE}") as connection:
        assert _send_until_answered(connection, b" " * 65_536, 100 * MEGABYTE) == 413
    assert _peak_megabytes(unharmed) - before < 32


@pytest.mark.parametrize("value", [b"7,", b"{},", b"[],", b'{"a":1},'], ids=bytes.decode)
def test_a_body_of_millions_of_values_is_refused_before_it_is_read(unharmed: Plane, value: bytes) -> None:
    body = b"[" + value * (24 * MEGABYTE // len(value)) + b"7]"
    before = _peak_megabytes(unharmed)
    reply = unharmed.call("POST", f"{LABELS}/user", body)
    assert (reply.status, len(reply.errors)) == (413, 1)
    assert _peak_megabytes(unharmed) - before < 150


@pytest.mark.parametrize(
    "text",
    [
        b"a = " + b"[" * 100_000,
        b"a = " + b"{a=" * 5000,
        b"[" + b"a." * 50_000 + b"a]",
        b"a" + b'."b"' * 50_000 + b" = 1",
        b"a = " + b"9" * 1_000_000,
        b"k = 1\n" * 1_000_000,
        b"a = '" + b"b" * 10_000_000 + b"'",
        b"a = '\xff'",
    ],
    ids=["deep", "deep tables", "long name", "long quoted name", "long number", "many lines", "long text", "Latin-1"],
)
def test_a_policy_that_is_hard_to_read_is_refused_at_once(unharmed: Plane, text: bytes) -> None:
    begun = time.monotonic()
    reply = unharmed.call("PUT", "/hoplon/v1/zones/{zone}/policy", text, content_type="application/toml")
    assert reply.status == 400, reply
    assert reply.errors
    assert time.monotonic() - begun < 10


def test_a_body_that_never_ends_is_refused(unharmed: Plane) -> None:
    with _posting(unharmed, "transfer-encoding: chunked") as connection:
        piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        assert _send_until_answered(connection, piece, 2**40) == 413


@pytest.mark.parametrize("sent", [0, 1, 20])
def test_a_caller_who_leaves_in_the_middle_of_a_body_changes_nothing(unharmed: Plane, sent: int) -> None:
    body = json.dumps([{"name": "left"}]).encode()
    with _posting(unharmed, f"content-length: {len(body)}") as connection:
        connection.sendall(body[:sent])
    assert unharmed.call("GET", f"{LABELS}/user/left").status == 404


def _posting(plane: Plane, framing: str) -> socket.socket:
    """A connection on which the head of a request has gone out."""
    lines = (
        f"POST {CLOUDFLARE}{plane.path(LABELS)}/user HTTP/1.1",
        "host: api.test",
        "content-type: application/json",
        f"authorization: Bearer {token_of(plane.up.state)}",
        framing,
    )
    connection = socket.create_connection(("127.0.0.1", port_of(plane.up.state)), timeout=60)
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    return connection


def _send_until_answered(connection: socket.socket, piece: bytes, size: int) -> int:
    """Send `size` bytes, unless the other side answers before; the status of its answer, 0 when it hangs up."""
    connection.setblocking(False)
    sent, rest, answer = 0, piece, b""
    while b"\r\n" not in answer:
        readable, writable, _ = select.select([connection], [connection] if sent < size else [], [], 60)
        assert readable or writable, f"no answer after {sent} bytes"
        try:
            if readable:
                answer += (received := connection.recv(65_536))
                if not received:
                    break
            if writable:
                count = connection.send(rest[: size - sent])
                sent, rest = sent + count, rest[count:] or piece
        except BlockingIOError:
            continue
        except ConnectionError:
            break
    return int(answer.split(b" ")[1]) if answer else 0


def _peak_megabytes(plane: Plane) -> float:
    """The most memory that the API has ever had."""
    status = Path("/proc", str(api_status(plane.up.state)["pid"]), "status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
