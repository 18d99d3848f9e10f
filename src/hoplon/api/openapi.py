"""Our OpenAPI 3.1 document: made from the table of routes and what each handler says about itself, so it cannot lag.

Takes routes and descriptions, gives one JSON document. Knows no request.
"""

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, get_args

from pydantic import TypeAdapter
from pydantic_core import to_json

from hoplon._native import version
from hoplon.api.describe import Description
from hoplon.api.envelope import JSON, Message
from hoplon.api.errors import ERRORS
from hoplon.api.openapi_links import links_of, variables
from hoplon.api.routes import Route

_REF = "#/components/schemas/{model}"
_ID = {"type": "string", "minLength": 1, "maxLength": 1024}
_FAILURE = {"$ref": "#/components/responses/Failure"}
_SECURITY: list[dict[str, list[str]]] = [
    {"bearer": []},
    {"email": [], "key": []},
    {"user_service_key": []},
]

Described = tuple[Route, Description]
_Mode = str


def document_bytes(routes: Sequence[Described]) -> bytes:
    """The document of these routes as JSON."""
    return to_json(write_document(routes, version()))


def write_document(routes: Sequence[Described], version: str) -> dict[str, Any]:
    """The document of these routes; `version` is Hoplon's."""
    schemas = _Schemas(routes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hoplon",
            "version": version,
            "summary": "The control plane of a self-hosted API shield.",
            "description": (
                "Below `/client/v4` the resources of Cloudflare's API Shield that this version has, for its SDKs; below"
                " `/hoplon/v1` what Cloudflare has no word for. Everything needs an API token; `x-permission-groups` is"
                " the group that it must be granted on the zone or account of the path."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": _SECURITY,
        "tags": [{"name": tag} for tag in dict.fromkeys(route.feature for route, _ in routes)],
        "paths": _paths(routes, schemas),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API token."},
                "email": {"type": "apiKey", "in": "header", "name": "X-Auth-Email"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Auth-Key", "description": "An API token."},
                "user_service_key": {"type": "apiKey", "in": "header", "name": "X-Auth-User-Service-Key"},
            },
            "schemas": schemas.definitions | {"Failure": _failure(schemas), "ResultInfo": _RESULT_INFO},
            "responses": {
                "Failure": {
                    "description": "What is wrong: an entry for each problem, nothing was changed.",
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/Failure"}}},
                }
            },
        },
    }


class _Schemas:
    """The schemas of all bodies and results, with what they share in one place."""

    def __init__(self, routes: Iterable[Described]) -> None:
        forms: dict[tuple[str, _Mode], tuple[str, Any, TypeAdapter[Any]]] = {
            (_key(Message), "serialization"): (_key(Message), "serialization", TypeAdapter(Message))
        }
        for _, description in routes:
            for form, mode in ((description.body, "validation"), (description.result, "serialization")):
                if form is not None:
                    forms[_key(form), mode] = (_key(form), mode, TypeAdapter(form))
        made, shared = TypeAdapter.json_schemas(list(forms.values()), ref_template=_REF)
        self._made: dict[tuple[str, str], dict[str, Any]] = {(key, str(mode)): v for (key, mode), v in made.items()}
        self.definitions: dict[str, Any] = shared.get("$defs", {})

    def body(self, form: Any) -> dict[str, Any]:
        return self._made[_key(form), "validation"]

    def result(self, form: Any) -> dict[str, Any]:
        return self._made[_key(form), "serialization"]


_RESULT_INFO = {
    "type": "object",
    "required": ["page", "per_page", "count", "total_count", "total_pages"],
    "properties": {
        name: {"type": "integer", "minimum": 0} for name in ("page", "per_page", "count", "total_count", "total_pages")
    },
}


def _key(form: Any) -> str:
    """A name for a form: two forms with one name would be one schema, so generics say what of."""
    arguments = get_args(form)
    name = getattr(form, "__name__", str(form))
    module = getattr(form, "__module__", "")
    return f"{module}.{name}[{', '.join(_key(each) for each in arguments)}]" if arguments else f"{module}.{name}"


def _paths(routes: Sequence[Described], schemas: _Schemas) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    every = [route for route, _ in routes]
    for route, description in routes:
        operation = _operation(route, description, schemas)
        if links := links_of(route, every, _operation_id):
            operation["responses"][str(int(description.status))]["links"] = links
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return paths


def _operation(route: Route, description: Description, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": description.summary,
        "tags": [route.feature],
        "parameters": list(_parameters(route, description)),
        "responses": _responses(route, description, schemas),
    }
    if route.group is not None:
        operation["x-permission-groups"] = [group for group in (route.group, route.also) if group is not None]
    if body := _body(description, schemas):
        operation["requestBody"] = body
    return operation


def _operation_id(route: Route) -> str:
    """The handler's name; below `/user` with that before it, since a handler may serve the account as well."""
    if route.handler is not None:
        owner = "user." if route.path.startswith("/client/v4/user/") else ""
        return owner + route.handler.replace(":", ".")
    return f"{route.method.lower()} {route.path}"


def _parameters(route: Route, description: Description) -> Iterator[dict[str, Any]]:
    for name in variables(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": _ID}
    for each in description.query:
        yield {"name": each.name, "in": "query", "description": each.about, "schema": each.schema()}
    if description.is_versioned and route.method != "GET":
        about = "The version of the zone that the change is meant for; another one gets 412."
        yield {"name": "If-Match", "in": "header", "description": about, "schema": {"type": "string"}}


def _body(description: Description, schemas: _Schemas) -> dict[str, Any] | None:
    content: dict[str, Any] = {media_type: {} for media_type in description.body_media_types}
    if description.body is not None:
        content[JSON] = {"schema": schemas.body(description.body)}
    return {"required": description.is_body_required, "content": content} if content else None


def _responses(route: Route, description: Description, schemas: _Schemas) -> dict[str, Any]:
    failures = {"4XX": _FAILURE, "5XX": _FAILURE}
    if route.handler is None:
        return {str(int(HTTPStatus.NOT_IMPLEMENTED)): _FAILURE, **failures}
    response: dict[str, Any] = {"description": "Success.", "content": _content(description, schemas)}
    if description.is_versioned:
        about = "The version of the zone's configuration, for If-Match."
        response["headers"] = {"ETag": {"description": about, "schema": {"type": "string"}}}
    empty = {str(int(HTTPStatus.NO_CONTENT)): {"description": "Nothing new."}} if description.may_be_empty else {}
    return {str(int(description.status)): response, **empty, **failures}


def _content(description: Description, schemas: _Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {media_type: {} for media_type in description.content_types}
    if description.has_envelope and not content:
        content[JSON] = {"schema": _envelope(description, schemas)}
    elif description.result is not None:
        content[JSON] = {"schema": schemas.result(description.result)}
    return content


def _envelope(description: Description, schemas: _Schemas) -> dict[str, Any]:
    messages = {"type": "array", "items": schemas.result(Message)}
    members: dict[str, Any] = {"success": {"const": True}, "errors": {**messages, "maxItems": 0}, "messages": messages}
    if description.result is not None:
        members["result"] = schemas.result(description.result)
    if description.is_paged:
        members["result_info"] = {"$ref": "#/components/schemas/ResultInfo"}
    return {"type": "object", "required": list(members), "properties": members}


def _failure(schemas: _Schemas) -> dict[str, Any]:
    messages = {"type": "array", "items": schemas.result(Message)}
    numbers = sorted({form.number for form in ERRORS.values()})
    return {
        "type": "object",
        "required": ["success", "errors", "messages", "result"],
        "properties": {
            "success": {"const": False},
            "errors": {**messages, "minItems": 1},
            "messages": messages,
            "result": {"type": "null"},
        },
        "description": f"Numbers of this version: {', '.join(map(str, numbers))}; `/errors/{{number}}` explains one.",
    }
