"""What a command line is told when the other side is down, refuses, is no Hoplon, or is of another version."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hoplon.client.local import Local
from hoplon.client.remote import Remote
from hoplon.errors import HoplonError
from hoplon.service.token_wishes import TokenWish
from hoplon.service.workspace import open_workspace
from support.api_server import serving
from support.control_plane import ScriptedControlPlane, answer
from support.upstream import Upstream, polite


def raised(server: str, token: str | None = None) -> HoplonError:
    with pytest.raises(HoplonError) as error, Remote(server, token or "any") as remote:
        remote.zones.list()
    return error.value


@pytest.fixture
def scripted() -> Iterator[ScriptedControlPlane]:
    control_plane = ScriptedControlPlane(lambda _: None)
    yield control_plane
    control_plane.close()


def test_nobody_listens() -> None:
    closed = Upstream(polite)
    closed.close()
    error = raised(closed.url)
    assert error.code == "server.away"
    assert closed.url in error.message and error.hint == "is it running?"


def test_it_hangs_up(scripted: ScriptedControlPlane) -> None:
    assert raised(scripted.upstream.url).code == "server.away"


@pytest.mark.parametrize(
    "content",
    [
        answer(b"<html>", "200 OK", b"content-type: text/html"),
        answer(b"<html>", "404 Not Found", b"content-type: text/html"),
        answer(b"{}", "200 OK", b"content-type: application/json"),
        answer(b"[" * 100_000, "200 OK", b"content-type: application/json"),
        answer(b"moved", "302 Found", b"location: http://127.0.0.1:1/"),
        answer(b"\xff", "502 Bad Gateway"),
    ],
)
def test_it_is_no_hoplon(scripted: ScriptedControlPlane, content: bytes) -> None:
    scripted.respond = lambda _: content
    error = raised(scripted.upstream.url)
    assert error.code == "server.not_hoplon"
    assert error.hint is not None and "admin address" in error.hint


def test_it_is_of_another_version(scripted: ScriptedControlPlane) -> None:
    body = b'{"success": true, "errors": [], "messages": [], "result": [{"id": "1", "title": "no name"}]}'
    scripted.respond = lambda _: answer(body, "200 OK", b"content-type: application/json")
    assert raised(scripted.upstream.url).code == "server.other_version"


def test_an_error_without_our_code_is_told_as_it_came(scripted: ScriptedControlPlane) -> None:
    body = b'{"success": false, "errors": [{"code": 1, "message": "full"}], "messages": [], "result": null}'
    scripted.respond = lambda _: answer(body, "503 Busy", b"content-type: application/json")
    error = raised(scripted.upstream.url)
    assert (error.code, error.message) == ("server.refused", "full")


def test_the_token_goes_to_the_named_server_only(
    scripted: ScriptedControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    raised(scripted.upstream.url, "the-token")
    assert b"authorization: bearer the-token" in scripted.upstream.heads[0].lower()


@pytest.mark.parametrize("server", ["http://192.0.2.1:8081", "https://me@host", "host:8081", "https://host/path"])
def test_an_address_that_cannot_be_used_is_refused_before_anything_is_sent(server: str) -> None:
    assert raised(server).code in ("server.plain", "server.invalid")


def test_who_may_not_is_told_what_to_do(state: Path, secret: str) -> None:
    with Local(state) as local:
        _, reader = local.tokens.create(TokenWish("reader", permissions=("Hoplon Gateway",)))
    with open_workspace(state) as workspace, serving(workspace, authorise=None) as client:
        server = f"http://127.0.0.1:{client.port}"
        unknown, forbidden = raised(server, "x" * 40), raised(server, reader)
        with Remote(server, secret) as remote:
            assert [zone.name for zone in remote.zones.list()] == ["default"]
            with pytest.raises(HoplonError) as error:
                remote.policy.export(version=99)
    assert (unknown.code, forbidden.code) == ("auth.invalid", "auth.forbidden")
    assert all(error.hint is not None and "hoplon token create" in error.hint for error in (unknown, forbidden))
    assert (error.value.code, error.value.message, error.value.hint) == (
        "policy.version_unknown",
        "zone default has no version 99",
        "it has 1 to 1: `hoplon policy history`",
    )
