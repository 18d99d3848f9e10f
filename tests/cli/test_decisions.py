"""`hoplon decisions` as a user types it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hoplon._native")

from hoplon.service.policy import create_first_zone
from hoplon.service.workspace import open_workspace
from support.decided import Decided, write_decided

Hoplon = Callable[..., Any]
VIOLATION = ("operations.fallthrough", "operations.fallthrough", "block")


@pytest.fixture
def blocked(hoplon: Hoplon) -> str:
    """A state directory with one blocked request, and another from two days ago; the id of the first."""
    with open_workspace(Path("hoplon-state"), create=True) as workspace:
        zone = create_first_zone(workspace, "http://127.0.0.1:9")
        assert zone is not None and zone.bundle is not None
        columns = {"action": "block", "rule": VIOLATION[0], "status": 403, "path": "/debug", "bundle": zone.bundle[:16]}
        block = Decided(timedelta(minutes=5), columns, (VIOLATION,))
        return write_decided(workspace.state, zone.zone_id, [block, Decided(timedelta(days=2), {"action": "log"})])[0]


def test_the_last_day_is_listed_with_the_rules_names(hoplon: Hoplon, blocked: str) -> None:
    said = hoplon("decisions")
    assert said.code == 0 and len(said.out.splitlines()) == 2
    assert "requests that match no saved operation" in said.out and blocked in said.out
    assert len(hoplon("decisions", "--since", "7d").out.splitlines()) == 3


def test_machines_get_a_list(hoplon: Hoplon, blocked: str) -> None:
    (found,) = json.loads(hoplon("decisions", "--json", "--action", "block").out)
    assert (found["id"], found["policy_version"], found["violations"][0]["code"]) == (
        blocked,
        1,
        "operations.fallthrough",
    )
    assert json.loads(hoplon("decisions", "--json", "--action", "refuse").out) == []


def test_one_is_told_in_full(hoplon: Hoplon, blocked: str) -> None:
    out = hoplon("decisions", blocked).out
    assert out.startswith("GET api.example.com/debug was blocked by rule requests that match no saved operation.")
    assert "kinds and lengths only" in out and "version 1 of its policy" in out
    assert json.loads(hoplon("decisions", blocked, "--json").out)["id"] == blocked


def test_nothing_found_is_said_and_a_wrong_id_is_an_error(hoplon: Hoplon, blocked: str) -> None:
    assert hoplon("decisions", "--rule", "none").out == "Nothing but plain allow since 24h.\n"
    assert hoplon("decisions", "no-id").code == 2
    assert hoplon("decisions", "0190a0a0-0000-7000-8000-000000000000").code == 1
