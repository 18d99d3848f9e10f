"""Saved operations of a Hoplon elsewhere, through the routes that Cloudflare's SDKs use."""

from collections.abc import Iterator, Sequence
from typing import Any

from hoplon.client.connection import Connection
from hoplon.client.remote_zones import OWN, RemoteZones
from hoplon.model.operation import ShownOperation
from hoplon.operations.policy import MAX_BULK
from hoplon.operations.specification import OperationSpec


class RemoteOperations:
    """A zone's saved operations. More than `MAX_BULK` at once go in several calls: each wholly or not at all."""

    def __init__(self, connection: Connection, zones: RemoteZones) -> None:
        self._connection = connection
        self._zones = zones

    def all(self, zone: str | None = None) -> list[ShownOperation]:
        """All of them, by host, path and method."""
        return [_shown(each) for each in self._connection.pages(self._path(zone))]

    def add(self, specs: Sequence[OperationSpec], zone: str | None = None) -> list[ShownOperation]:
        """Save them, each once; what is saved already stays. The saved operations in the order of `specs`."""
        path, bodies = self._path(zone), [_body(spec) for spec in specs]
        answers = [self._connection.ask("POST", path, body=batch).result for batch in _batches(bodies)]
        return [_shown(each) for answer in answers for each in answer]

    def remove(self, ids: Sequence[str], zone: str | None = None) -> None:
        """Remove them. Raises `operation.unknown` for ids that are none."""
        path, bodies = self._path(zone), [{"operation_id": each} for each in ids]
        for batch in _batches(bodies):
            self._connection.ask("DELETE", path, body=batch)

    def openapi(self, hosts: Sequence[str] = (), zone: str | None = None) -> list[dict[str, Any]]:
        """OpenAPI documents, one for each host."""
        path = self._path(zone).replace("/operations", "/schemas")
        documents: list[dict[str, Any]] = self._connection.ask("GET", path, query={"host": hosts}).result["schemas"]
        return documents

    def csv(self, hosts: Sequence[str] = (), zone: str | None = None) -> str:
        """One line for each."""
        path = f"{OWN}/zones/{self._zones.choose(zone).id}/operations.csv"
        return self._connection.ask("GET", path, query={"host": hosts}).content.decode()

    def _path(self, zone: str | None) -> str:
        return f"/client/v4/zones/{self._zones.choose(zone).id}/api_gateway/operations"


def _body(spec: OperationSpec) -> dict[str, str]:
    return {"method": spec.method, "host": spec.host, "endpoint": spec.endpoint}


def _shown(form: dict[str, Any]) -> ShownOperation:
    return ShownOperation(form["operation_id"], form["method"], form["host"], form["endpoint"])


def _batches(bodies: Sequence[dict[str, str]]) -> Iterator[Sequence[dict[str, str]]]:
    for start in range(0, len(bodies), MAX_BULK):
        yield bodies[start : start + MAX_BULK]
