"""OpenAPI 3.0 and 3.1 descriptions to the operations that they describe, and notes on what was read otherwise than it
is written. Only servers, paths and methods are looked at. Knows no zone and no file."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hoplon.errors import HoplonError
from hoplon.operations import template
from hoplon.operations.document import Node, read_document
from hoplon.operations.policy import MAX_OPERATIONS, SavedOperation
from hoplon.operations.servers import Server, Unusable, read_servers

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MAX_REFERENCES = 16
_VARIABLE = re.compile(r"\{[^{}]+\}")


@dataclass(frozen=True, slots=True)
class Description:
    """What a description says: each operation once, and sentences on what was left out or made wider."""

    operations: tuple[SavedOperation, ...]
    notes: tuple[str, ...]


def read_description(data: bytes, origin: str, host: str | None = None) -> Description:
    """The operations in `data`, JSON or YAML. `host` stands in for the hosts of its `servers`.

    Raises `description.unreadable` when it is no such document, `description.unsupported` for Swagger 2.0 and others.
    """
    document = read_document(data, origin)
    if not isinstance(document, dict):
        raise HoplonError(
            "description.unreadable", f"{origin} is no OpenAPI description", "it begins with `openapi: 3…`"
        )
    _check_version(document, origin)
    reader = _Reader(document, host)
    reader.read()
    return Description(tuple(reader.found.values()), tuple(reader.notes))


def _check_version(document: dict[str, Node], origin: str) -> None:
    if "swagger" in document:
        raise HoplonError(
            "description.unsupported",
            f"{origin} is Swagger {document['swagger']}; OpenAPI 3.0 and 3.1 are read",
            "convert it to OpenAPI 3 and import the result",
        )
    version = document.get("openapi")
    if not isinstance(version, str):
        raise HoplonError(
            "description.unreadable", f"{origin} is no OpenAPI description", "it begins with `openapi: 3…`"
        )
    if not version.startswith(("3.0", "3.1")):
        raise HoplonError("description.unsupported", f"{origin} is OpenAPI {version}; 3.0 and 3.1 are read")


@dataclass(slots=True)
class _Reader:
    """Walks one document; keeps what it found by the operation's identity."""

    document: dict[str, Node]
    host: str | None
    found: dict[str, SavedOperation] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def read(self) -> None:
        paths = self.document.get("paths")
        for path, item in paths.items() if isinstance(paths, dict) else ():
            if path.startswith("/"):
                self._read_item(path, self._resolve(item, path))
            elif not path.startswith("x-"):
                self._note(f"`{path}`: left out, a path begins with `/`")

    def _read_item(self, path: str, item: dict[str, Node]) -> None:
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                servers = operation.get("servers") or item.get("servers") or self.document.get("servers")
                self._save(method.upper(), path, self._servers(servers))

    def _servers(self, servers: Node | None) -> Sequence[Server]:
        read = read_servers(servers)
        for each in read:
            if isinstance(each, Unusable):
                self._note(f"server `{each.url}`: left out, {each.reason}")
        usable = [each for each in read if isinstance(each, Server)]
        return usable if self.host is None else [Server(self.host, each.base_path) for each in usable]

    def _save(self, method: str, path: str, servers: Sequence[Server]) -> None:
        for server in servers:
            saved = self._path(server.base_path + path)
            if saved is None:
                continue
            operation = SavedOperation(server.host, template.canonical_path(saved), method)
            self.found.setdefault(str(operation.id), operation)
        if len(self.found) > MAX_OPERATIONS:
            raise HoplonError(
                "description.unsupported",
                f"more than {MAX_OPERATIONS} operations are described",
                "split the description",
            )

    def _path(self, described: str) -> str | None:
        """The template that an operation is saved under; None, and a note, where no request could match it."""
        path = re.split(r"[?#]", described, maxsplit=1)[0]
        if path != described:
            self._note(f"`{described}`: read as `{path}`, an operation is known by its path alone")
        saved = template.without_dot_segments("/".join(_segments(path)))
        if fault := template.path_fault(saved):
            self._note(f"`{described}`: left out, {fault[0]}")
            return None
        if any("{" in segment and not _VARIABLE.fullmatch(segment) for segment in path.split("/")):
            self._note(f"`{described}`: read as `{saved}`, a variable is a whole segment")
        return saved

    def _resolve(self, item: Node, path: str) -> dict[str, Node]:
        """A path item with what its `$ref` means; members beside the reference win."""
        own = item if isinstance(item, dict) else {}
        merged = dict(own)
        for _ in range(MAX_REFERENCES):
            reference = own.get("$ref")
            if not isinstance(reference, str):
                return merged
            target = self._target(reference)
            if target is None:
                self._note(f"`{path}`: `{reference}` is not in this document and was not followed")
                return merged
            merged, own = {**target, **merged}, target
        self._note(f"`{path}`: left out, its references have no end")
        return {}

    def _target(self, reference: str) -> dict[str, Node] | None:
        """What a local reference (RFC 6901 in a fragment) points at."""
        if not reference.startswith("#/"):
            return None
        node: Node | None = self.document
        for step in _steps(reference):
            node = node.get(step) if isinstance(node, dict) else None
        return node if isinstance(node, dict) else None

    def _note(self, sentence: str) -> None:
        self.notes[sentence] = None


def _steps(reference: str) -> Iterator[str]:
    from urllib.parse import unquote

    for step in reference[2:].split("/"):
        yield unquote(step).replace("~1", "/").replace("~0", "~")


def _segments(path: str) -> Iterator[str]:
    """The path's segments; where a variable is only a part of one, the whole segment is variable."""
    for number, segment in enumerate(path.split("/")):
        if _VARIABLE.search(segment) is None:
            yield segment
        else:
            yield segment if template.is_variable(segment) else f"{{segment{number}}}"
