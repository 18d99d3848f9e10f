"""Labels and who carries them, kept as rows: the store beside the feature `labels` (see `hoplon.service.stores`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from hoplon.labels.managed import MANAGED_PREFIX
from hoplon.labels.names import metadata_text, parse_metadata
from hoplon.labels.policy import Attached, LabelsPolicy, UserLabel
from hoplon.model.labels import Attachment, Label
from hoplon.model.operation import Operation
from hoplon.storage import labels, operations


@dataclass(frozen=True, slots=True)
class LabelsStore:
    """The whole feature as rows."""

    def load(self, connection: Connection, zone_id: str, version: int | None = None) -> LabelsPolicy:
        user = tuple(_user_label(each) for each in labels.labels_at(connection, zone_id, version))
        carried: dict[str, list[str]] = {}
        for each in labels.attachments_at(connection, zone_id, version):
            carried.setdefault(each.operation_id, []).append(each.label)
        saved = operations.at_version(connection, zone_id, version) if carried else []
        return LabelsPolicy(user, tuple(_attached(each, carried) for each in saved if each.id in carried))

    def save(self, connection: Connection, zone_id: str, version: int, now: datetime, policy: LabelsPolicy) -> None:
        self._save_labels(connection, zone_id, version, now, policy)
        before = set(labels.attachments_at(connection, zone_id))
        after = set(_attachments(policy))
        labels.detach(connection, zone_id, version, before - after)
        labels.attach(connection, zone_id, version, after - before)

    def _save_labels(
        self, connection: Connection, zone_id: str, version: int, now: datetime, policy: LabelsPolicy
    ) -> None:
        stored = {each.name: each for each in labels.labels_at(connection, zone_id)}
        kept = {name for name, each in stored.items() if _user_label(each) in policy.user}
        labels.close_labels(connection, zone_id, version, stored.keys() - kept)
        written = [_label(each, stored, now) for each in policy.user if each.name not in kept]
        labels.insert_labels(connection, zone_id, version, written)


def _user_label(label: Label) -> UserLabel:
    return UserLabel(label.name, label.description, metadata_text(label.metadata))


def _label(label: UserLabel, stored: Mapping[str, Label], now: datetime) -> Label:
    """A label as it is stored since `now`; one that only changes was created before."""
    created_at = stored[label.name].created_at if label.name in stored else now
    return Label("user", label.name, label.description, parse_metadata(label.metadata), created_at, now)


def _attached(operation: Operation, carried: Mapping[str, list[str]]) -> Attached:
    names = tuple(sorted(carried[operation.id]))
    return Attached(operation.id, names, operation.method, operation.host, operation.path)


def _attachments(policy: LabelsPolicy) -> Iterator[Attachment]:
    for each in policy.attached:
        for name in each.labels:
            yield Attachment(each.operation_id, "managed" if name.startswith(MANAGED_PREFIX) else "user", name)
