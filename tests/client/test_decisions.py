"""The decision log here and elsewhere: the same decisions, the same errors."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hoplon.client.local import Local
from hoplon.client.remote import Remote
from hoplon.errors import HoplonError
from hoplon.service.decisions import DecisionFilter
from hoplon.storage.state import StateDirectory
from support.decided import Decided, write_decided

Control = Local | Remote
HOUR = timedelta(hours=1)


def test_decisions_are_listed_and_found_alike(control: Control, state: Path) -> None:
    zone = control.zones.choose(None)
    refused = Decided(
        HOUR, {"zone": "", "action": "refuse", "status": 400}, (("protocol.host_missing", None, "refuse"),)
    )
    bundle = control.policy.history()[0].bundle
    assert bundle is not None
    logged = Decided(
        HOUR / 2,
        {"action": "log", "bundle": bundle[:16]},
        (("operations.fallthrough", "operations.fallthrough", "log"),),
    )
    of_none, newest = write_decided(StateDirectory(state), zone.id, [refused, logged])
    since = datetime.now(UTC) - 2 * HOUR
    found = control.decisions.list(DecisionFilter(), None, since, None, 10)
    assert [each.id for each in found.decisions] == [newest, of_none]
    in_zone = control.decisions.list(DecisionFilter(), "default", since, None, 10)
    assert [each.id for each in in_zone.decisions] == [newest]
    assert not control.decisions.list(DecisionFilter("block"), None, since, None, 10).decisions
    assert not control.decisions.list(DecisionFilter(), None, None, since, 10).decisions
    shown = control.decisions.show(newest)
    assert shown == found.decisions[0]
    assert (shown.zone_name, shown.policy_version, shown.violations[0].code) == ("default", 1, "operations.fallthrough")


def test_a_decision_that_is_not_there_is_refused_alike(control: Control) -> None:
    for record_id, code in (("0190a0a0-0000-7000-8000-000000000000", "records.unknown"), ("x", "usage")):
        with pytest.raises(HoplonError) as error:
            control.decisions.show(record_id)
        assert error.value.code == code
