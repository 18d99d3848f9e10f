"""How a zone is served, from the policy document to the socket."""

import contextlib
import socket
import socketserver
import threading
from pathlib import Path

from support.installation import Installation, apply, await_true, hoplon, policy, running
from support.upstream import Upstream, polite

MAINTENANCE = '[zone.maintenance]\nenabled = true\nretry_after_seconds = 120\nmessage = "Back at noon."\n'


def test_maintenance_begins_and_ends_with_the_policy_and_acts_in_every_mode(
    own_up: Installation, api: Upstream
) -> None:
    assert apply(own_up.state, policy(api.url) + MAINTENANCE).returncode == 0
    for mode in ("enforce", "off"):
        assert hoplon(own_up.state, "mode", mode).returncode == 0
        answer = own_up.get("/saved/1")
        assert (answer.status, answer.headers["retry-after"]) == (503, "120")
        assert (answer.problem["type"], answer.problem["detail"]) == ("urn:hoplon:maintenance", "Back at noon.")
    assert own_up.record(answer.id)["error"] == "maintenance"
    assert own_up.metric("hoplon_zones_in_maintenance") == 1
    assert apply(own_up.state, policy(api.url)).returncode == 0
    assert own_up.get("/saved/1").status == 200


def test_an_upstream_that_drains_gets_nothing_new(own_up: Installation, api: Upstream) -> None:
    other = Upstream(polite)
    text = policy(api.url, other.url).replace(f'"{api.url}" }}', f'"{api.url}", drain = true }}')
    assert apply(own_up.state, text).returncode == 0
    before = len(api.heads)
    assert all(own_up.get("/").status == 200 for _ in range(6))
    assert (len(api.heads), len(other.heads) > 0) == (before, True)
    only = apply(own_up.state, policy(api.url).replace(f'"{api.url}" }}', f'"{api.url}", drain = true }}'))
    assert (only.returncode, "zone.upstreams: every" in only.stderr) == (1, True)
    other.close()


def test_what_fails_its_health_checks_is_left_out(own_up: Installation, api: Upstream) -> None:
    ill = Upstream(lambda connection, head: connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    health = '[zone.health]\npath = "/healthz"\ninterval_seconds = 0.2\n'
    assert apply(own_up.state, policy(api.url, ill.url) + health).returncode == 0
    await_true(lambda: own_up.status()["failing_upstreams"] == [ill.url], "its failure in the status file")
    assert all(own_up.get("/").status == 200 for _ in range(6))
    assert own_up.metric("hoplon_upstreams_failing") == 1
    ill.close()


class _Local(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlocal")


def test_an_upstream_on_a_unix_socket(own_up: Installation, tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), _Local) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert apply(own_up.state, policy(f"unix:{path}")).returncode == 0
        assert own_up.get("/").body == b"local"
        assert "upstream.unreachable" not in own_up.doctor()
        server.shutdown()
    path.unlink()
    assert own_up.get("/").status == 502
    assert "No such file" in own_up.doctor()["upstream.unreachable"]


def test_behind_a_proxy_that_speaks_the_proxy_protocol(tmp_path: Path, api: Upstream) -> None:
    trust = {"HOPLON_PROXY_PROTOCOL": "true", "HOPLON_TRUSTED_PROXIES": "127.0.0.1"}
    with running(tmp_path / "state", "--upstream", api.url, **trust) as up:
        with socket.create_connection(("127.0.0.1", up.port), timeout=10) as client:
            client.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"x-forwarded-for: 192.0.2.7\r\n" in api.heads[-1].lower()
        with socket.create_connection(("127.0.0.1", up.port), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):  # what was not read resets the connection
                assert client.recv(4096) == b""
        assert up.metric("hoplon_connection_errors_total", error="proxy_header") == 1
