"""What changes between two policies of a zone: in words, key by key, and as a unified diff of the canonical texts."""

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import Any

from hoplon.model.policy import Policy, ZonePolicy
from hoplon.policy.feature import Feature
from hoplon.policy.zone import write_zone


def describe_change(old: Policy | None, new: Policy, features: Sequence[Feature]) -> tuple[str, ...]:
    """Sentences for people; empty when nothing changes. `old` is None for a new zone."""
    if old is None:
        return (f"creates zone {new.zone.name}",)
    sentences = list(describe_zone(old.zone, new.zone))
    for feature in features:
        sentences += feature.describe(old.features[feature.name], new.features[feature.name])
    return tuple(sentences)


def unified(old_text: str, new_text: str, old_name: str, new_name: str) -> str:
    """The unified diff of two canonical texts, "" when they are the same."""
    lines = unified_diff(old_text.splitlines(), new_text.splitlines(), old_name, new_name, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def describe_zone(old: ZonePolicy, new: ZonePolicy) -> Iterator[str]:
    """What changes in the `[zone]` table, key by key."""
    before, after = dict(_leaves(write_zone(old))), dict(_leaves(write_zone(new)))
    for path in sorted(before.keys() | after.keys()):
        was, becomes = before.get(path), after.get(path)
        if isinstance(was, tuple) or isinstance(becomes, tuple):
            yield from _describe_list(f"zone.{path}", was or (), becomes or ())
        elif was != becomes:
            yield f"zone.{path}: {_word(was)} → {_word(becomes)}"


def _describe_list(path: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{path}: removes {item}" for item in old if item not in new)
    yield from (f"{path}: adds {item}" for item in new if item not in old)
    if sorted(old) == sorted(new) and old != new:
        yield f"{path}: changes the order"


def _leaves(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield prefix + name, tuple(_item(item) for item in value)
        else:
            yield prefix + name, value


def _item(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    return " ".join(str(value) if name == "url" else f"{name}={value}" for name, value in item.items())


def _word(value: object) -> str:
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)
