"""The bundle in force: taken while requests run, refused when it does not load, none at all, the mode beside it."""

import json
import os
import time
from pathlib import Path

import pytest

pytest.importorskip("hoplon._native")

from hoplon.asgi import Shield, loaded
from support.asgi import BASE, BLOCKING, Echo, ask, put_in_place


def test_a_new_policy_is_taken_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded, "WATCH_SECONDS", 0.02)
    shield = Shield(Echo(), bundles=put_in_place(tmp_path / "state", BASE))
    assert ask(shield, "/debug").status == 200
    first = shield.bundle
    put_in_place(tmp_path / "state", BLOCKING)
    deadline = time.monotonic() + 10
    while shield.bundle == first and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ask(shield, "/debug").status == 403
    assert shield.counts.bundles_loaded == 2
    shield.close()


def test_a_bundle_that_does_not_load_leaves_the_one_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundles = put_in_place(tmp_path / "state", BLOCKING)
    shield = Shield(Echo(), bundles=bundles)
    (bundles / "current").write_text('{"format": 9}')
    shield.refresh()
    shield.refresh()
    assert (shield.counts.bundles_refused, shield.counts.bundles_loaded) == (1, 1)
    assert "is refused" in caplog.text
    assert ask(shield, "/debug").status == 403


def test_without_a_bundle_nothing_passes(tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    shield = Shield(Echo(), bundles=tmp_path / "bundles")
    answered = ask(shield)
    assert (answered.status, json.loads(answered.body)["type"]) == (503, "urn:hoplon:no_bundle")


def test_the_switch_beside_the_bundle_counts_unless_a_mode_is_given(tmp_path: Path) -> None:
    bundles = put_in_place(tmp_path / "state", BLOCKING)
    (bundles / "mode").write_text("log\n")
    shield = Shield(Echo(), bundles=bundles)
    assert ask(shield, "/debug").status == 200
    assert ask(Shield(Echo(), bundles=bundles, mode="enforce"), "/debug").status == 403
    (bundles / "mode").write_text("nonsense\n")
    shield.refresh()
    assert ask(shield, "/debug").status == 200, "what cannot be read changes nothing"
    (bundles / "mode").unlink()
    shield.refresh()
    assert ask(shield, "/debug").status == 403


def test_hashes_are_those_of_the_installation_or_of_this_process_alone(tmp_path: Path) -> None:
    bundles = put_in_place(tmp_path / "state", BLOCKING)
    sessions: list[object] = []
    for key in (None, (tmp_path / "state" / "keys" / "records.key").read_bytes(), os.urandom(32)):
        shield = Shield(
            Echo(), bundles=bundles, key=key, on_end=lambda ended: sessions.append(ended["record"]["session"])
        )
        ask(shield)
    assert sessions[0] == sessions[1] != sessions[2]
    (tmp_path / "state" / "keys" / "records.key").unlink()
    for _ in range(2):
        ask(Shield(Echo(), bundles=bundles, on_end=lambda ended: sessions.append(ended["record"]["session"])))
    assert len(set(sessions[2:])) == 3, "without the key nobody can tell which session a hash is"
