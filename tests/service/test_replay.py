"""Replays: a new policy over stored requests, beside the policy of now; nothing is committed, nothing is guessed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hoplon._native")

from hoplon.errors import HoplonError
from hoplon.service import replay
from hoplon.service.isolated_replay import IsolatedReplay, replay_apart
from hoplon.service.policy import apply_policy, export_policy
from hoplon.service.replay import ReplayBounds, prepare_replay, run_replay
from hoplon.service.workspace import Workspace, open_workspace
from support.decided import Decided, write_decided
from support.saved_zone import POLICY

MINUTE = timedelta(minutes=1)
HOST = "api.example.com"
BLOCKING = POLICY.replace("operations.saved", 'operations.fallthrough = "block"\noperations.saved')
SAVED = {"path": "/users/1", "operation_path": "/users/{var1}", "host": HOST}
UNSAVED = {"path": "/debug", "host": HOST, "session": "00000000000000cc"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "state", create=True) as opened:
        yield opened


@pytest.fixture
def zone_id(workspace: Workspace) -> str:
    return apply_policy(workspace, POLICY, create=True).zone_id


def replayed(workspace: Workspace, text: str = BLOCKING, **more: Any) -> Any:
    since = datetime.now(UTC) - timedelta(hours=24)
    return run_replay(workspace.state, prepare_replay(workspace, text), since, None, **more)


def test_what_would_be_blocked_is_counted_by_rule_with_examples(workspace: Workspace, zone_id: str) -> None:
    requests = [Decided(n * MINUTE, SAVED) for n in range(1, 8)] + [Decided(n * MINUTE, UNSAVED) for n in (2, 3)]
    ids = write_decided(workspace.state, zone_id, requests)
    write_decided(workspace.state, zone_id, [Decided(timedelta(days=2), UNSAVED)])
    write_decided(workspace.state, "f" * 32, [Decided(MINUTE, UNSAVED)])
    report = replayed(workspace)
    assert (report.stored, report.records, report.zone_name) == (9, 9, "default")
    assert (report.would.block, report.would.allow, report.present.block, report.present.log) == (2, 7, 0, 2)
    assert (report.sessions.all, report.sessions.block, report.newly_blocked) == (2, 1, 2)
    (rule,) = [rule for rule in report.rules if rule.rule == "operations.fallthrough"]
    assert (rule.rule_name, rule.matched, rule.present, rule.action) == (
        "requests that match no saved operation",
        2,
        2,
        "block",
    )
    assert set(rule.examples) == set(report.examples["block"]) == set(ids[7:])
    assert report.since is not None and report.until is not None and report.since < report.until
    assert 'fallthrough = "log"' in export_policy(workspace), "nothing was committed"


def test_only_the_newest_are_replayed_where_there_are_more_than_the_bound(workspace: Workspace, zone_id: str) -> None:
    write_decided(workspace.state, zone_id, [Decided(n * MINUTE, SAVED) for n in range(100)])
    report = replayed(workspace, bounds=ReplayBounds(max_records=10))
    assert (report.stored, report.records) == (100, 10)
    assert report.until is not None and report.until - report.since <= 11 * MINUTE


def test_a_replay_that_takes_too_long_is_ended_and_says_how_far_it_came(
    workspace: Workspace, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "CHUNK_ROWS", 5)
    write_decided(workspace.state, zone_id, [Decided(n * MINUTE, SAVED) for n in range(10)])
    seen: list[tuple[int, int]] = []
    with pytest.raises(HoplonError) as error:
        replayed(workspace, bounds=ReplayBounds(seconds=-1.0), on_progress=lambda *at: seen.append(at))
    assert error.value.code == "replay.limit" and "--since" in (error.value.hint or "")
    assert seen == [(5, 10)]


def test_what_records_do_not_hold_is_counted_and_not_guessed(workspace: Workspace, zone_id: str) -> None:
    by_header = """
[[rules.custom]]
ref = "brew"
expression = 'http.request.method eq "POST" and http.request.headers["x-brew"][0] eq "coffee"'
action = "block"
"""
    requests = [Decided(MINUTE, SAVED), Decided(MINUTE, {**SAVED, "method": "POST"}), Decided(MINUTE, UNSAVED)]
    write_decided(workspace.state, zone_id, requests)
    report = replayed(workspace, POLICY + by_header)
    assert (report.would.unknown, report.would.block) == (1, 0), "a GET is no POST, whatever its headers were"
    assert report.unknown_facts == {"http.request.headers": 1}
    (brew,) = [rule for rule in report.rules if rule.rule_name == "brew"]
    assert (brew.matched, brew.unknown) == (0, 1)


def test_without_records_there_is_an_empty_report(workspace: Workspace, zone_id: str) -> None:
    report = replayed(workspace)
    assert (report.records, report.would.block, report.since, report.rules) == (0, 0, None, ())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BLOCKING.replace("/login", "login"), "policy.invalid"),
        (BLOCKING.replace("zone = {", 'zone = { name = "other", '), "zone.unknown"),
    ],
)
def test_a_policy_that_could_not_be_applied_is_not_replayed(
    workspace: Workspace, zone_id: str, text: str, code: str
) -> None:
    with pytest.raises(HoplonError) as error:
        prepare_replay(workspace, text)
    assert error.value.code == code


def test_a_process_of_its_own_gives_the_same_report(workspace: Workspace, zone_id: str) -> None:
    write_decided(workspace.state, zone_id, [Decided(MINUTE, SAVED), Decided(2 * MINUTE, UNSAVED)])
    prepared, since = prepare_replay(workspace, BLOCKING), datetime.now(UTC) - timedelta(hours=1)
    wish = IsolatedReplay(str(workspace.state.root), prepared, since, None, ReplayBounds())
    assert IsolatedReplay.from_json(wish.to_json()) == wish
    report = replay_apart(workspace.state, prepared, since, None, ReplayBounds(seconds=60.0))
    here = run_replay(workspace.state, prepared, since, None)
    assert (report.would, report.rules, report.sessions) == (here.would, here.rules, here.sessions)
    assert report.would.block == 1


def test_a_process_that_cannot_answer_in_time_is_ended(workspace: Workspace, zone_id: str) -> None:
    prepared = prepare_replay(workspace, BLOCKING)
    with pytest.raises(HoplonError) as error:
        replay_apart(workspace.state, prepared, None, None, ReplayBounds(seconds=-19.9))
    assert error.value.code == "replay.limit"


def test_limits_are_counted_in_the_order_of_time(workspace: Workspace, zone_id: str) -> None:
    limit = """
[[limits.rules]]
ref = "three-a-minute"
expression = 'http.request.method eq "GET"'
action = "block"
characteristics = ["ip.src"]
period = 60
requests_per_period = 3
"""
    others = {**SAVED, "client": "00000000000000ff"}
    write_decided(workspace.state, zone_id, [Decided(MINUTE, SAVED)] * 6 + [Decided(MINUTE, others)] * 3)
    report = replayed(workspace, POLICY + limit)
    assert (report.would.block, report.would.unknown, report.present.block) == (3, 0, 0)
    (rule,) = [rule for rule in report.rules if rule.stage == "limits"]
    assert (rule.rule_name, rule.matched) == ("three-a-minute", 3)
