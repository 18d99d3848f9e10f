"""Bundles: a pure function of the committed versions; parts named by their content."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hoplon.model.policy import ZonePolicy
from hoplon.policy.assembly import ZoneVersion, assemble, check_zones
from hoplon.service.features import FEATURES
from hoplon.service.policy import default_policy

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, UTC)
ZONE = ZoneVersion("a" * 32, 3, NOON, default_policy("http://127.0.0.1:1"))
OTHER = ZoneVersion(
    "b" * 32,
    1,
    NOON + timedelta(seconds=1),
    replace(ZONE.policy, zone=replace(ZONE.policy.zone, name="b", hosts=("b",))),
)


def test_the_same_versions_give_the_same_bytes() -> None:
    first, second = assemble([ZONE, OTHER], FEATURES), assemble([ZONE, OTHER], FEATURES)
    assert (first.manifest, first.parts) == (second.manifest, second.parts)
    assert first.hash == hashlib.sha256(first.manifest).hexdigest()


def test_the_manifest() -> None:
    manifest = json.loads(assemble([ZONE, OTHER], FEATURES).manifest)
    assert (manifest["format"], manifest["created_at"]) == (1, "2026-01-02T12:00:01.123456Z")
    assert manifest["zones"] == [
        {"id": "a" * 32, "name": "default", "policy_version": 3},
        {"id": "b" * 32, "name": "b", "policy_version": 1},
    ]
    assert [(part["kind"], part["zone"][0], part["format"]) for part in manifest["parts"]] == [
        ("zone", "a", 1),
        ("operations", "a", 1),
        ("rules", "a", 1),
        ("zone", "b", 1),
        ("operations", "b", 1),
        ("rules", "b", 1),
    ]


def test_every_part_is_named_by_its_content() -> None:
    bundle = assemble([ZONE, OTHER], FEATURES)
    for part in json.loads(bundle.manifest)["parts"]:
        content = bundle.parts[part["sha256"]]
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (part["sha256"], part["bytes"])


def test_zones_that_claim_the_same_host_or_name() -> None:
    def zone(name: str, *hosts: str) -> ZonePolicy:
        return replace(ZONE.policy.zone, name=name, hosts=hosts)

    assert check_zones([zone("a"), zone("b", "x"), zone("c", "{t}.x")]) == ()
    assert len(check_zones([zone("a"), zone("b")])) == 1
    assert len(check_zones([zone("a", "x"), zone("b", "y", "x")])) == 1
    assert len(check_zones([zone("a", "{t}.x"), zone("b", "{u}.x")])) == 1
    assert [problem.path for problem in check_zones([zone("a", "x"), zone("a", "y")])] == ["zone.name"]
