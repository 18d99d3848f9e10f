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
_MEMBERS = (*METHODS, "servers")
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
    servers: dict[int, tuple[Server, ...]] = field(default_factory=dict)
    described: int = 0

    def read(self) -> None:
        paths = self.document.get("paths")
        for path, item in paths.items() if isinstance(paths, dict) else ():
            if path.startswith("/"):
                self._read_item(path, self._resolve(item, path))
            elif not path.startswith("x-"):
                self._note(f"`{path}`: left out, a path begins with `/`")

    def _read_item(self, path: str, item: dict[str, Node]) -> None:
        for method in METHODS:
            if method in item:
                operation = item[method]
                own = operation.get("servers") if isinstance(operation, dict) else None
                servers = own or item.get("servers") or self.document.get("servers")
                self._save(method.upper(), path, self._servers(servers))

    def _servers(self, servers: Node | None) -> Sequence[Server]:
        """Read once for each list, which many operations may share."""
        if id(servers) not in self.servers:
            self.servers[id(servers)] = tuple(dict.fromkeys(self._usable(servers)))
        return self.servers[id(servers)]

    def _usable(self, servers: Node | None) -> Iterator[Server]:
        for each in read_servers(servers):
            if isinstance(each, Unusable):
                self._note(f"server `{each.url}`: left out, {each.reason}")
            else:
                yield each if self.host is None else Server(self.host, each.base_path)

    def _save(self, method: str, path: str, servers: Sequence[Server]) -> None:
        self.described += len(servers)
        if self.described > MAX_OPERATIONS:
            raise HoplonError(
                "description.unsupported",
                f"more than {MAX_OPERATIONS} operations are described",
                "split the description",
            )
        for server in servers:
            saved = self._path(server.base_path + path)
            if saved is not None:
                operation = SavedOperation(server.host, template.canonical_path(saved), method)
                self.found.setdefault(operation.id, operation)

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
        """The methods and servers of a path item and of what it refers to or merges (`<<`), the nearest of each."""
        merged: dict[str, Node] = {}
        waiting = [item]
        for _ in range(MAX_REFERENCES):
            if not waiting:
                return merged
            own = waiting.pop(0)
            if isinstance(own, dict):
                merged = {**{name: own[name] for name in _MEMBERS if name in own}, **merged}
                waiting += self._referred(own, path)
        self._note(f"`{path}`: left out, its references have no end")
        return {}

    def _referred(self, item: dict[str, Node], path: str) -> Iterator[Node]:
        merges = item.get("<<", [])
        yield from merges[:MAX_REFERENCES] if isinstance(merges, list) else [merges]
        reference = item.get("$ref")
        if isinstance(reference, str):
            target = self._target(reference)
            if target is not None:
                yield target
            else:
                self._note(f"`{path}`: `{reference}` is not in this document and was not followed")

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
