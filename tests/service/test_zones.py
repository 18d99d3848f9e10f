"""Zones: created with their hosts, waiting for upstreams, changed key by key, removed with their rows."""

import json
from typing import Any

import pytest

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.policy import Upstream
from hoplon.service.accounts import the_account
from hoplon.service.policy import apply_policy, export_policy
from hoplon.service.workspace import Workspace
from hoplon.service.zones import (
    ZoneSummary,
    create_zone,
    delete_zone,
    edit_zone,
    get_zone,
    list_zones,
    set_upstreams,
    zone_policy,
)
from hoplon.storage.database import reading
from hoplon.storage.tables import audit_log, operations, policy_tables, policy_versions

ACTOR = Actor("token", "1" * 32, "ci", "192.0.2.1", "request-1")
HERE = {"url": "http://127.0.0.1:9000"}


def error_of(call: Any, *arguments: Any, **named: Any) -> HoplonError:
    with pytest.raises(HoplonError) as caught:
        call(*arguments, **named)
    return caught.value


def served(workspace: Workspace) -> list[str]:
    return [zone["name"] for zone in json.loads(workspace.state.current.read_bytes())["zones"]]


@pytest.fixture
def zone(workspace: Workspace) -> ZoneSummary:
    return create_zone(workspace, ACTOR, "API.example.com", [Upstream("http://127.0.0.1:9000")])


def test_a_zone_is_for_its_name_and_the_names_below(workspace: Workspace, zone: ZoneSummary) -> None:
    assert (zone.name, zone.hosts) == ("api.example.com", ("api.example.com", "{hostvar1}.api.example.com"))
    assert (zone.version, zone.account_id) == (1, the_account(workspace).id)
    assert get_zone(workspace, zone.id) == zone
    assert list_zones(workspace) == [zone]


def test_a_zone_without_upstream_waits_outside_the_bundle(workspace: Workspace, zone: ZoneSummary) -> None:
    waiting = create_zone(workspace, ACTOR, "other.test")
    assert (waiting.is_active, served(workspace)) == (False, ["api.example.com"])
    active = set_upstreams(workspace, ACTOR, waiting.id, [HERE])
    assert (active.is_active, active.version) == (True, 2)
    assert served(workspace) == ["api.example.com", "other.test"]


def test_a_waiting_zone_reads_and_writes_as_a_document(workspace: Workspace) -> None:
    create_zone(workspace, ACTOR, "other.test")
    text = export_policy(workspace)
    assert "upstreams = []" in text
    assert apply_policy(workspace, text).changes == ()
    assert not workspace.state.current.exists()


def test_keys_that_are_not_named_stay(workspace: Workspace, zone: ZoneSummary) -> None:
    edited = edit_zone(workspace, ACTOR, zone.id, {"block": {"status": 451}, "merge_slashes": True})
    policy = zone_policy(workspace, zone.id)
    assert (edited.version, policy.block.status, policy.merge_slashes, policy.hosts) == (2, 451, True, zone.hosts)


def test_an_edit_that_changes_nothing_makes_no_version(workspace: Workspace, zone: ZoneSummary) -> None:
    assert set_upstreams(workspace, ACTOR, zone.id, [HERE]).version == 1


@pytest.mark.parametrize(
    ("edits", "path"),
    [
        ({"upstreams": [{"url": "ftp://x"}]}, "upstreams[0].url"),
        ({"upstreams": [{"uri": "http://x"}]}, "upstreams[0].url"),
        ({"hosts": ["a b"]}, "hosts"),
        ({"hostz": []}, "hostz"),
        ({"block": {"status": 200}}, "block.status"),
        ({"upstreams": None}, "upstreams"),
    ],
)
def test_problems_have_their_path_inside_the_zone(
    workspace: Workspace, zone: ZoneSummary, edits: dict[str, Any], path: str
) -> None:
    error = error_of(edit_zone, workspace, ACTOR, zone.id, edits)
    assert error.code == "policy.invalid"
    assert path in [problem.path for problem in error.problems]
    assert get_zone(workspace, zone.id).version == 1


@pytest.mark.parametrize("name", ["", "a b", "http://x.test", "*.x.test", "{x}.test", "x.test:80", "x" * 254])
def test_a_name_that_is_no_host_is_refused(workspace: Workspace, name: str) -> None:
    assert error_of(create_zone, workspace, ACTOR, name).problems[0].path == "name"
    assert list_zones(workspace) == []


def test_a_host_belongs_to_one_zone(workspace: Workspace, zone: ZoneSummary) -> None:
    assert error_of(create_zone, workspace, ACTOR, "api.example.com").code == "zone.overlap"
    other = create_zone(workspace, ACTOR, "other.test")
    assert error_of(edit_zone, workspace, ACTOR, other.id, {"hosts": ["api.example.com"]}).code == "zone.overlap"
    assert get_zone(workspace, other.id).version == 1


def test_a_removed_zone_leaves_its_history_but_no_row(workspace: Workspace, zone: ZoneSummary) -> None:
    other = create_zone(workspace, ACTOR, "other.test", [Upstream("http://127.0.0.1:9001")])
    delete_zone(workspace, ACTOR, zone.id, if_match=1)
    assert served(workspace) == ["other.test"]
    assert error_of(get_zone, workspace, zone.id).code == "zone.unknown"
    assert error_of(delete_zone, workspace, ACTOR, zone.id).code == "zone.unknown"
    with reading(workspace.database) as connection:
        for table in (policy_tables, operations):
            assert connection.execute(table.select().where(table.c.zone_id == zone.id)).all() == []
        versions = connection.execute(policy_versions.select().where(policy_versions.c.zone_id == zone.id)).all()
        entries = connection.execute(audit_log.select().order_by(audit_log.c.sequence)).all()
    assert [json.loads(row.changes) for row in versions] == [
        ["creates zone api.example.com"],
        ["removes zone api.example.com"],
    ]
    assert [(row.action, row.zone_id, row.request_id, row.address) for row in entries] == [
        ("create", zone.id, "request-1", "192.0.2.1"),
        ("create", other.id, "request-1", "192.0.2.1"),
        ("delete", zone.id, "request-1", "192.0.2.1"),
    ]
    assert create_zone(workspace, ACTOR, "api.example.com").id != zone.id


def test_the_last_zone_that_gateways_serve_stays(workspace: Workspace, zone: ZoneSummary) -> None:
    create_zone(workspace, ACTOR, "waiting.test")
    assert error_of(delete_zone, workspace, ACTOR, zone.id).code == "zone.last_active"
    assert error_of(set_upstreams, workspace, ACTOR, zone.id, []).code == "zone.last_active"
    assert served(workspace) == ["api.example.com"]


def test_a_stale_version_changes_nothing(workspace: Workspace, zone: ZoneSummary) -> None:
    edit_zone(workspace, ACTOR, zone.id, {"merge_slashes": True}, if_match=1)
    for call in (edit_zone, set_upstreams):
        assert error_of(call, workspace, ACTOR, zone.id, {}, if_match=1).code == "precondition.failed"
    assert error_of(delete_zone, workspace, ACTOR, zone.id, if_match=1).code == "precondition.failed"
    assert get_zone(workspace, zone.id).version == 2


def test_hosts_that_saved_operations_need_stay(workspace: Workspace, zone: ZoneSummary) -> None:
    saved = '    { method = "GET", host = "api.example.com", path = "/a" },\n'
    text = export_policy(workspace).replace('fallthrough = "log"\n', f'fallthrough = "log"\nsaved = [\n{saved}]\n')
    assert apply_policy(workspace, text).version == 2
    error = error_of(edit_zone, workspace, ACTOR, zone.id, {"hosts": ["other.test"]})
    assert [problem.path for problem in error.problems] == ["operations.saved[0].host"]
    assert get_zone(workspace, zone.id).hosts == zone.hosts


def test_there_are_as_many_zones_as_a_bundle_holds(
    workspace: Workspace, zone: ZoneSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hoplon.service.changes.MAX_ZONES", 2)
    create_zone(workspace, ACTOR, "second.test")
    assert error_of(create_zone, workspace, ACTOR, "third.test").code == "zone.too_many"
    assert edit_zone(workspace, ACTOR, zone.id, {"merge_slashes": True}).version == 2
