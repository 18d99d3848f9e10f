"""`hoplon api` as a process of its own, and beside the gateway in `hoplon up`."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.api_server import Client
from support.installation import Installation, await_true, make_certificate, spawn
from support.installation import running as installation
from support.upstream import Upstream

PAGES = "/client/v4/zones"


@contextmanager
def running(state: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "hoplon", "api", "--state", str(state), "--admin", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        await_true(lambda: _status(state).get("pid") == process.pid, "the API serves")
        yield process
        process.kill()


def _status(state: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads((state / "run" / "api.status.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def client_of(state: Path, token: str | None = None) -> Client:
    host, _, port = str(_status(state)["address"]).rpartition(":")
    return Client(host, int(port), token)


def test_alone_it_makes_its_installation_serves_and_stops_when_asked(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as process:
        client = client_of(state)
        assert client.get("/readyz").json == {"ready": True, "policy": None}
        assert client.get(PAGES).status == 401
        assert "hoplon_api_requests_total" in client.get("/metrics").content.decode()
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["message"] for line in lines] == ["serving", "request", "request", "request", "stopped"]
    assert lines[2]["path"] == PAGES


def test_no_token_reaches_the_log(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as process:
        client_of(state, "a-very-secret-token").get(f"{PAGES}?api_token=another-secret")
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=30)
    assert "secret" not in said + complained


def test_a_second_one_is_told_who_is_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as process:
        second = spawn(state, "api", "--admin", "127.0.0.1:0")
    assert second.returncode == 4
    assert f"an API is already running in {state} (pid {process.pid})" in second.stderr


def test_listening_to_the_world_in_the_clear_is_said(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state, "--admin", "0.0.0.0:0") as process:
        process.send_signal(signal.SIGTERM)
        _, complained = process.communicate(timeout=30)
    assert "without TLS" in complained


def test_over_tls_it_is_silent_about_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = make_certificate(tmp_path)
    monkeypatch.setenv("HOPLON_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("HOPLON_TLS_KEY", str(key))
    state = tmp_path / "state"
    with running(state, "--admin", "https://0.0.0.0:0") as process:
        port = str(_status(state)["address"]).rpartition(":")[2]
        command = ["curl", "-sS", "--cacert", str(certificate), f"https://localhost:{port}/readyz"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        process.send_signal(signal.SIGTERM)
        _, complained = process.communicate(timeout=30)
    assert json.loads(asked.stdout)["ready"]
    assert complained == ""


def greet(connection: socket.socket, _head: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Installation]:
    upstream = Upstream(greet)
    with installation(tmp_path / "state", "--upstream", upstream.url) as up:
        await_true(lambda: _status(up.state), "the API serves")
        yield up
    upstream.close()


def test_its_death_does_not_touch_the_gateway_and_it_comes_back(up: Installation) -> None:
    pid = _status(up.state)["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    assert up.get("/meanwhile").status == 200
    await_true(lambda: _status(up.state)["pid"] != pid, "it is back")
    assert client_of(up.state).get("/readyz").status == 200


def test_the_first_screen_says_where_it_is(up: Installation) -> None:
    assert f"http://{_status(up.state)['address']}/client/v4" in up.said()
