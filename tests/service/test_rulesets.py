"""Rulesets in a zone's history: small writes, every version as it was, lists that reach the bundle, many rules."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.rules import Rule
from hoplon.service import lists
from hoplon.service.policy import apply_policy, create_first_zone, export_policy, rollback_policy
from hoplon.service.rule_order import Position
from hoplon.service.rulesets import (
    Wish,
    Write,
    Written,
    add_rule,
    edit_rule,
    get_entrypoint,
    get_version,
    list_versions,
    remove_rule,
    set_entrypoint,
)
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.storage.database import reading
from hoplon.storage.tables import rules

ACTOR = Actor("user", "tests", "tests")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "state", create=True) as workspace:
        create_first_zone(workspace, "http://127.0.0.1:9")
        yield workspace


@pytest.fixture
def write(workspace: Workspace) -> Write:
    from hoplon.service.policy import find_zone

    return Write(ACTOR, find_zone(workspace, None).zone_id)


def rule(ref: str, **more: Any) -> Rule:
    return Rule("", ref, **{"expression": f'http.request.uri.path eq "/{ref}"', **more})


def put(workspace: Workspace, write: Write, *written: Rule) -> Written:
    return set_entrypoint(workspace, write, "rules", Wish(written))


def refs(written: Written) -> list[str]:
    assert written.value is not None
    return [stored.rule.ref for stored in written.value.rules]


def id_of(written: Written) -> str:
    assert written.value is not None
    return written.value.id


def rows(workspace: Workspace) -> int:
    with reading(workspace.database) as connection:
        return connection.execute(select(func.count()).select_from(rules)).scalar_one()


def part(workspace: Workspace, kind: str) -> Any:
    """The content of the one part of this kind in the bundle in place, None without one."""
    manifest = json.loads(workspace.state.current.read_bytes())
    for each in manifest["parts"]:
        if each["kind"] == kind:
            return json.loads((workspace.state.bundle_parts / each["sha256"]).read_bytes())
    return None


def custom(workspace: Workspace) -> list[str]:
    """The actions of the custom rules in the bundle in place."""
    return [each["action"] for each in part(workspace, "rules")["rules"] if each.get("stage") == "custom"]


def test_an_edit_and_a_move_write_one_row_each(workspace: Workspace, write: Write) -> None:
    made = put(workspace, write, *(rule(f"r{index}") for index in range(50)))
    assert made.value is not None
    target = made.value.rules[25].rule.id
    assert rows(workspace) == 50
    edit_rule(workspace, write, id_of(made), target, lambda old: replace(old, action="block"))
    assert rows(workspace) == 51
    moved = edit_rule(workspace, write, id_of(made), target, lambda old: old, Position(index=1))
    assert (rows(workspace), refs(moved)[:2]) == (52, ["r25", "r0"])
    remove_rule(workspace, write, id_of(made), target)
    assert rows(workspace) == 52


def test_what_is_written_is_in_the_document_and_what_is_applied_is_in_the_ruleset(
    workspace: Workspace, write: Write
) -> None:
    made = put(workspace, write, rule("a"), rule("b", action="block", description="B"))
    text = export_policy(workspace)
    assert apply_policy(workspace, text).changes == ()
    apply_policy(workspace, text.replace('ref = "a", action = "log"', 'ref = "a", action = "block"'))
    after = get_entrypoint(workspace, write.zone_id, "rules").value
    assert made.value is not None
    assert (after.id, after.version) == (made.value.id, 2)
    assert [(stored.rule.action, stored.version) for stored in after.rules] == [("block", 2), ("block", 1)]
    assert [stored.rule.id for stored in after.rules] == [stored.rule.id for stored in made.value.rules]


def test_a_document_alone_makes_a_ruleset(workspace: Workspace, write: Write) -> None:
    text = export_policy(workspace)
    with pytest.raises(HoplonError):
        get_entrypoint(workspace, write.zone_id, "rules")
    apply_policy(workspace, text.replace("custom = []", 'custom = [{ ref = "a", expression = "ssl" }]'))
    assert [stored.rule.ref for stored in get_entrypoint(workspace, write.zone_id, "rules").value.rules] == ["a"]


def test_rolling_back_brings_rules_back_as_a_new_version(workspace: Workspace, write: Write) -> None:
    first = put(workspace, write, rule("a"), rule("b"))
    put(workspace, write, rule("c"))
    rollback_policy(workspace)
    now = get_entrypoint(workspace, write.zone_id, "rules").value
    assert first.value is not None
    assert [stored.rule for stored in now.rules] == [stored.rule for stored in first.value.rules]
    assert (now.id, now.version) == (first.value.id, 3)
    versions = list_versions(workspace, write.zone_id, now.id)
    assert [each.version for each in versions] == [3, 2, 1]
    assert get_version(workspace, write.zone_id, now.id, 1) == first.value


def test_a_change_of_something_else_is_no_version_of_a_ruleset(workspace: Workspace, write: Write) -> None:
    made = put(workspace, write, rule("a"))
    apply_policy(workspace, export_policy(workspace).replace("merge_slashes = false", "merge_slashes = true"))
    assert get_entrypoint(workspace, write.zone_id, "rules").value == made.value


def test_a_rule_that_is_off_is_in_no_bundle(workspace: Workspace, write: Write) -> None:
    made = put(workspace, write, rule("a"), rule("b", action="block", is_enabled=False))
    assert custom(workspace) == ["log"]
    assert made.value is not None
    edit_rule(workspace, write, id_of(made), made.value.rules[1].rule.id, lambda old: replace(old, is_enabled=True))
    assert custom(workspace) == ["log", "block"]


def test_a_version_that_was_read_is_the_one_that_is_changed(workspace: Workspace, write: Write) -> None:
    made = put(workspace, write, rule("a"))
    seen = replace(write, if_match=made.version)
    add_rule(workspace, seen, id_of(made), rule("b"))
    with pytest.raises(HoplonError) as raised:
        add_rule(workspace, seen, id_of(made), rule("c"))
    assert raised.value.code == "precondition.failed"


def test_items_of_a_list_reach_the_bundle(workspace: Workspace, write: Write) -> None:
    office = lists.create_list(workspace, ACTOR, "ip", "office")
    lists.create_list(workspace, ACTOR, "ip", "unnamed")
    put(workspace, write, rule("a", expression="ip.src in $office"))
    assert part(workspace, "lists") == {"lists": [{"name": "office", "kind": "ip", "items": []}]}
    lists.append_items(workspace, ACTOR, office.id, [{"ip": "10.0.0.1"}, {"ip": "192.0.2.0/24"}])
    assert part(workspace, "lists")["lists"][0]["items"] == ["10.0.0.1", "192.0.2.0/24"]
    lists.replace_items(workspace, ACTOR, office.id, [])
    assert part(workspace, "lists")["lists"][0]["items"] == []
    put(workspace, write, rule("a", expression="ssl"))
    assert part(workspace, "lists") is None


def test_a_wildcard_of_a_list_holds_its_own_name_when_it_says_so(workspace: Workspace, write: Write) -> None:
    hosts = lists.create_list(workspace, ACTOR, "hostname", "hosts")
    items = [("*.a.example", True), ("*.b.example", False), ("c.example", None)]
    given = [
        {"hostname": {"url_hostname": name} | ({} if without is None else {"exclude_exact_hostname": without})}
        for name, without in items
    ]
    lists.append_items(workspace, ACTOR, hosts.id, given)
    put(workspace, write, rule("a", expression="http.host in $hosts"))
    assert part(workspace, "lists")["lists"] == [
        {"name": "hosts", "kind": "hostname", "items": ["*.a.example", "*.b.example", "b.example", "c.example"]}
    ]


def test_a_document_names_lists_that_there_are(workspace: Workspace) -> None:
    text = export_policy(workspace)
    for expression in ("ip.src in $nowhere", "http.host in $office"):
        lists_named = text.replace("custom = []", f'custom = [{{ ref = "a", expression = "{expression}" }}]')
        if "office" in expression:
            lists.create_list(workspace, ACTOR, "ip", "office")
        with pytest.raises(HoplonError) as raised:
            apply_policy(workspace, lists_named)
        assert [problem.path for problem in raised.value.problems] == ["rules.custom[0].expression"]


def test_editing_one_of_a_thousand_rules_is_fast(workspace: Workspace, write: Write) -> None:
    made = put(workspace, write, *(rule(f"r{index}") for index in range(1000)))
    assert made.value is not None
    target = made.value.rules[500].rule.id
    begun = time.perf_counter()
    edit_rule(workspace, write, id_of(made), target, lambda old: replace(old, action="block"))
    assert time.perf_counter() - begun < 2, "with its bundle in place"


def test_more_rules_than_a_ruleset_holds_are_refused(
    workspace: Workspace, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hoplon.service.rule_checks.MAX_RULES", 3)
    with pytest.raises(HoplonError) as raised:
        put(workspace, write, *(rule(f"r{index}") for index in range(4)))
    assert str(raised.value.problems[0]) == "rules: a ruleset has at most 3 rules, not 4"
