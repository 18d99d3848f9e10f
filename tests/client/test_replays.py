"""Replays here and elsewhere: the same report, the same errors."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hoplon.client.local import Local
from hoplon.client.remote import Remote
from hoplon.errors import HoplonError
from hoplon.service.replay import ReplayBounds
from hoplon.storage.state import StateDirectory
from support.decided import Decided, write_decided

Control = Local | Remote
BLOCKING = """format = 1
zone = { upstreams = [{ url = "http://127.0.0.1:9" }] }
operations = { fallthrough = "block", saved = [{ method = "GET", path = "/users/{id}" }] }
"""


def replay(control: Control, text: str = BLOCKING) -> Any:
    since = datetime.now(UTC) - timedelta(hours=1)
    return control.replays.run(text, "new.toml", None, since, None, ReplayBounds(), lambda done, total: None)


def test_a_replay_says_what_a_policy_would_block(control: Control, state: Path) -> None:
    zone_id = control.zones.choose(None).id
    requests = [Decided(timedelta(minutes=1), {"path": path}) for path in ("/users/1", "/debug", "/debug")]
    write_decided(StateDirectory(state), zone_id, requests)
    report = replay(control)
    assert (report.records, report.would.block, report.present.block) == (3, 2, 0)
    (rule,) = [rule for rule in report.rules if rule.matched]
    assert (rule.rule, rule.matched, len(rule.examples)) == ("operations.fallthrough", 2, 2)
    assert control.policy.history()[0].version == 1


def test_a_document_with_errors_is_refused_alike(control: Control) -> None:
    with pytest.raises(HoplonError) as error:
        replay(control, BLOCKING.replace("/users/{id}", "users"))
    assert error.value.code == "policy.invalid"
