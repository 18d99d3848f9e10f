"""Which token rule applies to which operation: the first enabled one whose hosts take it and that does not exclude it.

An operation saved for any host (or for a pattern) may come under one rule on one host and under another elsewhere.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

from hoplon.catalog.selector import read_spelled
from hoplon.policy.feature import Saved
from hoplon.tokens.model import ANY_HOST, TokenRule

OperationId = Callable[[str, str, str], UUID | str]
"""Method, host and path to the id of that operation."""
OperationOf = Callable[[str], str]
"""What names an operation (its id, or words) to its id."""
State = Literal["included", "excluded", "ignored"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Applied:
    """One rule on some operations: on `hosts` only (None: on every host), and not on `others`, which have their own."""

    rule: TokenRule
    hosts: frozenset[str] | None
    others: frozenset[str]
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selected:
    """What a selector makes of one operation: all of it, or only on the named ones of its hosts."""

    is_whole: bool
    hosts: frozenset[str] = frozenset()


def apply_rules(rules: Sequence[TokenRule], operations: Sequence[Saved], operation_of: OperationOf) -> list[Applied]:
    """Every rule with the operations that it applies to, in the rules' order."""
    groups: dict[_Group, list[str]] = {}
    enabled = [
        (index, rule, frozenset(map(operation_of, rule.exclude))) for index, rule in enumerate(rules) if rule.enabled
    ]
    excluded_by_some = frozenset[str]().union(*(excluded for _, _, excluded in enabled))
    by_host: dict[str, list[_Candidate]] = {}
    usual: dict[str, list[_Group]] = {}
    for operation in operations:
        if operation.host not in by_host:
            by_host[operation.host] = _candidates(enabled, operation.host)
            usual[operation.host] = list(_groups_of("", by_host[operation.host]))
        is_special = operation.id in excluded_by_some
        for group in _groups_of(operation.id, by_host[operation.host]) if is_special else usual[operation.host]:
            groups.setdefault(group, []).append(operation.id)
    return [
        Applied(rules[index], hosts, others, tuple(sorted(ids)))
        for (index, hosts, others), ids in sorted(groups.items(), key=lambda item: _order(*item[0]))
    ]


_Group = tuple[int, frozenset[str] | None, frozenset[str]]
"""The index of a rule, the hosts on which it applies (None: all) and those on which it does not."""
_Candidate = tuple[int, frozenset[str], Selected]


def _candidates(enabled: Sequence[tuple[int, TokenRule, frozenset[str]]], host: str) -> list[_Candidate]:
    """The rules that are about operations of this host, in order."""
    found = ((index, excluded, select(rule.hosts, host)) for index, rule, excluded in enabled)
    return [(index, excluded, selected) for index, excluded, selected in found if selected is not None]


def _groups_of(operation_id: str, candidates: Sequence[_Candidate]) -> Iterator[_Group]:
    """Which rules apply to one operation, on which of its hosts; rules that are about its host are candidates."""
    taken: frozenset[str] = frozenset()
    for index, excluded, selected in candidates:
        if operation_id in excluded:
            continue
        if selected.is_whole:
            yield index, None, taken
            return
        if more := selected.hosts - taken:
            yield index, more, frozenset()
        taken |= selected.hosts


def select(hosts: Sequence[str], operation_host: str) -> Selected | None:
    """What a list of hosts (empty, or with `*`: every host) takes of an operation; None: nothing."""
    if not hosts or ANY_HOST in hosts or operation_host in hosts:
        return Selected(is_whole=True)
    if operation_host != ANY_HOST and "{" not in operation_host:
        return None
    fitting = frozenset(host for host in hosts if _fits(operation_host, host))
    return Selected(is_whole=False, hosts=fitting) if fitting else None


def state_of(hosts: Sequence[str], excluded: frozenset[str], operation: Saved) -> State:
    """What a selector says about one operation, as a preview shows it."""
    if select(hosts, operation.host) is None:
        return "ignored"
    return "excluded" if operation.id in excluded else "included"


def operation_of(operation_id: OperationId) -> OperationOf:
    """How to get from what names an operation to its id, given how an id is made of method, host and path."""

    def find(text: str) -> str:
        spelled = read_spelled(text)
        return text.strip() if spelled is None else str(operation_id(*spelled))

    return find


def _fits(pattern: str, host: str) -> bool:
    """Whether an operation saved for `pattern` (`*`, or with variable labels) can be asked on `host`."""
    if pattern == ANY_HOST:
        return True
    labels, given = pattern.split("."), host.split(".")
    return len(labels) == len(given) and all(
        label.startswith("{") or label == other for label, other in zip(labels, given, strict=True)
    )


def _order(index: int, hosts: frozenset[str] | None, others: frozenset[str]) -> tuple[int, list[str], list[str]]:
    return index, sorted(hosts or ()), sorted(others)
