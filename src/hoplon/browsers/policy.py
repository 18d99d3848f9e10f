"""The `[browsers]` table: what happens to a request that asks the application to take another method than its own, and
which saved operations are meant to take one. Compiles to two rules: head and query, and forms in the body."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from hoplon.errors import Problem
from hoplon.model.policy import ZonePolicy
from hoplon.policy.feature import Compiled, Surroundings, Table

Action = Literal["none", "log", "block"]
OperationId = Callable[[str, str, str], UUID | str]
"""Method, host and path to the id of that operation."""
MAX_TAKEN_BY = 1_000
_RULES = (
    ("http.method_override", "hoplon.method_override", "request_head"),
    ("http.method_override.form", "hoplon.method_override.form", "request_body"),
)
"""Id of the rule, which is its violation's code too; the fact that it asks; when it can."""


class TakenByTable(Table):
    """One saved operation, named as in `operations.saved`."""

    method: str
    path: str
    host: str = "*"


class BrowsersTable(Table):
    """What is done, and where it is not."""

    method_override: Action = "log"
    taken_by: tuple[TakenByTable, ...] = Field(default=(), max_length=MAX_TAKEN_BY, strict=False)


@dataclass(frozen=True, slots=True)
class TakenBy:
    """An operation that is meant to take another method. The id says which one; the rest is how it is written."""

    operation_id: str
    method: str = field(compare=False)
    host: str = field(compare=False)
    path: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + ("" if self.host == "*" else f" on {self.host}")


@dataclass(frozen=True, slots=True)
class BrowsersPolicy:
    """The feature's policy."""

    method_override: Action = "log"
    taken_by: tuple[TakenBy, ...] = ()


class BrowsersFeature:
    """Browsers' side of policy (see `hoplon.policy.feature.Feature`). How an operation gets its id is handed in."""

    name = "browsers"
    table: type[Table] = BrowsersTable

    def __init__(self, operation_id: OperationId) -> None:
        self._operation_id = operation_id

    def read(self, table: BrowsersTable) -> BrowsersPolicy:
        return BrowsersPolicy(table.method_override, tuple(self._read_taken_by(each) for each in table.taken_by))

    def _read_taken_by(self, table: TakenByTable) -> TakenBy:
        host = table.host.lower()
        identity = str(self._operation_id(table.method, host, table.path))
        return TakenBy(identity, table.method, host, table.path)

    def write(self, policy: BrowsersPolicy) -> dict[str, Any]:
        table: dict[str, Any] = {"method_override": policy.method_override}
        if policy.taken_by:
            each = sorted(policy.taken_by, key=attrgetter("host", "path", "method"))
            table["taken_by"] = [{"method": one.method, "host": one.host, "path": one.path} for one in each]
        return table

    def check(self, policy: BrowsersPolicy, zone: ZonePolicy) -> list[Problem]:
        first: dict[str, int] = {}
        places = [first.setdefault(each.operation_id, index) for index, each in enumerate(policy.taken_by)]
        return [
            Problem(f"browsers.taken_by[{index}]", f"{policy.taken_by[index]} is there twice", "remove one")
            for index, place in enumerate(places)
            if place != index
        ]

    def compile(self, policy: BrowsersPolicy, around: Surroundings) -> Compiled:
        return Compiled({}, tuple(_compile_rules(policy)))

    def describe(self, old: BrowsersPolicy, new: BrowsersPolicy) -> Sequence[str]:
        sentences = []
        if old.method_override != new.method_override:
            sentences.append(f"browsers.method_override: {old.method_override} → {new.method_override}")
        sentences += [f"{each} no longer takes another method" for each in old.taken_by if each not in new.taken_by]
        sentences += [f"{each} takes another method" for each in new.taken_by if each not in old.taken_by]
        return sentences


def _compile_rules(policy: BrowsersPolicy) -> Iterator[dict[str, Any]]:
    """Head and query first: they are known before the body is."""
    if policy.method_override == "none":
        return
    declared = sorted(each.operation_id for each in policy.taken_by)
    for rule, fact, phase in _RULES:
        asked = {"when": _unless_called(fact, declared)} if declared else {"fact": fact, "phase": phase}
        action = policy.method_override
        fail = "closed" if action == "block" else "open"
        yield {"id": rule, **asked, "action": action, "violation": rule, "fail": fail}


def _unless_called(fact: str, operations: list[str]) -> dict[str, Any]:
    """The program `fact and not hoplon.operation.id in {operations}`."""
    called = [["fact", "hoplon.operation.id"], ["in", 1, {"strs": operations}], ["not", 2]]
    return {"nodes": [["fact", fact], *called, ["and", 0, 3]]}
