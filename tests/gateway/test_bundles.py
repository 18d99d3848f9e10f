"""Policy and bundles: what is applied acts on the next request, what is broken changes nothing and is named."""

import threading
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from gateway.conftest import Zone
from hoplon.service.gateway import await_bundle
from hoplon.service.policy import apply_policy
from hoplon.service.workspace import open_workspace
from support.installation import Installation, apply, await_true, hoplon, policy, running
from support.upstream import Upstream, polite


def test_fifty_policies_under_load_act_on_the_next_request_and_fail_none(zone: Callable[..., Zone]) -> None:
    busy = zone(polite)
    url, state = busy.upstreams[0].url, busy.up.state
    done = threading.Event()
    statuses: list[int | str] = []

    def load() -> None:
        client = busy.client()
        while not done.is_set():
            try:
                statuses.append(client.get("/saved/7").status)
            except (OSError, HTTPException) as error:
                statuses.append(repr(error))

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    probe = busy.client()
    try:
        for number in range(50):
            action, expected = (("block", 403), ("log", 200))[number % 2]
            with open_workspace(state) as workspace:
                text = policy(url, name=busy.name, host=busy.host, fallthrough=action)
                applied = apply_policy(workspace, text)
                assert await_bundle(workspace.state, applied.bundle).outcome == "taken"
            assert probe.get("/other").status == expected, number
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert len(statuses) > 300


def test_the_command_returns_once_the_policy_acts_on_old_connections_too(zone: Callable[..., Zone]) -> None:
    here = zone(polite)
    client = here.client()
    assert client.get("/other").status == 200
    text = policy(here.upstreams[0].url, name=here.name, host=here.host, fallthrough="block")
    assert apply(here.up.state, text).returncode == 0
    blocked = client.get("/other")
    assert (blocked.status, blocked.problem["type"]) == (403, "urn:hoplon:blocked")
    record = here.up.record(blocked.id)
    assert (record["action"], record["upstream_status"], record["violation_count"]) == ("block", None, 1)


def test_a_broken_policy_changes_nothing_and_every_error_is_listed(shared_up: Installation) -> None:
    before = shared_up.status()["bundle"], (shared_up.state / "bundles" / "current").read_bytes()
    broken = policy("ftp://127.0.0.1", fallthrough="explode").replace("connect_seconds = 1.0", "connect_second = 1.0")
    failed = apply(shared_up.state, broken, "--zone", "default")
    assert failed.returncode == 1
    for place in ("operations.fallthrough", "connect_second", "line "):
        assert place in failed.stderr, failed.stderr
    semantic = policy("ftp://127.0.0.1").replace('"/saved/{id}"', '"saved"').replace("hosts = []", 'hosts = ["*"]')
    failed = apply(shared_up.state, semantic, "--zone", "default")
    assert failed.returncode == 1
    for place in ("zone.upstreams[0].url", "zone.hosts", "does not begin with `/`"):
        assert place in failed.stderr, failed.stderr
    assert (shared_up.status()["bundle"], (shared_up.state / "bundles" / "current").read_bytes()) == before


def break_parts(bundles: Path) -> list[str]:
    """Change a byte in every part; their names."""
    for part in (bundles / "parts").iterdir():
        part.write_bytes(part.read_bytes()[:-2] + b"!}")
    return [part.name for part in (bundles / "parts").iterdir()]


def test_a_broken_bundle_on_disk_leaves_the_last_good_one_and_says_why(own_up: Installation, api: Upstream) -> None:
    bundles = own_up.state / "bundles"
    assert apply(own_up.state, policy(api.url, fallthrough="block")).returncode == 0
    serving = own_up.status()["bundle"]
    manifest = (bundles / "current").read_bytes()

    (bundles / "current").write_bytes(b'{"format": 1, "zones"')
    await_true(lambda: own_up.status()["bundle_errors"], "the status says why", 3.0)
    assert own_up.get("/other").status == 403 and own_up.get("/saved/1").status == 200
    assert (own_up.status()["bundle"], own_up.status()["bundle_refused"] is not None) == (serving, True)
    assert own_up.metric("hoplon_alert", alert="bundle_refused") == 1
    reason = own_up.status()["bundle_errors"][0]["message"]
    assert reason in own_up.doctor()["bundle.refused"]

    (bundles / "current").unlink()
    await_true(lambda: own_up.status()["bundle_errors"][0]["path"] == "current", "a missing file is named", 3.0)
    assert own_up.get("/other").status == 403

    (bundles / "current").write_bytes(manifest)
    await_true(lambda: not own_up.status()["bundle_errors"], "all is well again", 3.0)
    assert own_up.metric("hoplon_alert", alert="bundle_refused") == 0
    assert "bundle.refused" not in own_up.doctor()


def test_at_a_restart_the_last_good_one_serves_and_without_any_nothing_passes(tmp_path: Path, api: Upstream) -> None:
    state = tmp_path / "state"
    with running(state, "--upstream", api.url, part="gateway") as gateway:
        assert apply(state, policy(api.url, fallthrough="block")).returncode == 0
        good = gateway.status()["bundle"]
    (state / "hoplon.db").write_bytes(b"gone too, or `hoplon gateway` would put the committed bundle back")

    (state / "bundles" / "current").write_bytes(b"{}")
    with running(state, part="gateway") as gateway:
        status = gateway.status()
        assert (status["bundle"], status["serving"]) == (good, "last_good")
        assert status["bundle_errors"] and status["alerts"]["bundle_refused"]
        assert (gateway.get("/other").status, gateway.get("/saved/1").status) == (403, 200)

    parts = break_parts(state / "bundles")
    asked = len(api.heads)
    with running(state, part="gateway") as gateway:
        status = gateway.status()
        assert (status["bundle"], status["serving"]) == (None, "none")
        reasons = str(status["bundle_errors"])
        assert "last_good: " in reasons and any(part in reasons for part in parts), reasons
        answer = gateway.get("/saved/1")
        assert (answer.status, answer.problem["type"]) == (503, "urn:hoplon:no_bundle")
        assert gateway.readiness()["ready"] is False
        assert "503" in gateway.readiness()["reasons"][0]
        assert "bundle.none" in gateway.doctor()
        for mode in ("log", "off"):
            assert hoplon(state, "mode", mode).returncode == 0
            assert gateway.get("/saved/1").status == 503
    assert len(api.heads) == asked


def test_a_start_puts_a_lost_bundle_back(tmp_path: Path, api: Upstream) -> None:
    state = tmp_path / "state"
    with running(state, "--upstream", api.url, part="gateway") as gateway:
        good = gateway.status()["bundle"]
    (state / "bundles" / "current").write_bytes(b"{}")
    with running(state, part="gateway") as gateway:
        assert (gateway.status()["bundle"], gateway.status()["serving"]) == (good, "current")
        assert gateway.get("/saved/1").status == 200
