"""What cannot start says why in one error with its exit code, and disturbs nobody who runs."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.installation import Installation, await_true, hoplon, make_certificate, running, spawn
from support.upstream import Upstream

EPHEMERAL = ("--listen", "127.0.0.1:0", "--status", "127.0.0.1:0", "--admin", "127.0.0.1:0")


@pytest.mark.parametrize(
    "command",
    [("up", *EPHEMERAL), ("gateway", *EPHEMERAL), ("worker",)],
    ids=["up", "gateway", "worker"],
)
def test_a_part_that_runs_already_is_exit_code_4(shared_up: Installation, command: Sequence[str]) -> None:
    second = spawn(shared_up.state, *command)
    assert second.returncode == 4, second.stderr
    error, hint = second.stderr.splitlines()
    assert error.startswith("error: ") and f"already running in {shared_up.state} (pid " in error
    assert hint.startswith("hint: stop it first: kill ")
    assert shared_up.get("/undisturbed").status == 200


def test_a_worker_beside_a_gateway_alone_is_fine_but_a_second_is_not(tmp_path: Path, api: Upstream) -> None:
    with running(tmp_path / "state", "--upstream", api.url, part="gateway") as gateway:
        assert spawn(gateway.state, "gateway", *EPHEMERAL).returncode == 4
        command = [sys.executable, "-m", "hoplon", "worker", "--state", str(gateway.state)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as worker:
            await_true(lambda: gateway.worker_status().get("pid") == worker.pid, "the worker works")
            assert spawn(gateway.state, "worker").returncode == 4
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(15) == 0


def test_a_port_in_use_names_it_and_makes_nothing(shared_up: Installation, tmp_path: Path) -> None:
    address = f"127.0.0.1:{shared_up.port}"
    failed = spawn(tmp_path / "new", "gateway", "--upstream", "http://127.0.0.1:1", "--listen", address)
    assert failed.returncode == 4
    assert failed.stderr.startswith(f"error: {address} is already in use")
    assert not (tmp_path / "new").exists()


def broken_certificates(directory: Path) -> dict[str, tuple[Path, Path]]:
    """Pairs of which none can be used."""
    (certificate, key), (_, other_key) = (make_certificate(directory, name) for name in ("a", "b"))
    (directory / "empty.pem").touch()
    (directory / "half.key").write_bytes(key.read_bytes()[:60])
    return {
        "missing": (directory / "missing.pem", key),
        "a directory": (directory, key),
        "empty": (directory / "empty.pem", key),
        "half a key": (certificate, directory / "half.key"),
        "of another certificate": (certificate, other_key),
    }


def test_an_unusable_certificate_or_key_is_named_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (certificate, key) in broken_certificates(tmp_path).items():
        monkeypatch.setenv("HOPLON_TLS_CERTIFICATE", str(certificate))
        monkeypatch.setenv("HOPLON_TLS_KEY", str(key))
        flags = ("--upstream", "http://127.0.0.1:1", "--listen", "https://127.0.0.1:0", "--status", "127.0.0.1:0")
        failed = spawn(tmp_path / "new", "up", *flags)
        assert failed.returncode == 1, (name, failed)
        first = failed.stderr.splitlines()[0]
        assert first.startswith("error: ") and (str(certificate) in first or str(key) in first), (name, first)
        assert "Traceback" not in failed.stderr
    assert not (tmp_path / "new").exists()


def test_a_database_of_a_newer_version_stops_up_and_policy_but_never_traffic(tmp_path: Path, api: Upstream) -> None:
    state = tmp_path / "state"
    with running(state, "--upstream", api.url) as up:
        assert up.get("/first").status == 200
        connection = sqlite3.connect(state / "hoplon.db")
        with connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        before = (state / "hoplon.db").read_bytes()
        assert up.get("/still").status == 200
        assert "newer" in up.doctor()["database.newer"]
        assert hoplon(state, "policy", "export").returncode == 1
        assert hoplon(state, "mode", "log").returncode == 0
    refused = spawn(state, "up", *EPHEMERAL)
    assert refused.returncode == 1
    assert "newer" in refused.stderr and "hint: " in refused.stderr
    with running(state, part="gateway") as gateway:
        assert gateway.get("/alone").status == 200
        assert "the gateway serves the bundle that is in place" in gateway.said()
    assert (state / "hoplon.db").read_bytes() == before
