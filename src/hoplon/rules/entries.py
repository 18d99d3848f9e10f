"""A rule's members that look alike in the bundle's rules and limits."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hoplon.model.rules import Rule
from hoplon.policy.feature import Saved
from hoplon.rules.faults import operation_ids, operation_index


def running(rules: Sequence[Rule], saved: Sequence[Saved]) -> Iterator[tuple[Rule, dict[str, Any]]]:
    """The rules that can match, each with `id`, `fail` and, where it says so, `operations` and `response`.

    One that is disabled, or is about operations of which none is saved, cannot.
    """
    index: Mapping[str, str] | None = None
    for rule in rules:
        if not rule.is_enabled:
            continue
        if rule.operations and index is None:
            index = operation_index(saved)
        ids = operation_ids(rule, index)[0] if rule.operations and index is not None else []
        if ids or not rule.operations:
            yield rule, _members(rule, ids)


def _members(rule: Rule, operations: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": rule.id, "fail": rule.fail}
    if operations:
        entry["operations"] = operations
    if rule.response is not None:
        entry["response"] = {
            "status": rule.response.status_code,
            "content_type": rule.response.content_type,
            "content": rule.response.content,
        }
    return entry
