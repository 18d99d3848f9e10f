"""A full disk: traffic goes on, it is said everywhere, and all is well again as soon as there is room."""

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import Installation, apply, await_true, policy, rows, running
from support.upstream import Upstream

ALERT = "records_write_failing"
DISK_BYTES = 3 * 1024**2


def stored(up: Installation, ids: list[str]) -> dict[str, int]:
    """How often each of these ids is in the records."""
    found = {row["id"]: row["n"] for row in rows(up.state, "SELECT id, count(*)::INT AS n FROM records GROUP BY id")}
    return {wanted: found.get(wanted, 0) for wanted in ids}


def test_no_room_for_records_is_an_alert_and_nothing_more(own_up: Installation) -> None:
    """No file of the gateway may grow beyond 1,500 bytes: enough for its status, too little for a segment's head."""
    client = own_up.client()
    before = [client.get("/before").id for _ in range(20)]
    own_up.record(before[-1])
    pid = own_up.status()["pid"]
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
    during = [client.get("/during") for _ in range(300)]
    assert {answer.status for answer in during} == {200}
    await_true(lambda: own_up.metric("hoplon_alert", alert=ALERT) == 1, "the alert metric", 5.0)
    assert {client.get("/during").status for _ in range(300)} == {200}
    await_true(lambda: ALERT in own_up.status()["alerts"], "the status says so", 5.0)
    sentence = own_up.status()["alerts"][ALERT]
    assert str(own_up.state / "records") in sentence and "traffic goes on" in sentence
    assert own_up.readiness()["ready"] is True
    assert "traffic goes on" in own_up.doctor()[f"gateway.{ALERT}"]

    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    await_true(lambda: own_up.metric("hoplon_alert", alert=ALERT) == 0, "the alert is taken back", 10.0)
    after = client.get("/after").id
    assert own_up.record(after)["path"] == "/after"
    assert set(stored(own_up, [*before, *(answer.id for answer in during), after]).values()) == {1}
    assert own_up.metric("hoplon_records_dropped_total", reason="io") == 0
    assert own_up.status()["pid"] == pid
    assert f"gateway.{ALERT}" not in own_up.doctor()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB, of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "hoplon-test", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command: the full disk is only played with a limit on file sizes")
    if mounted.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here ({mounted.stderr.strip()}): only played with a limit")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves no byte."""
    ballast = disk / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(descriptor, bytes(4096)):
            pass
    except OSError:
        return ballast
    finally:
        os.close(descriptor)
    raise AssertionError("the disk was never full")


def test_a_disk_without_a_byte_left_stops_no_request(small_disk: Path, tmp_path: Path, api: Upstream) -> None:
    """The whole state directory is on it: records, status files, logs, database and bundles."""
    with running(small_disk / "state", "--upstream", api.url) as up:
        client = up.client()
        before = client.get("/before").id
        up.record(before)
        worker = await_true(up.worker_status, "the worker works")["pid"]
        ballast = fill(small_disk)
        bundle = up.status()["bundle"]
        deadline = time.monotonic() + 3
        during = []
        while time.monotonic() < deadline or up.metric("hoplon_alert", alert=ALERT) == 0:
            answer = client.get("/during")
            assert answer.status == 200
            during.append(answer.id)
            time.sleep(0.005)
            assert time.monotonic() < deadline + 10, "no alert"
        assert up.metric("hoplon_alert", alert="status_file_failing") == 1
        await_true(lambda: {"disk.low", "gateway.silent"} <= up.doctor().keys(), "doctor says both", 8.0)
        refused = apply(up.state, policy(api.url, fallthrough="block"))
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr, refused.stderr
        assert client.get("/other").status == 200

        ballast.unlink()
        await_true(lambda: up.readiness()["alerts"] == {}, "the alerts are taken back", 15.0)
        after = client.get("/after").id
        up.record(after)
        counts = stored(up, [before, *during, after])
        assert set(counts.values()) == {1}
        assert up.status()["bundle"] == bundle
        assert apply(up.state, policy(api.url, fallthrough="block")).returncode == 0
        assert client.get("/other").status == 403
        assert up.worker_status()["pid"] == worker
