"""One control plane and two gateways elsewhere, each a real process with a state directory of its own."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import RunningControlPlane
from support.installation import Installation, apply, await_true, hoplon, make_certificate, policy, running, spawn
from support.jwks import hmac_signer
from support.upstream import Upstream


@pytest.fixture
def control_plane(tmp_path: Path, api: Upstream) -> Iterator[RunningControlPlane]:
    state = tmp_path / "control"
    assert apply(state, policy(api.url), "--create").returncode == 0
    found = RunningControlPlane(state)
    yield found
    found.close()


@contextmanager
def following(control_plane: RunningControlPlane, credential: Path, name: str, *more: str) -> Iterator[Installation]:
    """A gateway elsewhere."""
    options = ("--server", control_plane.url, "--credential", str(credential), *more)
    state = control_plane.state.with_name(name)
    with running(state, *options, part="gateway", HOPLON_INSTANCE=name) as gateway:
        yield gateway


@pytest.fixture
def gateways(control_plane: RunningControlPlane) -> Iterator[list[Installation]]:
    credential = control_plane.credential()
    with ExitStack() as stack:
        found = [stack.enter_context(following(control_plane, credential, f"gw-{n}")) for n in (1, 2)]
        for gateway in found:
            await_status(gateway, 200)
        yield found


def block_all(control_plane: RunningControlPlane, api: Upstream) -> None:
    changed = apply(control_plane.state, policy(api.url, fallthrough="block"))
    assert changed.returncode == 0, changed.stderr


def await_ailment(gateway: Installation, code: str, seconds: float = 30.0) -> str:
    """Until the gateway's doctor finds this; what it says."""
    found: str = await_true(lambda: gateway.doctor().get(code), f"doctor finds {code}", seconds)
    return found


def await_status(gateway: Installation, status: int, seconds: float = 15.0) -> float:
    """Until a request that falls through is answered so; how many seconds that took."""
    began = time.monotonic()
    await_true(lambda: gateway.get("/other").status == status, f"it answers {status}", seconds)
    return time.monotonic() - began


def test_policy_and_mode_reach_all_within_two_seconds(
    control_plane: RunningControlPlane, gateways: list[Installation], api: Upstream
) -> None:
    block_all(control_plane, api)
    assert max(await_status(gateway, 403) for gateway in gateways) < 2.0
    assert hoplon(control_plane.state, "mode", "off").returncode == 0
    assert max(await_status(gateway, 200) for gateway in gateways) < 2.0
    assert hoplon(control_plane.state, "mode", "enforce").returncode == 0
    assert max(await_status(gateway, 403) for gateway in gateways) < 2.0
    for gateway in gateways:
        assert not set(gateway.doctor()) - {"worker.dead"}

    def listed() -> Any:
        found = json.loads(hoplon(control_plane.state, "gateways", "--json").stdout)
        shown = {(each["name"], each["credential"], each["state"], each["mode"]) for each in found}
        return shown == {(name, "gateways", "current", "enforce") for name in ("gw-1", "gw-2")}

    await_true(listed, "both are listed as current", 40.0)


def test_secrets_of_token_keys_reach_all_and_no_bundle_has_them(
    control_plane: RunningControlPlane, gateways: list[Installation], tmp_path: Path
) -> None:
    signer = hmac_signer("shared")
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [dict(signer.jwk)]}))
    for arguments in (
        ("add", "--id", "main", "--jwks", str(jwks)),
        ("rules", "add", "Valid", 'is_jwt_valid("main")', "--action", "block"),
    ):
        done = hoplon(control_plane.state, "tokens", *arguments)
        assert done.returncode == 0, done.stderr
    good, forged = (each.token({"sub": "ann"}) for each in (signer, hmac_signer("shared", b"x" * 32)))

    for gateway in gateways:
        await_true(partial(is_blocked, gateway, forged), "the rule acts")
        assert not is_blocked(gateway, good)
        kept = [path.name for path in gateway.state.rglob("*") if path.is_file() and holds(path, signer.jwk["k"])]
        assert kept == ["token_secrets.json"]


def is_blocked(gateway: Installation, token: str) -> bool:
    return gateway.client().send("GET", "/saved/1", authorization=f"Bearer {token}").status == 403


def holds(path: Path, text: str) -> bool:
    return text.encode() in path.read_bytes()


def test_without_control_plane_they_go_on_and_converge_when_it_is_back(
    control_plane: RunningControlPlane, gateways: list[Installation], api: Upstream
) -> None:
    control_plane.kill()
    for gateway in gateways:
        assert control_plane.url in await_ailment(gateway, "server.away")
        assert gateway.get("/meanwhile").status == 200
    block_all(control_plane, api)
    assert [gateway.get("/other").status for gateway in gateways] == [200, 200]
    switched = hoplon(gateways[0].state, "mode", "off")
    assert f"note: this gateway follows {control_plane.url}" in switched.stderr
    assert gateways[0].status()["mode"] == "off"
    control_plane.start()
    for gateway in gateways:
        assert await_status(gateway, 403) < 12.0
        assert "server.away" not in gateway.doctor()


def test_a_gateway_restarted_without_control_plane_serves_its_last_good_bundle(
    control_plane: RunningControlPlane, api: Upstream
) -> None:
    credential = control_plane.credential()
    block_all(control_plane, api)
    with following(control_plane, credential, "gw-1") as gateway:
        await_status(gateway, 403)
    control_plane.kill()
    with following(control_plane, credential, "gw-1") as gateway:
        assert gateway.get("/other").status == 403
        assert gateway.get("/saved/1").status == 200
        assert gateway.stop() == 0


def test_a_wrong_credential_gets_nothing_and_a_good_one_in_the_file_helps_without_a_restart(
    control_plane: RunningControlPlane,
) -> None:
    good = control_plane.credential()
    wrong = control_plane.state.with_name("wrong.token")
    wrong.touch(mode=0o600)
    wrong.write_text("no-such-token")
    with following(control_plane, wrong, "gw-1") as gateway:
        await_ailment(gateway, "server.unauthorized")
        assert gateway.get("/other").status == 503
        wrong.write_text(good.read_text())
        await_status(gateway, 200)
        assert hoplon(control_plane.state, "token", "revoke", "gateways").returncode == 0
        hoplon(control_plane.state, "mode", "off")
        await_ailment(gateway, "server.unauthorized", 45.0)
        assert gateway.status()["mode"] == "enforce", "whoever was revoked hears no mode any more"
        assert gateway.get("/other").status == 200


def test_a_token_that_may_do_all_else_is_no_credential(control_plane: RunningControlPlane) -> None:
    made = hoplon(
        control_plane.state, "token", "create", "--name", "reader", "--permission", "API Gateway Read", "--json"
    )
    file = control_plane.state.with_name("reader.token")
    file.touch(mode=0o600)
    file.write_text(json.loads(made.stdout)["token"])
    with following(control_plane, file, "gw-1") as gateway:
        await_ailment(gateway, "server.forbidden")
        assert gateway.get("/other").status == 503


def test_a_part_corrupted_at_the_control_plane_never_arrives(
    control_plane: RunningControlPlane, gateways: list[Installation], api: Upstream
) -> None:
    before = [gateway.status()["bundle"] for gateway in gateways]
    control_plane.kill()
    block_all(control_plane, api)
    manifest = json.loads((control_plane.state / "bundles" / "current").read_text())
    rules = next(part["sha256"] for part in manifest["parts"] if part["kind"] == "rules")
    part = control_plane.state / "bundles" / "parts" / rules
    content = part.read_bytes()
    part.write_bytes(content.replace(b"block", b"allow"))
    control_plane.start()
    for gateway in gateways:
        await_ailment(gateway, "delivery.corrupt")
    assert [gateway.status()["bundle"] for gateway in gateways] == before
    assert [gateway.get("/other").status for gateway in gateways] == [200, 200]
    part.write_bytes(content)
    for gateway in gateways:
        await_status(gateway, 403)


def test_after_a_restored_backup_they_follow_back_but_not_to_a_forgotten_copy(
    control_plane: RunningControlPlane, gateways: list[Installation], api: Upstream
) -> None:
    file = control_plane.state.with_name("backup.tar")
    assert hoplon(control_plane.state, "backup", str(file)).returncode == 0
    block_all(control_plane, api)
    for gateway in gateways:
        await_status(gateway, 403)
    control_plane.kill()
    restored = hoplon(control_plane.state, "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    control_plane.start()
    for gateway in gateways:
        await_status(gateway, 200)
    control_plane.kill()
    generation = control_plane.state / "bundles" / "generation"
    generation.unlink()
    block_all(control_plane, api)
    control_plane.start()
    for gateway in gateways:
        await_ailment(gateway, "delivery.older")
        assert gateway.get("/other").status == 200


def test_gateways_that_wait_do_not_hold_up_the_end_of_the_api(
    control_plane: RunningControlPlane, gateways: list[Installation]
) -> None:
    time.sleep(1.0)
    assert control_plane.stop() < 4.0
    assert [gateway.stop() for gateway in gateways] == [0, 0]


def test_what_cannot_follow_says_why_and_starts_nothing(control_plane: RunningControlPlane, api: Upstream) -> None:
    credential = control_plane.credential()
    open_to_all = control_plane.state.with_name("open.token")
    open_to_all.write_text("token")
    open_to_all.chmod(0o644)
    plain = ("--listen", "127.0.0.1:0", "--status", "127.0.0.1:0")
    cases = {
        "chmod 600": ("--server", control_plane.url, "--credential", str(open_to_all)),
        "has no TLS": ("--server", "http://192.0.2.1:8081", "--credential", str(credential)),
        "`credential` is missing": ("--server", control_plane.url),
        "leave one of the two out": (
            *("--server", control_plane.url, "--credential", str(credential)),
            *("--upstream", api.url),
        ),
        "holds no certificate": (
            *("--server", control_plane.url, "--credential", str(credential)),
            *("--server-ca", str(credential)),
        ),
    }
    for words, options in cases.items():
        state = control_plane.state.with_name("new")
        refused = spawn(state, "gateway", *plain, *options)
        assert refused.returncode != 0
        assert words in refused.stderr and "Traceback" not in refused.stderr, (words, refused.stderr)
        assert not state.exists()
    own = ("--server", control_plane.url, "--credential", str(credential))
    refused = spawn(control_plane.state, "gateway", *plain, *own)
    assert refused.returncode == 1
    assert "has a policy of its own" in refused.stderr


def test_over_tls_only_a_certificate_of_the_named_authority_is_followed(
    tmp_path: Path, api: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path)
    other, _ = make_certificate(tmp_path, "other")
    state = tmp_path / "control"
    assert apply(state, policy(api.url), "--create").returncode == 0
    with monkeypatch.context() as environment:
        environment.setenv("HOPLON_TLS_CERTIFICATE", str(certificate))
        environment.setenv("HOPLON_TLS_KEY", str(key))
        control_plane = RunningControlPlane(state, "https")
    try:
        credential = control_plane.credential()
        with following(control_plane, credential, "gw-1", "--server-ca", str(certificate)) as gateway:
            await_status(gateway, 200)
        with following(control_plane, credential, "gw-2", "--server-ca", str(other)) as gateway:
            await_ailment(gateway, "server.certificate")
            assert gateway.get("/other").status == 503
            assert gateway.stop() == 0
    finally:
        control_plane.close()
