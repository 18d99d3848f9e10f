"""What real clients do through `hoplon up`, over TLS by certificate files: HTTP/1.1 and HTTP/2 (curl), WebSocket, SSE,
uploads that stream. The corners of each protocol are in crates/gateway/tests.
"""

import base64
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.installation import Installation, make_certificate, running
from support.upstream import Upstream, polite_once, read_until

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SSE_PAUSE_SECONDS = 0.8


def api(connection: socket.socket, head: bytes) -> None:
    """`/events` pauses between two events, `/chat` is a WebSocket that echoes, `/upload` counts pieces as they come."""
    path = head.split(b" ")[1]
    if path == b"/events":
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        connection.sendall(b"d\r\ndata: first\n\n\r\n")
        time.sleep(SSE_PAUSE_SECONDS)
        connection.sendall(b"e\r\ndata: second\n\n\r\n0\r\n\r\n")
    elif path == b"/chat":
        echo_frames(connection, head)
    elif path == b"/upload":
        first = read_until(connection, b"\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        read_until(connection, b"0\r\n\r\n", first)
        connection.sendall(b"4\r\nlast\r\n0\r\n\r\n")
    else:
        polite_once(connection, head, b"connection: close")


def echo_frames(connection: socket.socket, head: bytes) -> None:
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key.partition(b":")[2].strip() + MAGIC).digest())  # noqa: S324  RFC 6455
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: " + accept + b"\r\n\r\n"
    )
    while piece := connection.recv(65536):
        connection.sendall(piece)


@dataclass(frozen=True)
class Secure:
    """An installation whose traffic address has TLS."""

    up: Installation
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.up.port}"

    def curl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["curl", "--silent", "--show-error", "--cacert", str(self.certificate), "--max-time", "15"]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=20)

    def connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.certificate))
        plain = socket.create_connection(("127.0.0.1", self.up.port), timeout=10)
        return context.wrap_socket(plain, server_hostname="localhost")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("secure")
    certificate, key = make_certificate(directory)
    upstream = Upstream(api)
    files = {"HOPLON_TLS_CERTIFICATE": str(certificate), "HOPLON_TLS_KEY": str(key)}
    with running(directory / "state", "--upstream", upstream.url, listen="https://127.0.0.1:0", **files) as up:
        yield Secure(up, certificate)
    upstream.close()


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")


@needs_curl
@pytest.mark.parametrize(("option", "version"), [("--http1.1", "1.1"), ("--http2", "2")])
def test_a_client_verifies_the_certificate_and_gets_the_version_it_asks_for(
    secure: Secure, option: str, version: str
) -> None:
    said = secure.curl(
        option, "-w", "\n%{http_version} %{http_code} %header{hoplon-request-id}", f"{secure.url}/things/7"
    )
    body, _, line = said.stdout.rpartition("\n")
    used, status, called = line.split(" ")
    assert (body, used, status) == ("ok", version, "200"), said
    record = secure.up.record(called)
    assert (record["tls"], record["scheme"], record["http_version"]) == (True, "https", version)


@needs_curl
def test_other_clients_share_no_secret_with_it(secure: Secure) -> None:
    assert secure.curl("--cacert", "/dev/null", secure.url).returncode != 0
    assert secure.curl(f"http://localhost:{secure.up.port}/plain").returncode != 0
    assert secure.curl("--tls-max", "1.1", secure.url).returncode != 0
    assert secure.curl(f"{secure.url}/still").stdout == "ok"


@needs_curl
@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
def test_an_event_is_there_when_it_is_sent(secure: Secure, option: str) -> None:
    command = ["curl", "-sN", option, "--cacert", str(secure.certificate), f"{secure.url}/events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        assert curl.stdout.readline() == b"data: first\n"
        first_at = time.monotonic()
        curl.stdout.readline()
        assert curl.stdout.readline() == b"data: second\n"
        assert time.monotonic() - first_at > SSE_PAUSE_SECONDS / 2
        curl.stdout.read()
        assert curl.wait(10) == 0


@needs_curl
@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
def test_an_upload_streams_while_it_is_sent(secure: Secure, option: str) -> None:
    """The upstream answers to the first piece; only when that answer has come does the client send its last one."""
    command = ["curl", "-sN", option, "--cacert", str(secure.certificate), "-T", ".", "-X", "POST"]
    command += ["-H", "expect:", f"{secure.url}/upload"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as curl:
        assert curl.stdin is not None and curl.stdout is not None
        curl.stdin.write(b"piece one")
        timer = threading.Timer(10, curl.kill)
        timer.start()
        assert curl.stdout.read(5) == b"first"
        curl.stdin.write(b"piece two")
        curl.stdin.close()
        assert curl.stdout.read() == b"last"
        timer.cancel()
        assert curl.wait(10) == 0


@needs_curl
def test_a_large_upload_with_expect_and_a_head_request_work_as_without_hoplon(secure: Secure, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(3_000_000))
    said = secure.curl("--http1.1", "-T", str(file), "-H", "expect: 100-continue", f"{secure.url}/put")
    assert said.stdout == "ok", said
    said = secure.curl("--http2", "--head", "-w", "%{http_code}", f"{secure.url}/put")
    assert said.stdout.endswith("200") and "content-length: 2" in said.stdout, said


def test_a_websocket_through_tls_echoes(secure: Secure) -> None:
    key = base64.b64encode(b"sixteen bytes ok")
    with secure.connect() as client:
        client.sendall(
            b"GET /chat HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: " + key + b"\r\n\r\n"
        )
        head = read_until(client, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert base64.b64encode(hashlib.sha1(key + MAGIC).digest()) in head  # noqa: S324  RFC 6455, 4.2.2
        frame = b"\x81\x85\x00\x00\x00\x00hello"
        for _ in range(3):
            client.sendall(frame)
            received = b""
            while len(received) < len(frame):
                received += client.recv(len(frame) - len(received))
            assert received == frame
    lines = head.decode().lower().split("\r\n")
    called = next(line.partition(": ")[2] for line in lines if line.startswith("hoplon-request-id"))
    record = secure.up.record(called)
    assert (record["status"], record["upgraded"]) == (101, True)
