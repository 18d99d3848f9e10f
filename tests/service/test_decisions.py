"""The decision log: what is in it, what its rules were called at the time, how it is narrowed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("hoplon._native")

from hoplon.errors import HoplonError
from hoplon.policy.document import read_policy
from hoplon.service.decisions import DecisionFilter, Decisions, find_decision, list_decisions
from hoplon.service.features import FEATURES
from hoplon.service.policy import apply_policy
from hoplon.service.rule_names import rule_names
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage.records import Selection
from support.decided import Decided, write_decided
from support.saved_zone import POLICY

MINUTE = timedelta(minutes=1)
EVERYTHING = DecisionFilter()
FALLTHROUGH = ("operations.fallthrough", "operations.fallthrough", "block")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "state", create=True) as opened:
        yield opened


@pytest.fixture
def first(workspace: Workspace) -> tuple[str, str]:
    """Zone and bundle of version 1."""
    applied = apply_policy(workspace, POLICY, create=True)
    assert applied.bundle is not None
    return applied.zone_id, applied.bundle


def blocked(ago: timedelta, bundle: str, **more: object) -> Decided:
    columns = {"action": "block", "rule": "operations.fallthrough", "status": 403, "bundle": bundle[:16], **more}
    return Decided(ago, columns, (FALLTHROUGH,))


def listed(workspace: Workspace, wanted: DecisionFilter = EVERYTHING, limit: int = 50) -> Decisions:
    return list_decisions(workspace, Selection(), wanted, limit)


def test_only_what_is_not_plain_allow_is_a_decision_and_the_newest_comes_first(
    workspace: Workspace, first: tuple[str, str]
) -> None:
    zone_id, bundle = first
    ids = write_decided(
        workspace.state,
        zone_id,
        [
            blocked(3 * MINUTE, bundle),
            Decided(2 * MINUTE, {}),
            Decided(MINUTE, {"failures": "custom:over_limit:open"}),
            Decided(
                0 * MINUTE,
                {"zone": "", "action": "refuse", "status": 421},
                (("protocol.host_unknown", None, "refuse"),),
            ),
        ],
    )
    found = listed(workspace)
    assert [each.id for each in found.decisions] == [ids[3], ids[2], ids[0]]
    refused, failed, block = found.decisions
    assert (refused.zone_name, refused.policy_version, refused.violations[0].code) == (
        None,
        None,
        "protocol.host_unknown",
    )
    assert (failed.action, failed.failures) == ("allow", ("custom:over_limit:open",))
    assert (block.rule_name, block.policy_version) == ("requests that match no saved operation", 1)
    assert block.violations[0].evidence == "kinds and lengths only"
    assert found.is_complete
    newest = listed(workspace, limit=1)
    assert ([each.id for each in newest.decisions], newest.is_complete) == ([ids[3]], False)


def test_a_decision_names_the_version_that_its_bundle_held(workspace: Workspace, first: tuple[str, str]) -> None:
    zone_id, bundle = first
    changed = apply_policy(workspace, POLICY.replace("/login", "/signin"), create=True)
    assert changed.bundle is not None and changed.version == 2
    (old, new, unnamed) = write_decided(
        workspace.state,
        zone_id,
        [
            blocked(timedelta(0), bundle),
            blocked(timedelta(0), changed.bundle),
            blocked(timedelta(0), "0123456789abcdef"),
        ],
    )
    versions = {each.id: each.policy_version for each in listed(workspace).decisions}
    assert versions == {old: 1, new: 2, unnamed: 2}, "a bundle with refreshed keys holds what was newest then"


@pytest.mark.parametrize(
    ("wanted", "indexes"),
    [
        ({"action": "block"}, [0]),
        ({"action": "skip"}, [2]),
        ({"rule": "operations.fallthrough"}, [0]),
        ({"rule": "quiet"}, [2]),
        ({"rule": "xml"}, [3]),
        ({"rule": "ml"}, []),
        ({"operation": "GET /users/{var1}"}, [1]),
        ({"operation": "/users/{var1}"}, [1]),
        ({"operation": "op-1"}, [1]),
        ({"violation": "operations"}, [0]),
        ({"violation": "operations.fallthrough"}, [0]),
        ({"violation": "operation"}, []),
        ({"violation": "o' OR 'x' = 'x"}, []),
    ],
)
def test_decisions_are_narrowed(
    workspace: Workspace, first: tuple[str, str], wanted: dict[str, str], indexes: list[int]
) -> None:
    zone_id, bundle = first
    ids = write_decided(
        workspace.state,
        zone_id,
        [
            blocked(MINUTE, bundle),
            Decided(MINUTE, {"action": "log", "operation_id": "op-1", "operation_path": "/users/{var1}"}),
            Decided(MINUTE, {}, (("rules.skipped", "quiet", "log"),)),
            Decided(MINUTE, {"failures": "json:encoded:open,xml:over_limit:open"}),
        ],
    )
    assert {each.id for each in listed(workspace, DecisionFilter(**wanted)).decisions} == {
        ids[index] for index in indexes
    }


def test_a_rule_that_skips_others_says_so(workspace: Workspace, first: tuple[str, str]) -> None:
    found = write_decided(workspace.state, first[0], [Decided(MINUTE, {}, (("rules.skipped", "quiet", "log"),))])
    assert find_decision(workspace, found[0]).violations[0].action == "skip"


def test_one_decision_is_found_by_its_id_also_a_plain_allow(workspace: Workspace, first: tuple[str, str]) -> None:
    zone_id, bundle = first
    plain, block = write_decided(workspace.state, zone_id, [Decided(MINUTE, {}), blocked(MINUTE, bundle)])
    assert find_decision(workspace, plain).action == "allow"
    assert find_decision(workspace, block, zone_id).violations[0].rule_name == "requests that match no saved operation"
    for record_id, zone, code in ((block, "f" * 32, "records.unknown"), ("nonsense", None, "usage")):
        with pytest.raises(HoplonError) as error:
            find_decision(workspace, record_id, zone)
        assert error.value.code == code


@pytest.mark.parametrize(("action", "limit"), [("drop", 50), (None, 0), (None, 1001)])
def test_what_cannot_be_asked_is_said(workspace: Workspace, action: str | None, limit: int) -> None:
    with pytest.raises(HoplonError) as error:
        list_decisions(workspace, Selection(), DecisionFilter(action), limit)
    assert error.value.code == "usage"


def test_custom_rules_are_called_by_their_description_else_by_their_ref() -> None:
    policy = f"""{POLICY}
[[rules.custom]]
ref = "no-debug"
expression = 'http.request.uri.path eq "/debug"'
action = "block"
description = "nobody debugs in production"
[[limits.rules]]
ref = "slow-down"
expression = 'http.request.method eq "POST"'
characteristics = ["ip.src"]
period = 60
requests_per_period = 100
"""
    names = set(rule_names(read_policy(policy, FEATURES)).values())
    assert {"nobody debugs in production", "slow-down", "requests that match no saved operation"} <= names
