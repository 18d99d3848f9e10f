"""Holds the answers of an API against an OpenAPI document: is the route in it, the status
described, the body as it says?

Takes OpenAPI 3.0 (`cloudflare-api-subset.json`) and 3.1 (our own). Members that a schema does not name are allowed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs

Json = Any
UNJUDGED_FORMATS = {"hostname": lambda _value: True}
"""A host may hold variables (`{hostVar1}.example.com`), which this format cannot say."""
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, as they were on the wire; `path` without the query."""

    method: str
    path: str
    status: int
    content_type: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


class Contract:
    """One OpenAPI document whose paths begin at `prefix`."""

    def __init__(self, document: Json, prefix: str = "") -> None:
        self._document = document
        self._components = {"components": _as_json_schema(document.get("components", {}))}
        self._routes = [
            (method, re.compile(prefix + _pattern(path)), path, operation)
            for path, item in sorted(document["paths"].items(), key=lambda pair: pair[0].count("{"))
            for method, operation in item.items()
            if method in METHODS
        ]
        self._validator = lru_cache(maxsize=None)(self._compile)

    @classmethod
    def of_file(cls, file: Path, prefix: str) -> "Contract":
        """The document in a JSON file."""
        return cls(json.loads(file.read_text()), prefix)

    def route(self, method: str, path: str) -> str | None:
        """The path template that such a request belongs to; fewest variables first."""
        return next((template for _, template in self._matching(method, path)), None)

    def complaints(self, exchange: Exchange) -> list[str] | None:
        """What is wrong with an answer; `None` when the document does not know the route."""
        for operation, _ in self._matching(exchange.method, exchange.path):
            return list(self._judge(operation, exchange))
        return None

    def _matching(self, method: str, path: str) -> Iterator[tuple[Json, str]]:
        for its_method, pattern, template, operation in self._routes:
            if its_method == method.lower() and pattern.fullmatch(path):
                yield operation, template

    def _judge(self, operation: Json, exchange: Exchange) -> Iterator[str]:
        described = _described(operation["responses"], exchange.status)
        if described is None:
            # Of a few routes (the deletion of a ruleset's version) the document describes no failure at all.
            if exchange.status < 400 or any(key[0] in "45d" for key in operation["responses"]):
                yield f"{exchange}: the status is not described"
            return
        content = self._resolved(described).get("content", {})
        kind = exchange.content_type.partition(";")[0].strip()
        if not content:
            if exchange.body:
                yield f"{exchange}: a body where none is described"
            return
        if kind not in content:
            yield f"{exchange}: {kind or 'no content type'} where {', '.join(content)} is described"
            return
        if kind == "application/json":
            yield from self._judge_body(content[kind].get("schema", {}), exchange)

    def _resolved(self, node: Json) -> Json:
        """What a `$ref` within the document stands for; anything else is itself."""
        if "$ref" not in node:
            return node
        found = self._document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found

    def _judge_body(self, schema: Json, exchange: Exchange) -> Iterator[str]:
        try:
            value = json.loads(exchange.body)
        except ValueError as error:
            yield f"{exchange}: the body is no JSON: {error}"
            return
        for wrong in self._validator(json.dumps(schema, sort_keys=True)).iter_errors(value):
            place = "/".join(str(step) for step in wrong.instance_path)
            yield f"{exchange}: /{place}: {wrong.message[:300]}"

    def _compile(self, schema_text: str) -> jsonschema_rs.Draft202012Validator:
        schema = {**self._components, **_as_json_schema(json.loads(schema_text))}
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, formats=UNJUDGED_FORMATS)


def _described(responses: Mapping[str, Json], status: int) -> Json | None:
    """The description of a status: itself, its class, or the default; what fails on our side may look like what fails
    on the caller's (Cloudflare describes its 5xx nowhere, and answers with the same envelope)."""
    keys = [str(status), f"{status // 100}XX", "default", *(["4XX"] if status >= 500 else [])]
    return next((responses[key] for key in keys if key in responses), None)


def _pattern(path: str) -> str:
    return re.sub(r"\\\{[^{}]+\\\}", "[^/]+", re.escape(path))


def _as_json_schema(node: Json) -> Json:
    """OpenAPI 3.0's `nullable` said in JSON Schema; all else is the same in both."""
    if isinstance(node, list):
        return [_as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    schema = {key: _as_json_schema(value) for key, value in node.items() if key != "nullable"}
    if node.get("nullable") is not True:
        return schema
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [{"type": "null"}, schema]}
