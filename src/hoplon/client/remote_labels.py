"""Labels of a Hoplon elsewhere, over Cloudflare's routes."""

from collections.abc import Mapping, Sequence
from typing import Any

from hoplon.client.connection import Connection
from hoplon.client.local_labels import Labelled, Labels, by_source
from hoplon.client.remote_zones import CLOUDFLARE, RemoteZones
from hoplon.model.labels import Label, LabelledOperation, Source
from hoplon.model.moments import moment_of
from hoplon.model.operation import Operation
from hoplon.model.versioned import Versioned
from hoplon.service.attachments import How
from hoplon.service.labels import LabelSpec

_METHODS: Mapping[How, str] = {"attach": "POST", "detach": "DELETE", "replace": "PUT"}


class RemoteLabels:
    """The labels of a zone and which operations carry them."""

    def __init__(self, connection: Connection, zones: RemoteZones) -> None:
        self._connection = connection
        self._zones = zones

    def list(self, zone: str | None = None, text: str = "", source: Source | None = None) -> Labels:
        """The labels with `text` in their name or description, by name."""
        query = {"filter": text or None, "source": source, "with_mapped_resource_counts": "true"}
        return [_label(each) for each in self._connection.pages(f"{self._gateway(zone)}/labels", query)]

    def add(self, zone: str | None, spec: LabelSpec) -> Versioned[Label]:
        """Make a label."""
        body = [{"name": spec.name, "description": spec.description, "metadata": spec.metadata}]
        reply = self._connection.ask("POST", f"{self._gateway(zone)}/labels/user", body=body)
        return Versioned(_label(reply.result[0]), reply.version or 0)

    def remove(self, zone: str | None, names: Sequence[str]) -> Versioned[Labels]:
        """Delete labels, all or none."""
        reply = self._connection.ask("DELETE", f"{self._gateway(zone)}/labels/user", body=list(names))
        return Versioned([_label(each) for each in reply.result], reply.version or 0)

    def label(
        self, zone: str | None, how: How, operation_ids: Sequence[str], names: Sequence[str]
    ) -> Versioned[Labelled]:
        """Attach labels to operations, detach them, or make them the only ones."""
        body: dict[str, Any] = {"selector": {"include": {"operation_ids": list(operation_ids)}}}
        for source, found in by_source(names).items():
            body[source] = {"labels": found}
        reply = self._connection.ask(_METHODS[how], f"{self._gateway(zone)}/operations/labels", body=body)
        return Versioned([_labelled(each) for each in reply.result], reply.version or 0)

    def _gateway(self, zone: str | None) -> str:
        return f"{CLOUDFLARE}/zones/{self._zones.choose(zone).id}/api_gateway"


def _label(form: Mapping[str, Any]) -> Label:
    return Label(
        form["source"],
        form["name"],
        form["description"],
        form["metadata"],
        moment_of(form["created_at"]),
        moment_of(form["last_updated"]),
        form.get("mapped_resources", {}).get("operations", 0),
    )


def _labelled(form: Mapping[str, Any]) -> LabelledOperation:
    """An operation as the server shows it: it does not tell how its variables were called, nor when it was made."""
    updated = moment_of(form["last_updated"])
    operation = Operation(
        form["operation_id"], form["method"], form["host"], form["endpoint"], form["endpoint"], updated, updated
    )
    return LabelledOperation(operation, [_label(each) for each in form["labels"]])
