"""One attempt of a following gateway against a control plane scripted by hand: what is taken, and what never."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hoplon.delivery.follow import Follower, pause_seconds
from hoplon.delivery.status import read_status
from hoplon.model.mode import Mode
from hoplon.storage.bundles import has_part, manifest_hash, read_generation, read_mode, write_mode
from hoplon.storage.state import StateDirectory
from hoplon.storage.token_secrets import read_token_secrets
from support.control_plane import NOTHING_NEW, TOKEN, ScriptedControlPlane, answer, manifest, offer

PARTS = [b'{"kind":"zone"}', b"x" * 300_000]
FIRST = manifest(PARTS, zone=7)


@pytest.fixture
def server() -> Iterator[ScriptedControlPlane]:
    control_plane = ScriptedControlPlane(serving(FIRST, PARTS))
    yield control_plane
    control_plane.close()


def serving(content: bytes, parts: list[bytes], **offered: object) -> Callable[[str], bytes]:
    """A control plane without faults that offers one bundle."""
    by_hash = {hashlib.sha256(part).hexdigest(): part for part in parts}

    def respond(target: str) -> bytes:
        if "/parts/" in target:
            return answer(by_hash[target.rpartition("/")[2]])
        return offer(content, **offered)  # type: ignore[arg-type]

    return respond


def error_code(state: StateDirectory) -> str | None:
    status = read_status(state)
    assert status is not None
    return status.error_code


def test_parts_arrive_then_the_manifest_and_the_mode(server: ScriptedControlPlane, tmp_path: Path) -> None:
    server.respond = serving(FIRST, PARTS, mode="log", generation=4)
    following, state = server.following(tmp_path)
    follower = Follower(following)
    assert follower.attempt() < 0.1
    assert state.current.read_bytes() == FIRST
    assert all(has_part(state, hashlib.sha256(part).hexdigest()) for part in PARTS)
    assert (read_mode(state), read_generation(state), error_code(state)) == (Mode.LOG, 4, None)
    assert "after=&" in server.targets[0] and "wait=0" in server.targets[0]
    server.respond = lambda _: NOTHING_NEW
    follower.attempt()
    assert f"after={hashlib.sha256(FIRST).hexdigest()}&mode=log&name=gw-1" in server.targets[-1]
    assert "wait=30" in server.targets[-1]
    assert f"authorization: Bearer {TOKEN}".encode() in server.upstream.heads[0]
    assert len(server.upstream.heads) == 1, "one connection carries everything"


def test_a_bundle_without_parts_that_are_new_fetches_none(server: ScriptedControlPlane, tmp_path: Path) -> None:
    following, state = server.following(tmp_path)
    follower = Follower(following)
    follower.attempt()
    second = manifest([*PARTS, b"new"], zone=8)
    server.respond = serving(second, [b"new"])
    follower.attempt()
    assert state.current.read_bytes() == second
    assert sum("/parts/" in target for target in server.targets) == 3


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda part: answer(b"y" * len(part)), "delivery.corrupt"),
        (lambda part: answer(part + b"more"), "delivery.corrupt"),
        (lambda part: answer(part[:-1]), "delivery.corrupt"),
        (lambda part: answer(part[:-9], "200 OK", b"connection: close", length=len(part)), "server.away"),
        (lambda part: None, "server.away"),
        (lambda part: answer(b"", "404 Not Found"), "server.not_hoplon"),
        (lambda part: answer(b"{}", "404 Not Found", b"hoplon-error: bundle.no_part"), "delivery.moved_on"),
        (lambda part: answer(b"", "302 Found", b"location: http://127.0.0.1:1/"), "server.failed"),
        (lambda part: answer(b'{"errors":[{"message":"full"}]}', "503 Busy"), "server.failed"),
    ],
    ids=["another", "longer", "shorter", "cut", "hung up", "gone", "moved on", "redirected", "busy"],
)
def test_a_part_that_does_not_arrive_whole_changes_nothing_until_it_does(
    server: ScriptedControlPlane, tmp_path: Path, fault: Callable[[bytes], bytes | None], code: str
) -> None:
    following, state = server.following(tmp_path)
    follower = Follower(following)
    follower.attempt()
    new = b"n" * 100_000
    second = manifest([new], zone=8)
    server.respond = lambda target: fault(new) if "/parts/" in target else offer(second)
    assert 0.25 <= follower.attempt() <= 0.5
    assert (state.current.read_bytes(), error_code(state)) == (FIRST, code)
    assert sorted(path.name for path in state.bundle_parts.iterdir()) == sorted(
        hashlib.sha256(part).hexdigest() for part in PARTS
    )
    server.respond = serving(second, [new])
    follower.attempt()
    assert (state.current.read_bytes(), error_code(state)) == (second, None)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<html>", "server.not_hoplon"),
        (b"[" * 100_000, "server.not_hoplon"),
        (b'{"result": 5}', "delivery.invalid"),
        (b'{"result": {"bundle": null, "mode": "furious", "generation": 0}}', "delivery.invalid"),
        (b'{"result": {"bundle": "00", "mode": "off", "generation": 0, "manifest": 5}}', "delivery.invalid"),
        (b'{"result": {"bundle": "00", "mode": "off", "generation": 0, "manifest": "{}"}}', "delivery.invalid"),
    ],
)
def test_an_answer_that_is_no_offer_changes_nothing(
    server: ScriptedControlPlane, tmp_path: Path, content: bytes, code: str
) -> None:
    following, state = server.following(tmp_path)
    server.respond = lambda _: answer(content)
    Follower(following).attempt()
    assert (error_code(state), state.current.exists(), read_mode(state)) == (code, False, Mode.ENFORCE)


def test_a_manifest_under_another_hash_or_beyond_the_bounds_is_refused(
    server: ScriptedControlPlane, tmp_path: Path
) -> None:
    following, state = server.following(tmp_path)
    follower = Follower(following)
    server.respond = lambda _: offer(FIRST, bundle="0" * 64)
    follower.attempt()
    assert error_code(state) == "delivery.corrupt"
    huge = b'{"parts":[{"sha256":"' + b"a" * 64 + b'","bytes":999999999999}],"zones":[]}'
    outside = b'{"parts":[{"sha256":"../../../etc/passwd","bytes":1}],"zones":[]}'
    for content in (huge, outside):
        server.respond = lambda _, content=content: offer(content)  # type: ignore[misc]
        follower.attempt()
        assert error_code(state) == "delivery.invalid"
    assert not state.current.exists()


def test_a_smaller_policy_version_is_refused_mode_and_all_unless_it_is_meant(
    server: ScriptedControlPlane, tmp_path: Path
) -> None:
    following, state = server.following(tmp_path)
    follower = Follower(following)
    follower.attempt()
    older = manifest(PARTS, zone=6)
    server.respond = serving(older, PARTS, mode="off")
    follower.attempt()
    assert (error_code(state), state.current.read_bytes()) == ("delivery.older", FIRST)
    assert read_mode(state) == Mode.ENFORCE, "whoever offers old policy is not believed about the mode either"
    Follower(following).attempt()
    assert error_code(state) == "delivery.older", "a restart is no consent"
    Follower(replace(following, accept_older=True)).attempt()
    assert (error_code(state), state.current.read_bytes(), read_mode(state)) == (None, older, Mode.OFF)


def test_after_a_restored_backup_older_versions_are_taken_and_the_forgotten_copy_is_not(
    server: ScriptedControlPlane, tmp_path: Path
) -> None:
    following, state = server.following(tmp_path)
    follower = Follower(following)
    follower.attempt()
    restored = manifest(PARTS, zone=3)
    server.respond = serving(restored, PARTS, generation=1)
    follower.attempt()
    assert (state.current.read_bytes(), read_generation(state)) == (restored, 1)
    server.respond = serving(manifest(PARTS, zone=9), PARTS, generation=0)
    follower.attempt()
    assert (error_code(state), state.current.read_bytes()) == ("delivery.older", restored)


def test_a_damaged_part_here_is_fetched_again_at_the_next_start(server: ScriptedControlPlane, tmp_path: Path) -> None:
    following, state = server.following(tmp_path)
    Follower(following).attempt()
    damaged = state.bundle_parts / hashlib.sha256(PARTS[0]).hexdigest()
    damaged.write_bytes(b"torn")
    Follower(following).attempt()
    assert "after=&" in server.targets[-2], "it asks as one who has nothing"
    assert damaged.read_bytes() == PARTS[0]


def test_what_cannot_be_read_or_written_here_stops_neither_start_nor_thread(
    server: ScriptedControlPlane, tmp_path: Path
) -> None:
    following, state = server.following(tmp_path)
    Follower(following).attempt()
    damaged = state.bundle_parts / hashlib.sha256(PARTS[0]).hexdigest()
    damaged.unlink()
    damaged.mkdir()
    follower = Follower(following)
    follower.attempt()
    assert error_code(state) == "bundle.unwritable"
    damaged.rmdir()
    follower.attempt()
    assert error_code(state) is None


def test_the_mode_set_here_gives_way_to_the_control_planes(server: ScriptedControlPlane, tmp_path: Path) -> None:
    following, state = server.following(tmp_path)
    follower = Follower(following)
    follower.attempt()
    write_mode(state, Mode.OFF)
    follower.attempt()
    assert "mode=off" in server.targets[-1]
    assert read_mode(state) == Mode.ENFORCE
    state.mode.write_text("nonsense")
    follower.attempt()
    assert "mode=&" in server.targets[-1]
    assert read_mode(state) == Mode.ENFORCE


def test_a_wrong_credential_is_said_and_a_new_one_in_the_file_is_used_at_once(
    server: ScriptedControlPlane, tmp_path: Path
) -> None:
    following, state = server.following(tmp_path)
    good = server.respond
    follower = Follower(following)
    server.respond = lambda _: answer(b"", "401 Unauthorized")
    follower.attempt()
    assert error_code(state) == "server.unauthorized"
    server.respond = good
    Path(following.credential).write_text("another")
    follower.attempt()
    assert b"authorization: Bearer another" in server.upstream.heads[-1]
    assert manifest_hash(state.current) == hashlib.sha256(FIRST).hexdigest()


def test_when_it_was_last_heard_is_remembered_across_restarts(server: ScriptedControlPlane, tmp_path: Path) -> None:
    following, state = server.following(tmp_path)
    Follower(following).attempt()
    before = read_status(state)
    server.close()
    Follower(following).attempt()
    after = read_status(state)
    assert before is not None and after is not None
    assert (after.error_code, after.heard_at) == ("server.away", before.heard_at)


def test_pauses_grow_to_ten_seconds_and_are_never_all_the_same() -> None:
    assert [pause_seconds(failures, lambda: 0.0) for failures in range(1, 8)] == [0.5, 1, 2, 4, 8, 10, 10]
    assert pause_seconds(10**6, lambda: 1.0) == 5.0


def token_bundle(*secrets: str) -> tuple[bytes, list[bytes]]:
    """A bundle whose keys name these secrets."""
    keys = [{"kty": "oct", "kid": name, "alg": "HS256", "secret": name} for name in secrets]
    part = json.dumps({"configurations": {"main": keys}}).encode()
    document = json.loads(manifest([part], zone=7))
    document["parts"][0]["kind"] = "token_keys"
    return json.dumps(document).encode(), [part]


def giving(content: bytes, parts: list[bytes], secrets: dict[str, str]) -> Callable[[str], bytes]:
    """A control plane that gives secrets too."""
    rest = serving(content, parts)
    given = json.dumps({"success": True, "result": {"secrets": secrets}}).encode()
    return lambda target: answer(given) if target.endswith("/bundles/secrets") else rest(target)


def test_secrets_are_in_place_before_the_bundle_that_names_them(server: ScriptedControlPlane, tmp_path: Path) -> None:
    first, second = token_bundle("a"), token_bundle("b")
    server.respond = giving(*first, {"a": "AAAA", "unneeded": "ZZZZ"})
    following, state = server.following(tmp_path)
    follower = Follower(following)
    follower.attempt()
    assert (state.current.read_bytes(), read_token_secrets(state)) == (first[0], {"a": "AAAA"})
    assert state.token_secrets.stat().st_mode & 0o777 == 0o600
    server.respond = giving(*second, {"b": "BBBB"})
    follower.attempt()
    assert (state.current.read_bytes(), read_token_secrets(state)) == (second[0], {"a": "AAAA", "b": "BBBB"})
    asked = [target for target in server.targets if target.endswith("/secrets")]
    server.respond = giving(*first, {})
    follower.attempt()
    assert [target for target in server.targets if target.endswith("/secrets")] == asked, "known ones are not asked for"


def test_a_bundle_whose_secrets_do_not_come_is_not_taken(server: ScriptedControlPlane, tmp_path: Path) -> None:
    server.respond = serving(FIRST, PARTS)
    following, state = server.following(tmp_path)
    follower = Follower(following)
    follower.attempt()
    server.respond = giving(*token_bundle("a"), {})
    assert follower.attempt() >= 0.25
    assert (state.current.read_bytes(), error_code(state)) == (FIRST, "delivery.no_secret")
