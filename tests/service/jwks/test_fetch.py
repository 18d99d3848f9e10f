"""One attempt at a key set, over real sockets: bounded, pinned to one address, no error quotes the answer."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from hoplon.errors import HoplonError
from hoplon.service.jwks import fetch as module
from hoplon.service.jwks.fetch import MAX_BYTES, Fetcher
from support.installation import make_certificate
from support.key_server import key_server

HERE = Fetcher([ip_network("127.0.0.1/32")])


def code(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(HoplonError) as raised:
        fetcher.fetch(url)
    assert "secret-content" not in str(raised.value)
    return raised.value.code


def drip_head(server: socket.socket, begin: bytes, drop: bytes = b"a") -> None:
    """Answer one request with `begin`, then with a drop now and then for 10 s, or until the client is gone."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        connection.sendall(begin)
        for _ in range(200):
            connection.sendall(drop)
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("cache", "seconds"),
    [
        (None, None),
        ("max-age=300", 300),
        ('public, max-age="60", must-revalidate', 60),
        ("no-store, max-age=300", 0),
        ("NO-CACHE", 0),
        ("s-maxage=5", None),
        ("max-age=-1", None),
    ],
)
def test_a_key_set_comes_with_how_long_it_holds(cache: str | None, seconds: int | None) -> None:
    with key_server() as server:
        server.headers = {"cache-control": cache} if cache else {}
        answer = HERE.fetch(server.url)
    assert (answer.content, answer.holds_seconds) == (server.content, seconds)


def test_a_server_that_is_down_is_unreachable() -> None:
    with key_server() as server:
        url = server.url
    assert code(HERE, url) == "jwks.unreachable"


def test_a_slow_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL_SECONDS", 0.3)
    with key_server() as server:
        server.content, server.seconds_per_byte = b"x" * 100, 0.05
        began = time.monotonic()
        assert code(HERE, server.url) == "jwks.slow"
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 302 Found\r\nlocation: /"])
def test_a_server_that_drips_its_head_is_given_up_too(begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip_head, args=(server, begin), daemon=True).start()
        began = time.monotonic()
        assert code(HERE, f"http://127.0.0.1:{server.getsockname()[1]}/") == "jwks.slow"
    assert time.monotonic() - began < 3


def test_what_was_read_before_the_cut_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        whole = b'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"keys": []}'
        threading.Thread(target=drip_head, args=(server, whole, b""), daemon=True).start()
        assert code(HERE, f"http://127.0.0.1:{server.getsockname()[1]}/") == "jwks.slow"


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with key_server() as server:
        server.content = b"secret-content" + b"x" * MAX_BYTES
        assert code(HERE, server.url) == "jwks.too_large"
        server.content = b"x" * MAX_BYTES
        assert len(HERE.fetch(server.url).content) == MAX_BYTES


@pytest.mark.parametrize("status", [204, 304, 401, 404, 500])
def test_any_status_but_200_is_a_failure(status: int) -> None:
    with key_server() as server:
        server.status, server.content = status, b""
        assert code(HERE, server.url) in ("jwks.status", "jwks.unreachable")


def test_a_compressed_answer_is_refused() -> None:
    with key_server() as server:
        server.headers = {"content-encoding": "gzip"}
        assert code(HERE, server.url) == "jwks.status"


def test_a_redirect_is_followed_where_its_server_may_be_asked() -> None:
    with key_server() as first, key_server() as second:
        first.status, first.headers = 302, {"location": second.url}
        assert HERE.fetch(first.url).content == second.content
        first.headers = {"location": first.url}
        assert code(HERE, first.url) == "jwks.status"
        assert len(first.asked) == 1 + 4


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2/",
        "http://localhost.localdomain/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_to_an_address_that_may_not_be_asked_is_refused(location: str) -> None:
    with key_server() as server:
        server.status, server.headers = 302, {"location": location}
        fetcher = Fetcher(
            HERE.networks, look_up=lambda host: [host] if host[0].isdigit() or ":" in host else ["127.0.0.2"]
        )
        assert code(fetcher, server.url) == "jwks.address"
        assert len(server.asked) == 1


def test_the_name_is_looked_up_once_and_that_address_is_asked() -> None:
    """DNS rebinding: what the name means a moment later changes nothing."""
    looked_up = []

    def rebinding(host: str) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["127.0.0.9"]

    with key_server() as server:
        url = f"http://keys.example:{server.port}/jwks.json"
        Fetcher(HERE.networks, look_up=rebinding).fetch(url)
    assert looked_up == ["keys.example"]
    assert server.asked == [(f"keys.example:{server.port}", "/jwks.json")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_certificates_are_verified_for_the_name_of_the_url(certificate: tuple[Path, Path]) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    trusting = Fetcher(HERE.networks, certificate[0], look_up=lambda host: ["127.0.0.1"])
    with key_server(tls) as server:
        assert trusting.fetch(f"https://localhost:{server.port}/").content == server.content
        assert code(trusting, f"https://other.example:{server.port}/") == "jwks.unreachable"
        assert code(HERE, server.url) == "jwks.unreachable"
    missing = Fetcher(HERE.networks, certificate[0].with_name("missing.pem"))
    assert code(missing, server.url) == "jwks.unreachable"


def test_the_environment_s_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with key_server() as server, key_server() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        HERE.fetch(server.url)
    assert proxy.asked == []
