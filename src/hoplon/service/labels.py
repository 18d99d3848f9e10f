"""The labels of a zone: made, changed and deleted, listed with how often they are used. Managed ones are only listed.

Which operation carries which label is beside, in `service.attachments`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import Connection

from hoplon.errors import HoplonError, Problem
from hoplon.labels.managed import CATALOGUE_SINCE, MANAGED
from hoplon.labels.names import MAX_LABELS, description_fault, metadata_fault, name_fault
from hoplon.model.actor import Actor
from hoplon.model.labels import Label, Source
from hoplon.model.page import Page
from hoplon.model.versioned import Versioned
from hoplon.service.changes import ZoneChange, changing_zone, known_zone
from hoplon.service.workspace import Workspace
from hoplon.spelling import did_you_mean
from hoplon.storage import labels as store
from hoplon.storage.database import reading

Order = Literal["name", "description", "created_at", "last_updated", "operation_count"]


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """A label to make."""

    name: str
    description: str = ""
    metadata: Any = None


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Which labels are listed and how: `text` in name or description, whatever its case; of one source or of both."""

    text: str = ""
    source: Source | None = None
    order: Order = "name"
    is_descending: bool = False


def list_labels(
    workspace: Workspace, zone_id: str, wanted: LabelFilter, page: int, per_page: int
) -> Versioned[Page[Label]]:
    """One page of the labels of a zone, each with how many operations carry it. Raises `zone.unknown`."""
    with reading(workspace.database) as connection:
        version = known_zone(connection, zone_id).version
        found = [label for label in _all_labels(connection, zone_id) if _is_wanted(label, wanted)]
    found.sort(key=attrgetter("name", "source"))
    found.sort(key=attrgetter(wanted.order), reverse=wanted.is_descending)
    part = Page(found[(page - 1) * per_page : page * per_page], page, per_page, len(found))
    return Versioned(part, version)


def get_label(workspace: Workspace, zone_id: str, source: Source, name: str) -> Versioned[Label]:
    """One label with how many operations carry it. Raises `zone.unknown`, `label.unknown`."""
    with reading(workspace.database) as connection:
        version = known_zone(connection, zone_id).version
        return Versioned(find_label(connection, zone_id, source, name), version)


def add_labels(
    workspace: Workspace, actor: Actor, zone_id: str, specs: Sequence[LabelSpec], if_match: int | None = None
) -> Versioned[list[Label]]:
    """Make labels, all or none. Raises `label.invalid`, `label.exists`, each problem at its place in `specs`."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        known = [label.name for label in store.labels_at(change.connection, zone_id)]
        _check_specs(specs, known)
        added = [_new_label(spec, change.now) for spec in specs]
        store.insert_labels(change.connection, zone_id, change.new_version, added)
        for label in added:
            change.describe(f"adds label {label.name}")
            change.audit("create", "label", label.name)
    return Versioned(added, version_after(change))


def change_label(
    workspace: Workspace, actor: Actor, zone_id: str, name: str, new: Mapping[str, Any], if_match: int | None = None
) -> Versioned[Label]:
    """Give a label another `description`, another `metadata` or both. Raises `label.unknown`, `label.invalid`."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        old = find_label(change.connection, zone_id, "user", name)
        label = replace(old, **new)
        _refuse(_text_problems("", label.description, label.metadata))
        if label != old:
            label = replace(label, last_updated=change.now)
            store.close_labels(change.connection, zone_id, change.new_version, [name])
            store.insert_labels(change.connection, zone_id, change.new_version, [label])
            change.describe(f"changes label {name}")
            change.audit("update", "label", name, {"changed": sorted(new)})
    return Versioned(label, version_after(change))


def remove_labels(
    workspace: Workspace,
    actor: Actor,
    zone_id: str,
    names: Sequence[str],
    if_match: int | None = None,
) -> Versioned[list[Label]]:
    """Delete labels and detach them everywhere, all or none. Raises `label.unknown`, each at its place in `names`."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        known = {label.name: label for label in store.labels_at(change.connection, zone_id)}
        unknown = [_unknown(f"[{index}]", name, known) for index, name in enumerate(names) if name not in known]
        if unknown:
            raise HoplonError("label.unknown", "some labels do not exist; nothing was changed", None, tuple(unknown))
        removed = [known[name] for name in dict.fromkeys(names)]
        for label in removed:
            _remove(change, label.name)
    return Versioned(removed, version_after(change))


def remove_label(
    workspace: Workspace, actor: Actor, zone_id: str, name: str, if_match: int | None = None
) -> Versioned[Label]:
    """Delete one label and detach it everywhere. Raises `label.unknown`."""
    with changing_zone(workspace, actor, zone_id, if_match) as change:
        label = find_label(change.connection, zone_id, "user", name)
        _remove(change, name)
    return Versioned(label, version_after(change))


def find_label(connection: Connection, zone_id: str, source: Source, name: str) -> Label:
    """One label with how many operations carry it. Raises `label.unknown`."""
    for label in _all_labels(connection, zone_id):
        if (label.source, label.name) == (source, name):
            return label
    known = MANAGED if source == "managed" else [label.name for label in store.labels_at(connection, zone_id)]
    problem = _unknown("", name, known)
    raise HoplonError("label.unknown", problem.message, problem.hint)


def managed_labels() -> list[Label]:
    """The catalogue as labels."""
    return [
        Label(
            "managed",
            label.name,
            label.description,
            {"kind": label.kind, "attachable": label.is_attachable},
            CATALOGUE_SINCE,
            CATALOGUE_SINCE,
        )
        for label in MANAGED.values()
    ]


def version_after(change: ZoneChange) -> int:
    """The zone's version once a change is over: what changes nothing makes no version."""
    return change.new_version if change.changes else change.old_version


def _all_labels(connection: Connection, zone_id: str) -> list[Label]:
    counts = store.attachment_counts(connection, zone_id)
    every = [*store.labels_at(connection, zone_id), *managed_labels()]
    return [replace(label, operation_count=counts.get((label.source, label.name), 0)) for label in every]


def _is_wanted(label: Label, wanted: LabelFilter) -> bool:
    text = wanted.text.casefold()
    has_text = text in label.name.casefold() or text in label.description.casefold()
    return has_text and wanted.source in (None, label.source)


def _new_label(spec: LabelSpec, now: datetime) -> Label:
    return Label("user", spec.name, spec.description, spec.metadata, now, now)


def _remove(change: ZoneChange, name: str) -> None:
    """Delete a label; its attachments end with it."""
    gone = store.attachments_to(change.connection, change.zone_id, "user", name)
    store.detach(change.connection, change.zone_id, change.new_version, gone)
    store.close_labels(change.connection, change.zone_id, change.new_version, [name])
    change.describe(f"removes label {name}")
    change.audit("delete", "label", name, {"operations": len(gone)})


def _check_specs(specs: Sequence[LabelSpec], known: Sequence[str]) -> None:
    problems = [problem for index, spec in enumerate(specs) for problem in _spec_problems(f"[{index}]", spec)]
    names = [spec.name for spec in specs]
    twice = [index for index, name in enumerate(names) if name in names[:index]]
    _refuse([*problems, *(Problem(f"[{index}].name", f"`{names[index]}` is there twice") for index in twice)])
    if taken := [index for index, name in enumerate(names) if name in known]:
        found = tuple(Problem(f"[{index}].name", f"there already is a label `{names[index]}`") for index in taken)
        raise HoplonError("label.exists", "some labels exist already; nothing was changed", None, found)
    if len(known) + len(names) > MAX_LABELS:
        raise HoplonError("label.too_many", f"a zone has at most {MAX_LABELS} labels of its own; nothing was changed")


def _spec_problems(path: str, spec: LabelSpec) -> list[Problem]:
    fault = name_fault(spec.name)
    problems = [Problem(f"{path}.name", *fault)] if fault else []
    return problems + _text_problems(path, spec.description, spec.metadata)


def _text_problems(path: str, description: str, metadata: Any) -> list[Problem]:
    faults = {"description": description_fault(description), "metadata": metadata_fault(metadata)}
    return [Problem(f"{path}.{name}".lstrip("."), *fault) for name, fault in faults.items() if fault]


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise HoplonError("label.invalid", "the labels cannot be taken; nothing was changed", None, tuple(problems))


def _unknown(path: str, name: str, known: Mapping[str, Any] | Sequence[str]) -> Problem:
    return Problem(path, f"there is no label `{name[:80]}`", did_you_mean(name, known) if known else None)
