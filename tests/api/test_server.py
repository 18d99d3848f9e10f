"""What the server does with what is hardly HTTP."""

import json
import socket
import time
from contextlib import ExitStack
from typing import Any

import pytest

from hoplon.api import server
from hoplon.api.app import BODIES_AT_ONCE
from support.api_server import Client


def raw(client: Client, request: bytes) -> tuple[bytes, Any]:
    """The status line and the JSON of the first answer to these bytes."""
    with socket.create_connection((client.host, client.port), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received or not received.rstrip().endswith(b"}"):
            more = connection.recv(65536)
            if not more:
                break
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0], json.loads(body)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 200_000,
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(20_000)),
        b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_bounded_http_gets_the_envelope(client: Client, request_bytes: bytes) -> None:
    status, answer = raw(client, request_bytes)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert (answer["success"], answer["errors"][0]["code"]) == (False, 10401)
    assert client.get("/readyz").status == 200


def test_several_requests_on_one_connection_are_answered_in_order(client: Client) -> None:
    request = b"GET /errors/%d HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection((client.host, client.port), timeout=30) as connection:
        connection.sendall(request % 7003 + request % 10405)
        received = b""
        while received.count(b'"number"') < 2:
            received += connection.recv(65536)
    assert received.index(b'"number":7003') < received.index(b'"number":10405')


def test_a_missing_body_is_told_from_a_wrong_one(client: Client) -> None:
    path = "/client/v4/zones"
    assert client.ask("POST", path).error["code"] == 10402
    assert client.ask("POST", path, content=b"name=a", headers={"Content-Type": "text/plain"}).status == 415
    assert client.ask("POST", path, content=b"{}", headers={"Content-Encoding": "gzip"}).status == 415
    assert client.ask("POST", path, content=b"{").error["code"] == 10403


def test_a_chunked_body_is_a_body(client: Client) -> None:
    request = (
        b"POST /client/v4/zones HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n7\r\n" + b'{"name"' + b"\r\n3\r\n" + b":7}" + b"\r\n0\r\n\r\n"
    )
    status, answer = raw(client, request)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert answer["errors"][0]["source"]["pointer"] == "/name"


def test_slow_senders_of_long_bodies_hold_up_nobody_else(client: Client) -> None:
    head = (
        b"POST /client/v4/zones HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    )
    with ExitStack() as connections:
        for _ in range(2 * BODIES_AT_ONCE):
            slow = connections.enter_context(socket.create_connection((client.host, client.port), timeout=30))
            slow.sendall(head + b"[")
        assert client.ask("POST", "/client/v4/zones", {"name": "a.example"}).status == 200
        assert client.get("/client/v4/zones").status == 200


HALF_A_HEAD = b"GET /readyz HTTP/1.1\r\nHost: a\r\n"


def opened(stack: ExitStack, client: Client, first: bytes = b"") -> socket.socket:
    connection = stack.enter_context(socket.create_connection((client.host, client.port), timeout=30))
    connection.sendall(first)
    return connection


def is_over(connection: socket.socket) -> bool:
    """Whether the server has given the connection up within 10 s."""
    connection.settimeout(10)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("first", [b"", HALF_A_HEAD, b"\r\n"])
def test_who_never_ends_a_head_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    with ExitStack() as stack:
        assert is_over(opened(stack, client, first))


def test_a_blank_after_an_answer_does_not_keep_a_connection(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    with ExitStack() as stack:
        connection = opened(stack, client, HALF_A_HEAD + b"\r\n")
        while b"}" not in connection.recv(65536):
            pass
        connection.sendall(b"\r\n")
        assert is_over(connection)


def test_those_who_send_nothing_keep_nobody_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 20)
    with ExitStack() as stack:
        silent = [opened(stack, client, HALF_A_HEAD) for _ in range(60)]
        assert client.get("/readyz").status == 200
        assert is_over(silent[0])
        silent[-1].sendall(b"\r\n")
        assert silent[-1].recv(12) == b"HTTP/1.1 200"


def test_who_does_not_read_his_answers_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "READ_SECONDS", 0.5)
    with ExitStack() as stack:
        connection = opened(stack, client)
        connection.setblocking(False)
        until = time.monotonic() + 20
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while time.monotonic() < until:
                try:
                    connection.send(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
                except BlockingIOError:
                    time.sleep(0.05)


def test_headers_that_come_twice_are_one_list(client: Client) -> None:
    """The last `If-Match` alone would overlook the precondition before it."""
    zone = client.get("/client/v4/zones").result[0]["id"]
    body = '{"upstreams": [{"url": "http://127.0.0.1:9"}]}'
    head = (
        f"PUT /hoplon/v1/zones/{zone}/upstreams HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f'Content-Length: {len(body)}\r\nIf-Match: "99"\r\nIf-Match: *\r\n\r\n'
    )
    status, answer = raw(client, f"{head}{body}".encode())
    assert (status, answer["errors"][0]["code"]) == (b"HTTP/1.1 400 Bad Request", 10401)
