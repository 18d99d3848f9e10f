"""The judge of answers: it finds what an OpenAPI document does not allow, in both of the versions that we meet."""

import json
from typing import Any

import pytest

from support.contract import Contract, Exchange

ENVELOPE = {
    "type": "object",
    "required": ["success", "result"],
    "properties": {"success": {"type": "boolean"}, "result": {"$ref": "#/components/schemas/Thing"}},
}
DOCUMENT = {
    "components": {
        "schemas": {"Thing": {"type": "object", "nullable": True, "properties": {"id": {"type": "string"}}}}
    },
    "paths": {
        "/things/{id}": {
            "get": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": ENVELOPE}}},
                    "4XX": {"content": {"application/json": {"schema": {"type": "object", "required": ["errors"]}}}},
                }
            },
            "delete": {"responses": {"204": {"description": "gone"}}},
        },
        "/things/all": {"get": {"responses": {"200": {"content": {"text/csv": {}}}}}},
    },
}
CONTRACT = Contract(DOCUMENT, "/v4")


def judged(body: Any, status: int = 200, method: str = "GET", path: str = "/v4/things/1") -> list[str] | None:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CONTRACT.complaints(Exchange(method, path, status, "application/json; charset=utf-8", text))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"success": True, "result": {"id": "1", "more": 2}}, 200),
        ({"success": True, "result": None}, 200),
        ({"errors": []}, 404),
        ({"errors": []}, 501),
    ],
)
def test_what_the_document_says_is_right(body: Any, status: int) -> None:
    assert judged(body, status) == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"success": True, "result": {"id": 1}}, 200, "/result/id"),
        ({"result": None}, 200, "success"),
        (b"{", 200, "no JSON"),
        ({}, 302, "not described"),
        ({}, 404, "errors"),
    ],
)
def test_what_it_does_not_say_is_found(body: Any, status: int, said: str) -> None:
    (only,) = judged(body, status) or []
    assert said in only


def test_a_route_that_is_not_in_the_document_is_none() -> None:
    assert judged({}, path="/v4/others/1") is None
    assert judged({}, method="PUT") is None


def test_a_literal_path_is_found_before_a_variable() -> None:
    assert CONTRACT.route("GET", "/v4/things/all") == "/things/all"


def test_a_body_where_there_is_none_is_found() -> None:
    assert judged(b"", 204, "DELETE") == []
    assert judged(b"{}", 204, "DELETE") == ["DELETE /v4/things/1 -> 204: a body where none is described"]
