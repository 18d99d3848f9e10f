"""Our OpenAPI document: whole, of the right version, and the same as what the server does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hoplon.api.app import load_target
from hoplon.api.openapi import write_document
from hoplon.api.openapi_links import SOURCES
from hoplon.api.routes import ROUTES
from hoplon.model.permissions import group_named
from support.api_server import Client


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    targets = [load_target(route) for route in ROUTES]
    return write_document([(target.route, target.description) for target in targets], "0.0.0")


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_it_is_served_without_a_token(client: Client) -> None:
    reply = Client(client.host, client.port, None).get("/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json["openapi"] == "3.1.0"


def test_every_route_is_in_it_and_nothing_else(document: dict[str, Any]) -> None:
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert listed == {(route.method, route.path) for route in ROUTES}
    assert len(listed) == len(ROUTES)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        assert found


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_path_variables_are_declared(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        wanted = {segment[1:-1] for segment in path.split("/") if segment.startswith("{")}
        for operation in item.values():
            assert {each["name"] for each in operation["parameters"] if each["in"] == "path"} == wanted


def test_every_success_has_a_form(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                if status.startswith("2") and status != "204":
                    assert response["content"], (method, path)


def test_every_permission_group_exists() -> None:
    for route in ROUTES:
        for group in (route.group, route.also):
            assert group is None or group_named(group).name == group


def test_links_lead_to_operations_with_all_variables_of_their_paths(document: dict[str, Any]) -> None:
    wanted = {
        operation["operationId"]: {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        for item in document["paths"].values()
        for operation in item.values()
    }
    links = [
        link
        for item in document["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert {link["operationId"] for link in links} >= {"zones.get_zone", "operations.get_operation", "lists.get_list"}
    for link in links:
        assert set(link["parameters"]) == wanted[link["operationId"]]


def test_every_source_of_links_is_a_handler() -> None:
    assert {source.handler for source in SOURCES} <= {route.handler for route in ROUTES}


def test_it_is_json_throughout(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document)) == document
