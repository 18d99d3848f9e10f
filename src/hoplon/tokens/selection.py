"""Which token rule applies to which operation: the first enabled one whose hosts take it and that does not exclude it.

An operation saved for any host (or for a pattern) may come under one rule on one host and under another elsewhere.
"""

from collections.abc import Callable, Sequence
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
    groups: dict[tuple[int, frozenset[str] | None, frozenset[str]], list[str]] = {}
    enabled = [
        (index, rule, frozenset(map(operation_of, rule.exclude))) for index, rule in enumerate(rules) if rule.enabled
    ]
    for operation in operations:
        taken: frozenset[str] = frozenset()
        for index, rule, excluded in enabled:
            selected = None if operation.id in excluded else select(rule.hosts, operation.host)
            if selected is None:
                continue
            if selected.is_whole:
                groups.setdefault((index, None, taken), []).append(operation.id)
                break
            if more := selected.hosts - taken:
                groups.setdefault((index, more, frozenset()), []).append(operation.id)
            taken |= selected.hosts
    return [
        Applied(rules[index], hosts, others, tuple(sorted(ids)))
        for (index, hosts, others), ids in sorted(groups.items(), key=lambda item: _order(*item[0]))
    ]


def select(hosts: Sequence[str], operation_host: str) -> Selected | None:
    """What a list of hosts (empty, or with `*`: every host) takes of an operation; None: nothing."""
    if not hosts or ANY_HOST in hosts or operation_host in hosts:
        return Selected(is_whole=True)
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
