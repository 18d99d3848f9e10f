"""Labels of the Hoplon in a state directory here; the methods of `hoplon.client.remote_labels`."""

from collections.abc import Callable, Sequence

from hoplon.labels.managed import MANAGED_PREFIX
from hoplon.model.labels import Label, LabelledOperation, Source
from hoplon.model.versioned import Versioned
from hoplon.service import attachments
from hoplon.service import labels as service
from hoplon.service.changes import local_actor
from hoplon.service.policy import find_zone
from hoplon.service.workspace import Workspace

Labels = list[Label]
Labelled = list[LabelledOperation]
_EVERY = 1_000_000


class LocalLabels:
    """The labels of a zone and which operations carry them."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace

    def list(self, zone: str | None = None, text: str = "", source: Source | None = None) -> Labels:
        """The labels with `text` in their name or description, by name."""
        wanted = service.LabelFilter(text, source)
        return list(service.list_labels(self._workspace(), self._zone_id(zone), wanted, 1, _EVERY).value.items)

    def add(self, zone: str | None, spec: service.LabelSpec) -> Versioned[Label]:
        """Make a label."""
        added = service.add_labels(self._workspace(), local_actor(), self._zone_id(zone), [spec])
        return Versioned(added.value[0], added.version)

    def remove(self, zone: str | None, names: Sequence[str]) -> Versioned[Labels]:
        """Delete labels, all or none."""
        return service.remove_labels(self._workspace(), local_actor(), self._zone_id(zone), names)

    def label(
        self, zone: str | None, how: attachments.How, operation_ids: Sequence[str], names: Sequence[str]
    ) -> Versioned[Labelled]:
        """Attach labels to operations, detach them, or make them the only ones."""
        selection = attachments.Selection(operation_ids, "operations")
        named = [attachments.NamedLabels(source, found, source) for source, found in by_source(names).items()]
        return attachments.label_operations(
            self._workspace(), local_actor(), self._zone_id(zone), how, selection, named
        )

    def _zone_id(self, zone: str | None) -> str:
        return find_zone(self._workspace(), zone).zone_id


def by_source(names: Sequence[str]) -> dict[Source, list[str]]:
    """Names by whose label they are."""
    return {
        "managed": [name for name in names if name.startswith(MANAGED_PREFIX)],
        "user": [name for name in names if not name.startswith(MANAGED_PREFIX)],
    }
