"""Which operation carries which label: attach, detach and replace, for one operation, for many, or for one label.

All or nothing: what is unknown, or not for people to attach, is an error at its place and changes nothing.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hoplon.errors import HoplonError, Problem
from hoplon.labels.attach import attach_fault
from hoplon.labels.managed import MANAGED_PREFIX
from hoplon.labels.names import MAX_PER_OPERATION
from hoplon.model.actor import Actor
from hoplon.model.labels import Attachment, Label, LabelledOperation, Source
from hoplon.model.operation import Operation
from hoplon.model.versioned import Versioned
from hoplon.service.changes import ZoneChange, changing_zone
from hoplon.service.labels import find_label, managed_labels, version_after
from hoplon.service.workspace import Workspace
from hoplon.storage import labels as store
from hoplon.storage import operations

How = Literal["attach", "detach", "replace"]
Marks = frozenset[tuple[Source, str]]
"""Labels by source and name."""
_AUDITED_IDS = 100
"""So many operations of one change are named in the audit log; of the rest the number."""


@dataclass(frozen=True, slots=True)
class NamedLabels:
    """Labels of one source that a request names, and where in it they stand."""

    source: Source
    names: Sequence[str]
    place: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The operations that a request names, and where in it they stand; None: in its path."""

    operation_ids: Sequence[str]
    place: str | None = None


def after(how: How, carried: Marks, named: Marks) -> Marks:
    """The labels that an operation carries after a request that names some."""
    return _AFTER[how](carried, named)


_AFTER: Mapping[How, Callable[[Marks, Marks], Marks]] = {
    "attach": lambda carried, named: carried | named,
    "detach": lambda carried, named: carried - named,
    "replace": lambda _, named: named,
}


def label_operations(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    how: How,
    selection: Selection,
    labels: Sequence[NamedLabels],
    if_match: int | None = None,
) -> Versioned[list[LabelledOperation]]:
    """Attach labels to operations, detach them, or make them the only ones; the operations as they are then.

    Raises `operation.unknown`, `label.invalid`, `label.too_many`.
    """
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        found = _operations(change, selection)
        known = {label.name: label for label in store.labels_at(change.connection, zone_id)}
        _check_labels(labels, known)
        named: Marks = frozenset((each.source, name) for each in labels for name in each.names)
        before = _carried(change, found)
        marks = {key: after(how, before[key], named) for key in found}
        _check_counts(marks)
        _write(change, found, before, marks)
        if change.changes:
            change.audit(how, "operation_labels", zone_id, _details(selection, labels))
    every = {(label.source, label.name): label for label in [*managed_labels(), *known.values()]}
    done = [LabelledOperation(found[key], [every[mark] for mark in sorted(marks[key])]) for key in found]
    return Versioned(done, version_after(change))


def set_operations(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    label: NamedLabels,
    selection: Selection,
    if_match: int | None = None,
) -> Versioned[Label]:
    """Make these the only operations that carry the one label; the label with its count then.

    Raises `label.unknown`, `label.invalid`, `operation.unknown`, `label.too_many`.
    """
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        source, name = label.source, label.names[0]
        target = find_label(change.connection, zone_id, source, name)
        if fault := attach_fault(name, (name,) if source == "user" else ()):
            raise HoplonError("label.invalid", *fault)
        found = _operations(change, selection)
        old = {each.operation_id for each in store.attachments_to(change.connection, zone_id, source, name)}
        left = operations.by_ids(change.connection, zone_id, old - found.keys())
        before = _carried(change, {**left, **found})
        mark: Marks = frozenset({(source, name)})
        marks = {key: before[key] | mark if key in found else before[key] - mark for key in before}
        _check_counts(marks)
        _write(change, {**left, **found}, before, marks)
        if change.changes:
            change.audit("replace", "operation_labels", zone_id, _details(selection, [label]))
    return Versioned(replace(target, operation_count=len(found)), version_after(change))


def _operations(change: ZoneChange, selection: Selection) -> dict[str, Operation]:
    """The operations that are meant, by id, in the order of the request."""
    wanted = dict.fromkeys(selection.operation_ids)
    found = operations.by_ids(change.connection, change.zone_id, wanted)
    unknown = tuple(_unknown_operations(selection, found))
    if unknown:
        raise HoplonError("operation.unknown", unknown[0].message, None, unknown if selection.place else ())
    return {key: found[key] for key in wanted}


def _unknown_operations(selection: Selection, found: Mapping[str, Operation]) -> Iterator[Problem]:
    for index, key in enumerate(selection.operation_ids):
        if key not in found:
            yield Problem(f"{selection.place}[{index}]", f"there is no operation `{key[:80]}`")


def _check_labels(labels: Sequence[NamedLabels], known: Collection[str]) -> None:
    problems = tuple(
        Problem(f"{each.place}[{index}]", *fault)
        for each in labels
        for index, name in enumerate(each.names)
        if (fault := _fault(each.source, name, known))
    )
    if problems:
        raise HoplonError("label.invalid", "some labels cannot be attached; nothing was changed", None, problems)


def _fault(source: Source, name: str, known: Collection[str]) -> tuple[str, str] | None:
    """What a name means depends on where it stands: `user` names the zone's own labels only."""
    is_managed = name.startswith(MANAGED_PREFIX)
    if is_managed == (source == "managed"):
        return attach_fault(name, known)
    return f"`{name[:80]}` is no {source} label", f"name it under `{'managed' if is_managed else 'user'}`"


def _check_counts(marks: Mapping[str, Marks]) -> None:
    for key, carried in marks.items():
        if len(carried) > MAX_PER_OPERATION:
            message = f"operation {key} would carry {len(carried)} labels, at most {MAX_PER_OPERATION} are possible"
            raise HoplonError("label.too_many", f"{message}; nothing was changed")


def _carried(change: ZoneChange, keys: Collection[str]) -> dict[str, Marks]:
    """The labels that these operations carry now."""
    carried: dict[str, set[tuple[Source, str]]] = {key: set() for key in keys}
    for each in store.attachments_of(change.connection, change.zone_id, keys):
        carried[each.operation_id].add((each.source, each.label))
    return {key: frozenset(marks) for key, marks in carried.items()}


def _write(
    change: ZoneChange,
    found: Mapping[str, Operation],
    before: Mapping[str, Marks],
    marks: Mapping[str, Marks],
) -> None:
    added = [Attachment(key, *mark) for key in marks for mark in sorted(marks[key] - before[key])]
    gone = [Attachment(key, *mark) for key in marks for mark in sorted(before[key] - marks[key])]
    store.detach(change.connection, change.zone_id, change.new_version, gone)
    store.attach(change.connection, change.zone_id, change.new_version, added)
    change.describe(*(f"detaches label {each.label} from {spelled(found[each.operation_id])}" for each in gone))
    change.describe(*(f"attaches label {each.label} to {spelled(found[each.operation_id])}" for each in added))


def spelled(operation: Operation) -> str:
    """An operation in a sentence."""
    return f"{operation.method} {operation.path}" + ("" if operation.host == "*" else f" on {operation.host}")


def _details(selection: Selection, labels: Sequence[NamedLabels]) -> dict[str, object]:
    named: dict[str, object] = {each.source: list(each.names) for each in labels}
    ids = list(selection.operation_ids)
    return {**named, "operations": len(ids), "operation_ids": ids[:_AUDITED_IDS]}
