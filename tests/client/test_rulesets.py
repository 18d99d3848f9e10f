"""Custom rules and limits of a Hoplon here and of one elsewhere: the same calls give the same values and errors."""

from dataclasses import replace

import pytest

from client.conftest import Control
from hoplon.errors import HoplonError
from hoplon.model.rules import OwnResponse, Rule, Skip, rule_id
from hoplon.service.rule_order import Position

FULL = Rule(
    id="",
    ref="full",
    expression='http.request.uri.path eq "/x"',
    action="block",
    description="All there is",
    is_enabled=False,
    fail="closed",
    response=OwnResponse(418, "text/plain", "no"),
)
SKIP = Rule("", "skip", "true", "skip", skip=Skip(is_rest=True, phases=("http_ratelimit",), is_logged=False))


def simple(ref: str) -> Rule:
    return Rule("", ref, "true")


def refs(control: Control) -> list[str]:
    ruleset = control.rules.get()
    return [] if ruleset is None else [stored.rule.ref for stored in ruleset.rules]


def test_there_are_no_rules_at_first(control: Control) -> None:
    assert control.rules.get() is None
    assert control.limits.get("default") is None


@pytest.mark.parametrize("rule", [FULL, SKIP], ids=lambda rule: rule.ref)
def test_a_rule_comes_back_as_it_was_added(control: Control, rule: Rule) -> None:
    added = control.rules.add(None, rule)
    (stored,) = added.value.rules
    assert stored.rule == replace(rule, id=rule_id("rules", rule.ref))
    assert (stored.version, added.value.version, added.version) == (1, 1, 2)
    assert control.rules.get() == added.value


def test_rules_are_added_edited_moved_and_removed(control: Control) -> None:
    for ref in ("a", "b"):
        control.rules.add(None, simple(ref))
    control.rules.add(None, simple("c"), Position(index=1))
    assert refs(control) == ["c", "a", "b"]
    changed = control.rules.edit(None, "a", lambda rule: replace(rule, action="block"), Position(before=""))
    assert [(stored.rule.ref, stored.rule.action, stored.version) for stored in changed.value.rules] == [
        ("a", "block", 2),
        ("c", "log", 1),
        ("b", "log", 1),
    ]
    moved = control.rules.edit(None, "b", lambda rule: rule, Position(before=changed.value.rules[0].rule.id))
    assert [stored.version for stored in moved.value.rules] == [1, 2, 1]
    removed = control.rules.remove(None, ["a", "c"])
    assert refs(control) == ["b"]
    assert removed.value.version == 6


def test_a_rule_without_a_ref_gets_one(control: Control) -> None:
    (stored,) = control.rules.add(None, simple("")).value.rules
    assert stored.rule.ref == stored.rule.id


def test_errors(control: Control) -> None:
    control.rules.add(None, simple("a"))
    for call, code in (
        (lambda: control.rules.edit(None, "b", lambda rule: rule), "ruleset.rule_unknown"),
        (lambda: control.rules.remove(None, ["a", "b"]), "ruleset.rule_unknown"),
        (lambda: control.rules.add(None, simple("a")), "ruleset.invalid"),
        (lambda: control.rules.add(None, replace(simple("b"), expression="no")), "ruleset.invalid"),
        (lambda: control.rules.get("nowhere"), "zone.unknown"),
    ):
        with pytest.raises(HoplonError) as raised:
            call()
        assert raised.value.code == code
    assert refs(control) == ["a"]
