"""The contract of `Local` and `Remote`: the same calls give the same values and the same errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hoplon.client.local import Local
from hoplon.client.remote import Remote
from hoplon.errors import HoplonError
from hoplon.model.mode import Mode
from hoplon.service.policy import PolicyDifference

Control = Local | Remote

SECOND = """format = 1
[zone]
name = "second"
hosts = ["second.test"]
upstreams = [{ url = "http://127.0.0.1:9" }]
[operations]
saved = [{ method = "GET", path = "/saved/{id}" }]
"""


def changed(text: str) -> str:
    return text.replace("merge_slashes = false", "merge_slashes = true")


def raised(call: Callable[[], Any]) -> HoplonError:
    with pytest.raises(HoplonError) as error:
        call()
    return error.value


def test_zones_are_listed_with_what_they_take_and_where_it_goes(control: Control) -> None:
    (zone,) = control.zones.list()
    assert (zone.name, zone.hosts, zone.upstreams) == ("default", (), ("http://127.0.0.1:9",))
    assert (zone.operations, zone.fallthrough, zone.version) == (0, "log", 1)
    assert zone.created_at.tzinfo is not None and len(zone.id) == len(zone.account_id) == 32
    assert control.zones.choose(None) == control.zones.choose("default") == zone


def test_zones_are_added_pointed_elsewhere_and_removed(control: Control) -> None:
    added = control.zones.add("Shop.test", ["http://127.0.0.1:8"])
    assert (added.name, added.upstreams) == ("shop.test", ("http://127.0.0.1:8",))
    waiting = control.zones.add("waiting.test")
    assert (waiting.is_active, waiting.version) == (False, 1)
    active = control.zones.set_upstreams("waiting.test", ["http://127.0.0.1:7", "http://127.0.0.1:6"])
    assert (active.is_active, active.version) == (True, 2)
    control.zones.remove("shop.test")
    assert [zone.name for zone in control.zones.list()] == ["default", "waiting.test"]


def test_zones_that_cannot_be_are_refused_alike(control: Control) -> None:
    assert raised(lambda: control.zones.add("not a host")).code == "policy.invalid"
    assert raised(lambda: control.zones.add("shop.test", ["ftp://x"])).code == "policy.invalid"
    assert raised(lambda: control.zones.remove("default")).code == "zone.last_active"
    assert raised(lambda: control.zones.remove("none.test")).code == "zone.unknown"
    assert [zone.name for zone in control.zones.list()] == ["default"]


def test_the_mode_is_switched_and_read(control: Control, state: Path) -> None:
    assert control.mode.get() is Mode.ENFORCE
    acknowledgement = control.mode.set(Mode.LOG)
    assert (acknowledgement.outcome, acknowledgement.problems) == ("not_running", ())
    assert control.mode.get() is Mode.LOG
    assert (state / "bundles" / "mode").read_text() == "log\n"


def test_what_is_exported_and_applied_changes_nothing(control: Control) -> None:
    text = control.policy.export()
    applied, acknowledgement = control.policy.apply(text)
    assert (applied.zone_name, applied.version, applied.changes) == ("default", 1, ())
    assert acknowledgement.outcome == "not_running"
    assert control.policy.diff(text) == PolicyDifference("default", (), "")


def test_a_change_is_shown_applied_looked_back_at_and_rolled_back(control: Control) -> None:
    before = control.policy.export()
    difference = control.policy.diff(changed(before), "new.toml")
    assert difference.changes == ("zone.merge_slashes: false → true",)
    assert difference.unified.startswith("--- default (version 1)\n+++ new.toml\n")
    applied, _ = control.policy.apply(changed(before), "new.toml")
    assert (applied.version, applied.changes) == (2, difference.changes)
    assert applied.bundle is not None and len(applied.bundle) == 64
    assert control.policy.export(version=1) == before != control.policy.export(version=2)
    rolled_back, _ = control.policy.rollback()
    assert rolled_back.version == 3
    assert control.policy.export() == before
    assert [each.version for each in control.policy.history()] == [3, 2, 1]
    assert [each.version for each in control.policy.history(limit=1)] == [3]
    newest, middle, first = control.policy.history("default")
    assert middle.changes == difference.changes and middle.bundle == applied.bundle
    assert "rolls back to version 1" in newest.changes
    assert first.committed_at < middle.committed_at < newest.committed_at
    control.policy.rollback(to_version=2)
    assert control.policy.export() == changed(before)


def test_a_zone_is_created_only_when_that_was_asked_for(control: Control) -> None:
    narrow = control.policy.export().replace("hosts = []", 'hosts = ["first.test"]')
    control.policy.apply(narrow)
    assert raised(lambda: control.policy.apply(SECOND)).code == "zone.unknown"
    assert control.policy.diff(SECOND).unified.startswith("--- (no such zone)\n")
    applied, _ = control.policy.apply(SECOND, create=True)
    assert (applied.zone_name, applied.version) == ("second", 1)
    assert [zone.name for zone in control.zones.list()] == ["default", "second"]
    again, _ = control.policy.apply(SECOND, create=True)
    assert (again.version, again.changes) == (1, ())
    assert "second" in control.policy.export("second")
    error = raised(control.policy.export)
    assert (error.code, error.message) == ("zone.missing", "there are several zones")
    assert error.hint is not None and "default, second" in error.hint


def test_a_zone_is_renamed_by_its_document(control: Control) -> None:
    text = control.policy.export().replace('name = "default"', 'name = "shop"')
    applied, _ = control.policy.apply(text, zone="default")
    assert applied.zone_name == "shop"
    assert [zone.name for zone in control.zones.list()] == ["shop"]


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("no TOML", "policy.invalid", None),
        ('format = 1\n[zone]\nname = "default"\n', "policy.invalid", None),
        ("{export}\nextra = 1\n", "policy.invalid", None),
        ("{export}\n[zone.nonsense]\nkey = 1\n", "policy.invalid", "zone.nonsense"),
    ],
)
def test_a_document_with_errors_changes_nothing_and_lists_them(
    control: Control, text: str, code: str, path: str | None
) -> None:
    wrong = text.format(export=control.policy.export())
    for call in (control.policy.apply, control.policy.diff):
        error = raised(lambda call=call: call(wrong, "new.toml"))  # type: ignore[misc]
        assert error.code == code
        if path:
            assert any(problem.path.startswith(path) and problem.line for problem in error.problems), error.problems
    assert [each.version for each in control.policy.history()] == [1]


def test_zones_that_collide_are_refused_with_the_place(control: Control) -> None:
    error = raised(lambda: control.policy.apply(SECOND.replace('["second.test"]', "[]"), create=True))
    assert error.code == "zone.overlap"
    assert [problem.path for problem in error.problems] == ["zone.hosts"]
    assert "any host" in error.problems[0].message


@pytest.mark.parametrize("version", [2, 99])
def test_a_version_that_never_was_is_said(control: Control, version: int) -> None:
    for call in (lambda: control.policy.export(version=version), lambda: control.policy.rollback(to_version=version)):
        error = raised(call)
        assert error.code == "policy.version_unknown"
        assert f"no version {version}" in error.message


def test_a_zone_that_is_not_there_is_said_with_the_nearest_name(control: Control) -> None:
    for call in (control.policy.export, control.policy.history, control.policy.rollback, control.zones.choose):
        error = raised(lambda call=call: call("defualt"))  # type: ignore[misc]
        assert error.code == "zone.unknown"
        assert error.hint is not None and "default" in error.hint


def test_no_gateway_has_been_heard(control: Control) -> None:
    assert control.gateways.list() == []
