"""Saved operations as documents for other tools: OpenAPI 3.0, one for each host, and CSV. Says only what is known:
hosts, paths, their variables and methods."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hoplon.model.operation import Operation
from hoplon.operations.description import METHODS

CSV_COLUMNS = ("operation_id", "method", "host", "endpoint", "created_at", "last_updated")
_VARIABLE = re.compile(r"\{([^{}]+)\}")


def openapi_documents(operations: Iterable[Operation], title: str) -> list[dict[str, Any]]:
    """One OpenAPI 3.0 document for each host, in the order of the hosts' names.

    Operations whose method OpenAPI has no word for (`PROPFIND`) are left out.
    """
    hosts: dict[str, list[Operation]] = {}
    for operation in operations:
        if operation.method.lower() in METHODS:
            hosts.setdefault(operation.host, []).append(operation)
    return [_document(host, found, title) for host, found in sorted(hosts.items())]


def csv_text(operations: Iterable[Operation]) -> str:
    """One line for each operation below a line of headings (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for each in operations:
        times = each.created_at.isoformat(), each.last_updated.isoformat()
        writer.writerow((each.id, each.method, each.host, each.template, *times))
    return text.getvalue()


def _document(host: str, operations: Sequence[Operation], title: str) -> dict[str, Any]:
    newest = max(operation.last_updated for operation in operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in sorted(operations, key=lambda each: (each.template, each.method)):
        item = paths.setdefault(operation.template, _item(operation.template))
        item[operation.method.lower()] = {
            "operationId": operation.id,
            "responses": {"default": {"description": "not known"}},
        }
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": newest.date().isoformat()},
        "servers": [_server(host)],
        "paths": paths,
    }


def _item(path: str) -> dict[str, Any]:
    """A path item with the variables that all its operations have."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _VARIABLE.findall(path)
    ]
    return {"parameters": parameters} if parameters else {}


def _server(host: str) -> dict[str, Any]:
    """`*` is wherever the document is read from: that is what a relative URL says."""
    server: dict[str, Any] = {"url": "/" if host == "*" else f"https://{host}"}
    names = _VARIABLE.findall(host)
    if names:
        server["variables"] = {name: {"default": name.lower()} for name in names}
    return server
