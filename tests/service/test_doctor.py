"""`hoplon doctor`: a healthy set-up gets no word; every fault gets its own code, problems before notes."""

import json
import socket
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hoplon.errors import HoplonError, Problem
from hoplon.identity.policy import Identifier
from hoplon.model.actor import SYSTEM
from hoplon.model.audit import AuditFault
from hoplon.model.key_sets import KeySet
from hoplon.model.mode import Mode
from hoplon.model.policy import Upstream
from hoplon.service.doctor.access import AccessView
from hoplon.service.doctor.checks import diagnose
from hoplon.service.doctor.deciding import FailingRule
from hoplon.service.doctor.key_sets import KeySetView
from hoplon.service.doctor.look import Setup, UpstreamView, look, look_at_upstream
from hoplon.service.gateway import GatewayStatus
from hoplon.service.identity_proposal import Proposal
from hoplon.service.policy import apply_policy, create_first_zone
from hoplon.service.secrets import put_secret
from hoplon.service.tokens import ensure_first_token
from hoplon.service.workspace import Workspace
from hoplon.settings.load import load_settings
from hoplon.storage.bundles import write_mode
from hoplon.storage.locks import holding_part
from hoplon.storage.state import StateDirectory
from hoplon.tokens.model import TokenRule, TokensPolicy
from support.decided import Decided, write_decided

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STATUS = GatewayStatus(
    pid=1,
    bundle="a" * 64,
    serving="current",
    bundle_refused=None,
    bundle_errors=(),
    mode="enforce",
    phase="serving",
    written_at=NOW,
    records={"written": 1, "dropped": 0, "errors": 0},
)
HEADER = Identifier("header", "authorization")
KEY_SET = KeySet("z", "main", "https://issuer.example/", ({"kid": "1"},), (), NOW, NOW, NOW, NOW)


@pytest.fixture
def healthy(workspace: Workspace) -> Setup:
    """A set-up of one zone with one operation, looked at, then made ideal where a test cannot be."""
    policy = (
        'format = 1\n[[zone.upstreams]]\nurl = "http://127.0.0.1:9"\n[[operations.saved]]\nmethod = "GET"\npath = "/"\n'
    )
    apply_policy(workspace, policy, create=True)
    seen = look(workspace.state, load_settings(flags={"listen": "127.0.0.1:0", "status": "127.0.0.1:0"}, environ={}))
    return replace(
        seen,
        now=NOW,
        zones=tuple((replace(version, committed_at=NOW), policy) for version, policy in seen.zones),
        holders={"supervisor": 1, "gateway": 2, "api": 4, "worker": 3},
        gateway=STATUS,
        current_bundle="a" * 64,
        committed_bundle="a" * 64,
        worker={"pid": 3},
        worker_age_seconds=1.0,
        upstreams=(UpstreamView("default", "http://127.0.0.1:9", None, None),),
        disk_free_bytes=10**12,
    )


def codes(setup: Setup) -> list[str]:
    return [f"{ailment.level} {ailment.code}" for ailment in diagnose(setup)]


def test_a_healthy_set_up_gets_no_word(healthy: Setup) -> None:
    assert codes(healthy) == []
    assert codes(replace(healthy, key_sets=(KeySetView("default", KEY_SET),))) == []


FAULTS: dict[str, dict[str, Any]] = {
    "problem rules.failing": {"failing_rules": (FailingRule("block-xml", "over_limit", "open", 3),)},
    "problem database.newer": {"database_error": HoplonError("database.newer", "it is newer", "take that version")},
    "problem zone.missing": {"zones": ()},
    "problem keys.unusable": {"key_fault": "has 3 bytes instead of 32"},
    "problem keys.open": {"open_to_others": (Path("keys/records.key"),)},
    "problem secrets.key_missing": {"access": AccessView(lost_secrets=3)},
    "problem keys.unusable ": {"access": AccessView(key_error=HoplonError("keys.unusable", "it is short", "restore"))},
    "problem audit.broken": {"access": AccessView(audit_faults=(AuditFault(3, "it was changed"),))},
    "problem disk.low": {"disk_free_bytes": 10**6},
    "problem gateway.dead": {"holders": {"supervisor": 1, "gateway": None, "api": 4, "worker": 3}},
    "note gateway.stopped": {"holders": {"supervisor": None, "gateway": None, "api": None, "worker": None}},
    "problem api.dead": {"holders": {"supervisor": 1, "gateway": 2, "api": None, "worker": 3}},
    "problem worker.dead": {
        "holders": {"supervisor": 1, "gateway": 2, "api": 4, "worker": None},
        "unsealed_segments": 7,
    },
    "problem worker.silent": {"worker_age_seconds": 3600.0},
    "problem worker.failing": {"worker": {"failures_in_a_row": 3, "problems": [{"step": "seal", "message": "disk"}]}},
    "note records.quarantine": {"worker": {"quarantine": ["a"]}},
    "problem gateway.silent": {"gateway": None},
    "problem gateway.disk_full": {"alerts": {"disk_full": "the disk is full"}},
    "problem bundle.current": {"committed_bundle": "b" * 64},
    "problem bundle.none": {"gateway": replace(STATUS, bundle=None)},
    "problem bundle.behind": {"gateway": replace(STATUS, bundle="b" * 64)},
    "problem bundle.refused": {
        "gateway": replace(STATUS, bundle="b" * 64, bundle_errors=(Problem("zones[0]", "has no upstream"),))
    },
    "problem mode.unreadable": {"mode": HoplonError("mode.unreadable", "it holds no mode", "write it")},
    "note mode.not_enforce": {"mode": "log"},
    "problem upstream.unreachable": {"upstreams": (UpstreamView("default", "http://x", "Connection refused", None),)},
    "problem upstream.ca_file": {"upstreams": (UpstreamView("default", "https://x", None, "ca.pem: no such file"),)},
    "problem records.dropped": {"gateway": replace(STATUS, records={"dropped": 1234})},
    "problem records.errors": {"gateway": replace(STATUS, records={"errors": 1})},
    "problem listen.in_use": {"listen_error": HoplonError("listen.in_use", "127.0.0.1:80 is in use", "take another")},
    "problem tokens.keys": {"key_sets": (KeySetView("default", replace(KEY_SET, error="it is down", failures=1)),)},
    "problem tokens.keys ": {"key_sets": (KeySetView("default", replace(KEY_SET, error="it is down", keys=None)),)},
    "problem tokens.secrets": {"lost_token_secrets": 1},
    "note identity.proposed": {"proposals": (Proposal("z", "default", HEADER, 100, 0.5),)},
    "problem clock.back": {"now": NOW - timedelta(hours=1)},
}


@pytest.mark.parametrize("expected", FAULTS)
def test_every_fault_is_said_once(healthy: Setup, expected: str) -> None:
    assert codes(replace(healthy, **FAULTS[expected])) == [expected.strip()]


def test_a_stale_status_is_a_silent_gateway(healthy: Setup) -> None:
    late = replace(healthy, gateway=replace(STATUS, written_at=NOW - timedelta(seconds=30)))
    assert "last spoke 30 s ago" in diagnose(late)[0].what


def test_problems_come_before_notes(healthy: Setup) -> None:
    setup = replace(healthy, mode="off", disk_free_bytes=0)
    assert codes(setup) == ["problem disk.low", "note mode.not_enforce"]


def test_what_is_said_is_a_sentence(healthy: Setup) -> None:
    for change in FAULTS.values():
        for ailment in diagnose(replace(healthy, **change)):
            assert ailment.what[0].isupper() or ailment.what[0] in "`/k1"
            assert ailment.what.endswith((".", ")."))
            assert ailment.why.endswith(".")


def test_looking_at_a_real_set_up(workspace: Workspace) -> None:
    """A zone whose upstream accepts nothing, mode log, a key that others may read, an address in use, no gateway."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        upstream = f"http://127.0.0.1:{closed.getsockname()[1]}"
    create_first_zone(workspace, upstream)
    write_mode(workspace.state, Mode.LOG)
    workspace.state.records_key.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = load_settings(flags={"listen": f"127.0.0.1:{other.getsockname()[1]}"}, environ={})
        found = codes(look(workspace.state, settings))
    assert [code for code in found if code != "problem disk.low"] == [
        "problem keys.open",
        "problem upstream.unreachable",
        "problem listen.in_use",
        "note gateway.stopped",
        "note mode.not_enforce",
        "note zone.no_operations",
    ]


def test_a_running_gateway_is_read_from_its_files(workspace: Workspace) -> None:
    create_first_zone(workspace, "http://127.0.0.1:9")
    write_status(workspace.state, {"pid": 1, "bundle": None, "alerts": {"queue": "the queue is full"}})
    with holding_part(workspace.state, "gateway"):
        setup = look(workspace.state, load_settings(environ={}))
    found = codes(setup)
    assert "problem gateway.queue" in found
    assert "problem bundle.none" in found
    assert "problem worker.dead" in found


def write_status(state: StateDirectory, document: dict[str, Any]) -> None:
    state.status("gateway").write_text(json.dumps(document))


def test_what_happened_to_log_key_and_token_is_seen(workspace: Workspace) -> None:
    settings = load_settings(flags={"listen": "127.0.0.1:0", "status": "127.0.0.1:0"}, environ={})
    create_first_zone(workspace, "http://127.0.0.1:9")
    put_secret(workspace, SYSTEM, "hmac_key", "of the shop", b"x")
    ensure_first_token(workspace)
    assert look(workspace.state, settings).access == AccessView()
    workspace.state.api_token.chmod(0o640)
    workspace.state.installation_key.unlink()
    with sqlite3.connect(workspace.state.database) as connection:
        connection.execute("DROP TRIGGER audit_log_no_delete")
    seen = look(workspace.state, settings)
    assert seen.open_to_others == (workspace.state.api_token,)
    assert seen.access.lost_secrets == 1
    assert [fault.sequence for fault in seen.access.audit_faults] == [0]


def test_an_upstream_on_a_unix_socket_is_tried_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    upstream = Upstream(f"unix:{path}")
    assert look_at_upstream("default", upstream).fault == "No such file or directory"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert look_at_upstream("default", upstream).fault == "Connection refused"
        listener.listen()
        assert look_at_upstream("default", upstream).fault is None


def test_rules_that_could_not_be_checked_are_counted_from_the_records(workspace: Workspace) -> None:
    from hoplon.service.doctor.deciding import look_at_failures

    minute = timedelta(minutes=1)
    write_decided(
        workspace.state,
        "f" * 32,
        [
            Decided(minute, {"failures": "xml:over_limit:open,a:b:encoded:closed"}),
            Decided(minute, {"failures": "xml:over_limit:open"}),
            Decided(timedelta(days=2), {"failures": "old:state:open"}),
            Decided(minute, {}),
        ],
    )
    assert look_at_failures(workspace.state, datetime.now(UTC)) == (
        FailingRule("xml", "over_limit", "open", 2),
        FailingRule("a:b", "encoded", "closed", 1),
    )


@pytest.mark.parametrize("fallthrough", ["none", "log", "block"])
@pytest.mark.parametrize("action", ["log", "block"])
def test_what_matches_no_operation_comes_under_no_token_rule(healthy: Setup, fallthrough: str, action: Any) -> None:
    ((version, policy),) = healthy.zones
    rule = TokenRule(id="a", title="a", expression="", action=action)
    operations = replace(policy.features["operations"], fallthrough=fallthrough)
    features = {**policy.features, "operations": operations, "tokens": TokensPolicy(rules=(rule,))}
    found = codes(replace(healthy, zones=((version, replace(policy, features=features)),)))
    assert found == (["note tokens.fallthrough"] if action == "block" and fallthrough != "block" else [])
