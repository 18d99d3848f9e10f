"""`hoplon up` whole: real processes, real sockets. What a user does in the first minutes, and what then goes wrong."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hoplon._native")

POLICY = """format = 1
[[zone.upstreams]]
url = "{upstream}"
[operations]
fallthrough = "block"
saved = [{{ method = "GET", path = "/users/{{id}}" }}]
"""


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: Any) -> None:
        """Be quiet."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def hoplon(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hoplon", *arguments, "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Up:
    """A running `hoplon up` on free ports."""

    def __init__(self, directory: Path, upstream: str) -> None:
        self.state = directory / "state"
        flags = [
            "--upstream",
            upstream,
            "--listen",
            "127.0.0.1:0",
            "--status",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--state",
            str(self.state),
        ]
        self.output = directory / "up.out"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hoplon", "up", *flags], stdout=output, stderr=output, cwd=directory
            )
        await_true(lambda: "Ctrl-C stops." in self.output.read_text())
        self.port = int(self.status()["listen"][0].rpartition(":")[2])

    def status(self) -> Any:
        return json.loads((self.state / "run" / "gateway.status.json").read_text())

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def await_true(condition: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture
def up(tmp_path: Path, upstream: str) -> Iterator[Up]:
    running = Up(tmp_path, upstream)
    yield running
    if running.process.poll() is None:
        running.stop()


def test_the_first_screen_says_what_there_is_to_know(up: Up, upstream: str) -> None:
    screen = up.output.read_text()
    assert screen.startswith("Hoplon is up. Mode enforce: rules act as the policy says.\n")
    assert f"http://127.0.0.1:{up.port}" in screen
    assert f"zone default  any host → {upstream} (0 saved operations, fallthrough log)" in screen
    assert "Refused in any mode" in screen
    assert "path    " in screen and "backslash" in screen
    assert up.get("/anything") == 200
    assert up.stop() == 0


def test_a_policy_acts_on_the_next_request(up: Up, upstream: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    for action, expected in [("block", 403), ("log", 200), ("block", 403), ("none", 200)]:
        policy.write_text(POLICY.format(upstream=upstream).replace("block", action))
        applied = hoplon(up.state, "policy", "apply", "--yes", str(policy))
        assert (applied.returncode, "The gateway acts on it" in applied.stdout) == (0, True), applied
        assert (up.get("/users/7"), up.get("/other")) == (200, expected)


def test_a_broken_policy_leaves_the_last_good_one(up: Up, upstream: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.format(upstream=upstream))
    hoplon(up.state, "policy", "apply", "--yes", str(policy))
    policy.write_text(POLICY.format(upstream=upstream).replace("/users", "users"))
    applied = hoplon(up.state, "policy", "apply", "--yes", str(policy))
    assert applied.returncode == 1
    assert "does not begin with `/`" in applied.stderr
    assert up.get("/other") == 403
    (up.state / "bundles" / "current").write_bytes(b"{}")
    await_true(lambda: up.status()["bundle_refused"] is not None)
    assert up.get("/other") == 403
    await_true(lambda: up.status()["bundle_refused"] is None)  # the API puts the committed bundle back by itself
    assert up.get("/other") == 403
    assert hoplon(up.state, "policy", "apply", "--yes", str(policy.with_name("good.toml"))).returncode == 2
    policy.write_text(POLICY.format(upstream=upstream))
    assert hoplon(up.state, "policy", "apply", "--yes", str(policy)).returncode == 0
    assert json.loads(hoplon(up.state, "doctor", "--json").stdout)["ok"]


def test_the_mode_acts_within_a_second_or_so(up: Up, upstream: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.format(upstream=upstream))
    hoplon(up.state, "policy", "apply", "--yes", str(policy))
    for mode, expected in [("log", 200), ("enforce", 403), ("off", 200)]:
        said = json.loads(hoplon(up.state, "mode", mode, "--json").stdout)
        assert (said["gateway"], up.get("/other")) == ("taken", expected)
        assert said["seconds"] < 2.5


def test_a_killed_gateway_comes_back_on_the_same_port(up: Up) -> None:
    pid = up.status()["pid"]
    os.kill(pid, signal.SIGKILL)
    assert up.get("/after") == 200
    assert up.status()["pid"] != pid
    assert "The gateway has died (SIGKILL)" in up.output.read_text()


def test_a_killed_worker_disturbs_nobody_and_comes_back(up: Up) -> None:
    status = up.state / "run" / "worker.status.json"
    await_true(status.exists)
    pid = json.loads(status.read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    assert up.get("/meanwhile") == 200
    await_true(lambda: json.loads(status.read_text())["pid"] != pid)


def test_a_second_up_is_told_who_is_there(up: Up, upstream: str) -> None:
    second = hoplon(up.state, "up", "--upstream", upstream, "--listen", "127.0.0.1:0", "--status", "127.0.0.1:0")
    assert second.returncode == 4
    assert second.stderr.startswith(
        f"error: `hoplon up` is already running in {up.state} (pid {up.process.pid})\nhint: "
    )


def test_a_port_in_use_is_one_error_and_nothing_is_made(tmp_path: Path, upstream: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        failed = hoplon(tmp_path / "state", "up", "--upstream", upstream, "--listen", address)
    assert failed.returncode == 4
    assert failed.stderr.startswith(f"error: {address} is already in use\nhint: ")
    assert not (tmp_path / "state").exists()


def test_stopping_leaves_nobody_and_a_second_start_goes_on(up: Up, upstream: str, tmp_path: Path) -> None:
    assert up.get("/before") == 200
    pids = [up.status()["pid"]]
    assert up.stop() == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    again = Up(tmp_path, "http://127.0.0.1:1")
    try:
        assert "--upstream http://127.0.0.1:1 is ignored" in again.output.read_text()
        assert again.get("/after") == 200
    finally:
        assert again.stop() == 0


def test_a_gateway_alone_serves_what_is_in_place(up: Up) -> None:
    up.stop()
    (up.state / "hoplon.db").write_bytes(b"no database any more")
    flags = ["--listen", "127.0.0.1:0", "--status", "127.0.0.1:0", "--state", str(up.state)]
    with subprocess.Popen(
        [sys.executable, "-m", "hoplon", "gateway", *flags], stderr=subprocess.PIPE, text=True
    ) as gateway:
        await_true(lambda: up.status()["pid"] == gateway.pid and up.status()["phase"] == "serving")
        up.port = int(up.status()["listen"][0].rpartition(":")[2])
        assert up.get("/alone") == 200
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(30) == 0
        assert gateway.stderr is not None
        assert "the gateway serves the bundle that is in place" in gateway.stderr.read()
