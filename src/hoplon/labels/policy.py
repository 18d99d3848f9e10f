"""The `[labels]` table: the zone's own labels, and which saved operation has which. The engine hears nothing of it.

A name says whose label it is (managed ones begin with `cf-`), so one list per operation names both.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from uuid import UUID

from pydantic import Field

from hoplon.errors import Problem
from hoplon.labels.attach import attach_fault
from hoplon.labels.names import (
    MAX_LABELS,
    MAX_PER_OPERATION,
    description_fault,
    metadata_fault,
    metadata_text,
    name_fault,
    parse_metadata,
)
from hoplon.model.policy import ZonePolicy
from hoplon.policy.feature import Compiled, Surroundings, Table

MAX_LABELLED = 100_000
OperationId = Callable[[str, str, str], UUID | str]
"""Method, host and path to the id of that operation."""


class UserLabelTable(Table):
    """One label of the zone. `metadata` is a JSON text: TOML has no null."""

    name: str
    description: str = ""
    metadata: str = "null"


class AttachedTable(Table):
    """The labels of one saved operation, named as in `operations.saved`."""

    method: str
    path: str
    host: str = "*"
    labels: tuple[str, ...] = Field(min_length=1, strict=False)


class LabelsTable(Table):
    """The zone's labels and where they are."""

    user: tuple[UserLabelTable, ...] = Field(default=(), max_length=MAX_LABELS, strict=False)
    attached: tuple[AttachedTable, ...] = Field(default=(), max_length=MAX_LABELLED, strict=False)


@dataclass(frozen=True, slots=True)
class UserLabel:
    """One label of the zone; `metadata` as its canonical JSON text."""

    name: str
    description: str = ""
    metadata: str = "null"


@dataclass(frozen=True, slots=True)
class Attached:
    """The labels of one operation, sorted. The id says which operation is meant; the rest is how it is written."""

    operation_id: str
    labels: tuple[str, ...]
    method: str = field(compare=False)
    host: str = field(compare=False)
    path: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + ("" if self.host == "*" else f" on {self.host}")


@dataclass(frozen=True, slots=True)
class LabelsPolicy:
    """The feature's policy."""

    user: tuple[UserLabel, ...] = ()
    attached: tuple[Attached, ...] = ()


class LabelsFeature:
    """Labels' side of policy (see `hoplon.policy.feature.Feature`). How an operation gets its id is handed in."""

    name = "labels"
    table: type[Table] = LabelsTable

    def __init__(self, operation_id: OperationId) -> None:
        self._operation_id = operation_id

    def read(self, table: LabelsTable) -> LabelsPolicy:
        user = tuple(UserLabel(each.name, each.description, _canonical(each.metadata)) for each in table.user)
        return LabelsPolicy(user, tuple(self._read_attached(each) for each in table.attached))

    def _read_attached(self, table: AttachedTable) -> Attached:
        host = table.host.lower()
        identity = str(self._operation_id(table.method, host, table.path))
        return Attached(identity, tuple(sorted(set(table.labels))), table.method, host, table.path)

    def write(self, policy: LabelsPolicy) -> dict[str, Any]:
        user = sorted(policy.user, key=attrgetter("name"))
        attached = sorted(policy.attached, key=attrgetter("host", "path", "method"))
        return {"user": [_write_label(each) for each in user], "attached": [_write_attached(each) for each in attached]}

    def check(self, policy: LabelsPolicy, zone: ZonePolicy) -> list[Problem]:
        known = {label.name for label in policy.user}
        return [
            *(problem for index, label in enumerate(policy.user) for problem in _check_label(index, label)),
            *_check_twice("user", "label", [label.name for label in policy.user]),
            *(problem for index, each in enumerate(policy.attached) for problem in _check_attached(index, each, known)),
            *_check_twice("attached", "operation", [each.operation_id for each in policy.attached]),
        ]

    def compile(self, policy: LabelsPolicy, around: Surroundings) -> Compiled:
        return Compiled({})

    def describe(self, old: LabelsPolicy, new: LabelsPolicy) -> Sequence[str]:
        return [*_describe_labels(old.user, new.user), *_describe_attached(old.attached, new.attached)]


def _canonical(metadata: str) -> str:
    """The canonical text of metadata; what is no JSON stays as it is, for the check to quote."""
    try:
        return metadata_text(parse_metadata(metadata))
    except (ValueError, RecursionError):
        return metadata


def _write_label(label: UserLabel) -> dict[str, Any]:
    table = {"name": label.name, "description": label.description}
    return table if label.metadata == "null" else {**table, "metadata": label.metadata}


def _write_attached(each: Attached) -> dict[str, Any]:
    return {"method": each.method, "host": each.host, "path": each.path, "labels": list(each.labels)}


def _check_label(index: int, label: UserLabel) -> Iterator[Problem]:
    path = f"labels.user[{index}]"
    if fault := name_fault(label.name):
        yield Problem(f"{path}.name", *fault)
    if fault := description_fault(label.description):
        yield Problem(f"{path}.description", *fault)
    try:
        fault = metadata_fault(parse_metadata(label.metadata))
    except (ValueError, RecursionError) as error:
        fault = (f"not JSON: {error}", 'for example metadata = "{\\"team\\": \\"payments\\"}"')
    if fault:
        yield Problem(f"{path}.metadata", *fault)


def _check_twice(table: str, what: str, keys: Sequence[str]) -> Iterator[Problem]:
    if len(set(keys)) == len(keys):
        return
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        earlier = first.setdefault(key, index)
        if earlier != index:
            yield Problem(f"labels.{table}[{index}]", f"the same {what} as labels.{table}[{earlier}]", "remove one")


def _check_attached(index: int, each: Attached, known: set[str]) -> Iterator[Problem]:
    path = f"labels.attached[{index}].labels"
    if len(each.labels) > MAX_PER_OPERATION:
        yield Problem(path, f"an operation has at most {MAX_PER_OPERATION} labels, not {len(each.labels)}")
    for name in each.labels:
        if fault := attach_fault(name, known):
            yield Problem(path, *fault)


def _describe_labels(old: Sequence[UserLabel], new: Sequence[UserLabel]) -> Iterator[str]:
    before, after = {each.name: each for each in old}, {each.name: each for each in new}
    yield from (f"removes label {name}" for name in before if name not in after)
    yield from (f"adds label {name}" for name in after if name not in before)
    yield from (f"changes label {name}" for name in after if name in before and before[name] != after[name])


def _describe_attached(old: Sequence[Attached], new: Sequence[Attached]) -> Iterator[str]:
    before, after = {each.operation_id: each for each in old}, {each.operation_id: each for each in new}
    for key in [*before, *(key for key in after if key not in before)]:
        was, becomes = _labels_at(before, key), _labels_at(after, key)
        spelled = after.get(key) or before[key]
        yield from (f"detaches label {name} from {spelled}" for name in sorted(was - becomes))
        yield from (f"attaches label {name} to {spelled}" for name in sorted(becomes - was))


def _labels_at(attached: Mapping[str, Attached], key: str) -> set[str]:
    return set(attached[key].labels) if key in attached else set()
