"""Policy changes: committed and in place, or nothing at all; exact history; one after another."""

import hashlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hoplon.errors import HoplonError
from hoplon.service.policy import (
    all_zones,
    apply_policy,
    create_first_zone,
    diff_policy,
    ensure_bundle,
    export_policy,
    find_zone,
    policy_history,
    rollback_policy,
)
from hoplon.service.workspace import Workspace
from hoplon.storage.bundles import KEPT_MANIFESTS, manifest_hash

POLICY = """
format = 1
[zone]
name = "default"
hosts = ["api.example.com"]
[[zone.upstreams]]
url = "http://127.0.0.1:9000"
[operations]
fallthrough = "block"
[[operations.saved]]
method = "GET"
path = "/users/{id}"
[[operations.saved]]
method = "POST"
host = "API.example.com"
path = "/%7Eusers/caf\u00e9"
"""


def second_zone(hosts: str = '["other.example.com"]', name: str = "other") -> str:
    return POLICY.replace('"default"', f'"{name}"').replace('["api.example.com"]', hosts).replace("API.", "other.")


def manifest_of(workspace: Workspace) -> Any:
    return json.loads(workspace.state.current.read_bytes())


def part_of(workspace: Workspace, kind: str, zone: int = 0) -> Any:
    manifest = manifest_of(workspace)
    zone_id = manifest["zones"][zone]["id"]
    entry = next(part for part in manifest["parts"] if part["kind"] == kind and part["zone"] == zone_id)
    content = (workspace.state.bundle_parts / entry["sha256"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert len(content) == entry["bytes"]
    return json.loads(content)


def code_of(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(HoplonError) as caught:
        call(*arguments, **named)
    return caught.value.code


def test_the_first_zone_takes_any_host_and_blocks_nothing(workspace: Workspace) -> None:
    applied = create_first_zone(workspace, "http://127.0.0.1:9000")
    assert applied is not None
    assert manifest_of(workspace)["zones"] == [{"id": applied.zone_id, "name": "default", "policy_version": 1}]
    assert part_of(workspace, "zone")["hosts"] == []
    assert part_of(workspace, "operations") == {"operations": []}
    assert {rule["action"] for rule in part_of(workspace, "rules")["rules"]} == {"log"}


def test_a_second_upstream_changes_nothing(workspace: Workspace) -> None:
    create_first_zone(workspace, "http://127.0.0.1:9000")
    before = workspace.state.current.read_bytes()
    assert create_first_zone(workspace, "http://127.0.0.1:9001") is None
    assert workspace.state.current.read_bytes() == before


def test_an_applied_policy_is_the_bundle(workspace: Workspace) -> None:
    create_first_zone(workspace, "http://127.0.0.1:1")
    applied = apply_policy(workspace, POLICY)
    assert (applied.version, applied.bundle) == (2, manifest_hash(workspace.state.current))
    assert part_of(workspace, "zone") == {
        "id": applied.zone_id,
        "name": "default",
        "hosts": ["api.example.com"],
        "upstreams": [{"url": "http://127.0.0.1:9000", "protocol": "http1", "ca_file": None, "server_name": None}],
        "timeouts": {"connect_seconds": 5.0, "read_seconds": 60.0, "idle_seconds": 60.0},
        "inspection_limit_bytes": 1048576,
        "merge_slashes": False,
        "observe": {
            "probability": 0.02,
            "full_per_minute": 60,
            "per_session_per_minute": 30,
            "max_leaves": 200,
            "body_copy_bytes": 65536,
            "literal_sessions": 5,
        },
        "block": {"status": 403, "show_violations": False},
    }
    operations = part_of(workspace, "operations")["operations"]
    assert [(saved["method"], saved["host"], saved["path"]) for saved in operations] == [
        ("GET", "*", "/users/{var1}"),
        ("POST", "api.example.com", "/~users/caf%C3%A9"),
    ]
    rules = part_of(workspace, "rules")["rules"]
    assert rules[0] == {
        "id": "operations.fallthrough",
        "phase": "request_head",
        "fact": "cf.api_gateway.fallthrough_detected",
        "action": "block",
        "violation": "operations.fallthrough",
        "fail": "closed",
    }
    assert [rule["id"] for rule in rules[1:]] == ["http.method_override", "http.method_override.form"]


def test_export_then_apply_changes_nothing_and_export_is_stable(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    text, bundle = export_policy(workspace), manifest_hash(workspace.state.current)
    applied = apply_policy(workspace, text)
    assert (applied.changes, applied.version) == ((), 1)
    assert (export_policy(workspace), manifest_hash(workspace.state.current)) == (text, bundle)


def test_the_order_of_operations_and_the_names_of_hosts_in_capitals_do_not_matter(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    head, first, second = POLICY.split("[[operations.saved]]")
    assert apply_policy(workspace, f"{head}[[operations.saved]]{second}[[operations.saved]]{first}").changes == ()


def test_history_says_who_when_what_and_which_bundle(workspace: Workspace) -> None:
    create_first_zone(workspace, "http://127.0.0.1:1")
    applied = apply_policy(workspace, POLICY)
    newest, oldest = policy_history(workspace)
    assert (newest.version, newest.bundle, newest.changes) == (2, applied.bundle, applied.changes)
    assert applied.changes == (
        "zone.hosts: adds api.example.com",
        "zone.upstreams: removes http://127.0.0.1:1 protocol=http1",
        "zone.upstreams: adds http://127.0.0.1:9000 protocol=http1",
        "operations.fallthrough: log → block",
        "saves operation GET /users/{id}",
        "saves operation POST /~users/caf%C3%A9 on api.example.com",
    )
    assert (oldest.version, oldest.changes) == (1, ("creates zone default",))
    assert oldest.committed_at <= newest.committed_at
    assert newest.author


def test_renaming_a_variable_is_a_change_of_words_only(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    before = part_of(workspace, "operations")
    applied = apply_policy(workspace, POLICY.replace("{id}", "{user}"))
    assert applied.changes == ("renames the variables of GET /users/{id} to GET /users/{user}",)
    assert part_of(workspace, "operations") == before


@pytest.mark.parametrize(
    "broken",
    [
        "format = ",
        POLICY.replace("block", "deny"),
        POLICY.replace("9000", "9000/x"),
        POLICY + '[[operations.saved]]\nmethod="GET"',
    ],
)
def test_a_broken_policy_never_replaces(workspace: Workspace, broken: str) -> None:
    apply_policy(workspace, POLICY, create=True)
    before = workspace.state.current.read_bytes()
    assert code_of(apply_policy, workspace, broken) == "policy.invalid"
    assert code_of(diff_policy, workspace, broken) == "policy.invalid"
    assert workspace.state.current.read_bytes() == before
    assert len(policy_history(workspace)) == 1


def test_what_the_engine_refuses_changes_nothing(workspace: Workspace) -> None:
    create_first_zone(workspace, "http://127.0.0.1:1")
    before = workspace.state.current.read_bytes()
    refusing = replace(workspace, check_bundle=lambda manifest, parts: [("operations[0].path", "not for me")])
    with pytest.raises(HoplonError) as caught:
        apply_policy(refusing, POLICY)
    assert [str(problem) for problem in caught.value.problems] == ["operations[0].path: not for me"]
    assert workspace.state.current.read_bytes() == before
    assert len(policy_history(workspace)) == 1


def test_a_full_disk_changes_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    create_first_zone(workspace, "http://127.0.0.1:1")
    before = workspace.state.current.read_bytes()

    def full(path: Path, content: bytes, **_options: bool) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("hoplon.storage.bundles.replace_file", full)
    assert code_of(apply_policy, workspace, POLICY) == "bundle.unwritable"
    assert workspace.state.current.read_bytes() == before
    assert len(policy_history(workspace)) == 1


def test_several_zones_share_a_bundle_but_no_host(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    apply_policy(workspace, second_zone(), create=True)
    assert [zone["name"] for zone in manifest_of(workspace)["zones"]] == ["default", "other"]
    assert part_of(workspace, "zone", 1)["hosts"] == ["other.example.com"]
    assert (
        code_of(apply_policy, workspace, second_zone('["api.example.com"]', "third"), create=True) == "policy.invalid"
    )
    overlapping = POLICY.replace('"default"', '"third"')
    assert code_of(apply_policy, workspace, overlapping, create=True) == "zone.overlap"
    assert code_of(find_zone, workspace, None) == "zone.missing"
    assert [policy.zone.name for _, policy in all_zones(workspace)] == ["default", "other"]


def test_a_changed_zone_leaves_the_others_parts_alone(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    apply_policy(workspace, second_zone(), create=True)
    before = part_of(workspace, "operations", 0)
    apply_policy(workspace, second_zone().replace("block", "log"))
    assert part_of(workspace, "operations", 0) == before
    assert [zone["policy_version"] for zone in manifest_of(workspace)["zones"]] == [1, 2]


def test_an_unknown_zone_is_not_created_by_accident(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    assert code_of(apply_policy, workspace, POLICY.replace('"default"', '"defualt"')) == "zone.unknown"


def test_a_zone_is_renamed_by_naming_it(workspace: Workspace) -> None:
    applied = apply_policy(workspace, POLICY, create=True)
    renamed = apply_policy(workspace, POLICY.replace('"default"', '"shop"'), zone="default")
    assert (renamed.zone_id, renamed.version) == (applied.zone_id, 2)
    assert find_zone(workspace, "shop").zone_id == applied.zone_id
    assert code_of(find_zone, workspace, "default") == "zone.unknown"


def test_a_name_is_taken_once(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    apply_policy(workspace, second_zone(), create=True)
    assert code_of(apply_policy, workspace, second_zone(name="default"), zone="other") == "zone.overlap"


def test_a_difference_is_what_apply_would_change(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    changed = POLICY.replace("block", "log").replace("/users/{id}", "/people/{id}")
    difference = diff_policy(workspace, changed, "new.toml")
    assert "--- default (version 1)\n+++ new.toml\n" in difference.unified
    assert '+    { method = "GET", host = "*", path = "/people/{id}" },\n' in difference.unified
    assert apply_policy(workspace, changed).changes == difference.changes
    assert diff_policy(workspace, changed).unified == ""


def test_a_lost_bundle_is_put_back_byte_for_byte(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    before = workspace.state.current.read_bytes()
    for part in workspace.state.bundle_parts.iterdir():
        part.write_bytes(b"torn")
    workspace.state.current.unlink()
    assert ensure_bundle(workspace) == hashlib.sha256(before).hexdigest()
    assert workspace.state.current.read_bytes() == before
    assert part_of(workspace, "operations")["operations"]


def test_only_parts_that_somebody_may_load_are_kept(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    last_good = workspace.state.current.read_bytes()
    workspace.state.last_good.write_bytes(last_good)
    for limit in range(KEPT_MANIFESTS + 5):
        apply_policy(workspace, f"{POLICY}[zone.inspection]\nlimit_bytes = {limit}\n")
    digests = {part["sha256"] for part in json.loads(last_good)["parts"]}
    assert all((workspace.state.bundle_parts / digest).exists() for digest in digests)
    assert len(list((workspace.state.bundles / "history").iterdir())) == KEPT_MANIFESTS
    assert len(list(workspace.state.bundle_parts.iterdir())) == KEPT_MANIFESTS + 3


def test_concurrent_changes_are_all_committed_one_after_another(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    texts = [f"{POLICY}[zone.inspection]\nlimit_bytes = {limit}\n" for limit in range(8)]
    threads = [threading.Thread(target=apply_policy, args=(workspace, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = policy_history(workspace)
    assert [version.version for version in history] == list(range(9, 0, -1))
    assert history[0].bundle == manifest_hash(workspace.state.current)


def test_an_upstream_that_is_no_url_is_refused_before_anything_is_made(workspace: Workspace) -> None:
    assert code_of(create_first_zone, workspace, "127.0.0.1:9000") == "settings.invalid"
    assert all_zones(workspace) == []


def test_rolling_back_makes_a_new_version_of_an_old_policy(workspace: Workspace) -> None:
    texts = [POLICY, POLICY.replace("block", "log"), POLICY.replace("/users/{id}", "/people/{id}")]
    for text in texts:
        apply_policy(workspace, text, create=True)
    first, bundle = export_policy(workspace, version=1), part_of(workspace, "operations")
    applied = rollback_policy(workspace, to_version=1)
    assert (applied.version, applied.bundle) == (4, manifest_hash(workspace.state.current))
    assert applied.changes == ("removes operation GET /people/{id}", "saves operation GET /users/{id}")
    assert policy_history(workspace)[0].changes == ("rolls back to version 1", *applied.changes)
    assert export_policy(workspace) == first
    assert rollback_policy(workspace).version == 5
    assert part_of(workspace, "operations") == bundle


def test_rolling_back_to_what_is_there_makes_no_version(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    apply_policy(workspace, POLICY.replace("block", "log"))
    apply_policy(workspace, POLICY)
    assert rollback_policy(workspace, to_version=1).version == 3


def test_a_version_that_never_was_or_cannot_be_again_is_refused(workspace: Workspace) -> None:
    apply_policy(workspace, POLICY, create=True)
    for version in (0, 2, -1):
        assert code_of(rollback_policy, workspace, to_version=version) == "policy.version_unknown"
    assert code_of(rollback_policy, workspace) == "policy.version_unknown"
    apply_policy(workspace, POLICY.replace("api.example.com", "www.example.com").replace("API.", "www."))
    apply_policy(
        workspace, second_zone('["api.example.com"]').replace("other.example.com", "api.example.com"), create=True
    )
    assert code_of(rollback_policy, workspace, "default", 1) == "zone.overlap"
    assert find_zone(workspace, "default").version == 2


def test_every_version_can_be_exported(workspace: Workspace) -> None:
    texts = []
    for limit, paths in enumerate([["/a"], ["/a", "/b"], ["/b/{x}"], ["/b/{y}", "/a"], []]):
        saved = "".join(f'[[operations.saved]]\nmethod = "GET"\npath = "{path}"\n' for path in paths)
        head = POLICY.split("[[operations.saved]]", maxsplit=1)[0].replace("block", "log")
        text = f"{head}{saved}[zone.inspection]\nlimit_bytes = {limit // 2}\n"
        apply_policy(workspace, text, create=True)
        texts.append(export_policy(workspace))
    assert [export_policy(workspace, version=number + 1) for number in range(len(texts))] == texts


def test_an_assembly_that_fails_leaves_the_bundle_and_is_made_up_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_policy(workspace, POLICY, create=True)
    before = manifest_hash(workspace.state.current)
    with monkeypatch.context() as full:
        full.setattr(
            "hoplon.service.assembler.activate_bundle",
            lambda *_: (_ for _ in ()).throw(HoplonError("bundle.unwritable", "no space left")),
        )
        assert code_of(apply_policy, workspace, POLICY.replace("block", "log")) == "bundle.unwritable"
    assert (manifest_hash(workspace.state.current), policy_history(workspace)[0].bundle) == (before, None)
    assert ensure_bundle(workspace) == manifest_hash(workspace.state.current) == policy_history(workspace)[0].bundle
