"""Saved operations of the Hoplon here."""

from collections.abc import Callable, Sequence
from typing import Any

from hoplon.model.operation import Operation, ShownOperation
from hoplon.operations.specification import OperationSpec
from hoplon.service import operations as service
from hoplon.service.changes import local_actor
from hoplon.service.policy import choose_zone
from hoplon.service.workspace import Workspace
from hoplon.service.zones import list_zones


class LocalOperations:
    """A zone's saved operations."""

    def __init__(self, workspace: Callable[[], Workspace]) -> None:
        self._workspace = workspace

    def all(self, zone: str | None = None) -> list[ShownOperation]:
        return [_shown(each) for each in service.all_operations(self._workspace(), self._zone_id(zone))]

    def add(self, specs: Sequence[OperationSpec], zone: str | None = None) -> list[ShownOperation]:
        saved = service.add_operations(self._workspace(), local_actor(), self._zone_id(zone), specs)
        return [_shown(each) for each in saved.operations]

    def remove(self, ids: Sequence[str], zone: str | None = None) -> None:
        service.remove_operations(self._workspace(), local_actor(), self._zone_id(zone), ids)

    def openapi(self, hosts: Sequence[str] = (), zone: str | None = None) -> list[dict[str, Any]]:
        return service.export_openapi(self._workspace(), self._zone_id(zone), hosts)

    def csv(self, hosts: Sequence[str] = (), zone: str | None = None) -> str:
        return service.export_csv(self._workspace(), self._zone_id(zone), hosts)

    def _zone_id(self, zone: str | None) -> str:
        return choose_zone(list_zones(self._workspace()), zone).id


def _shown(operation: Operation) -> ShownOperation:
    return ShownOperation(operation.id, operation.method, operation.host, operation.template)
