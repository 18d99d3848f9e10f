"""Differences in words: each change one sentence, in a stable order, nothing for nothing."""

from dataclasses import replace

from hoplon.model.policy import Block, Policy, Upstream
from hoplon.policy.difference import describe_change, unified
from hoplon.service.features import FEATURES
from hoplon.service.policy import default_policy

DEFAULT = default_policy("http://127.0.0.1:1")


def changed(**members: object) -> tuple[str, ...]:
    zone = replace(DEFAULT.zone, **members)  # type: ignore[arg-type]
    return describe_change(DEFAULT, Policy(zone, DEFAULT.features), FEATURES)


def test_nothing_changes() -> None:
    assert changed() == ()


def test_a_new_zone() -> None:
    assert describe_change(None, DEFAULT, FEATURES) == ("creates zone default",)


def test_values() -> None:
    assert changed(merge_slashes=True, block=Block(404, show_violations=True)) == (
        "zone.block.show_violations: false → true",
        "zone.block.status: 403 → 404",
        "zone.merge_slashes: false → true",
    )


def test_lists() -> None:
    first, second = Upstream("http://127.0.0.1:1"), Upstream("https://127.0.0.1:2", "http2", "ca.pem", "x")
    assert changed(upstreams=(first, second)) == (
        "zone.upstreams: adds https://127.0.0.1:2 protocol=http2 ca_file=ca.pem server_name=x",
    )
    both = Policy(replace(DEFAULT.zone, upstreams=(first, second)), DEFAULT.features)
    turned = Policy(replace(DEFAULT.zone, upstreams=(second, first)), DEFAULT.features)
    assert describe_change(both, turned, FEATURES) == ("zone.upstreams: changes the order",)


def test_lines() -> None:
    assert unified("a\nb\n", "a\nc\n", "old", "new") == "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert unified("a\n", "a\n", "old", "new") == ""
