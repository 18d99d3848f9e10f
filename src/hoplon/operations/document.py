"""Bytes of a JSON or YAML document to nested dicts, lists and strings. What is read may be hostile: its size, depth and
number of aliases are bounded, an alias is shared and never copied, tags build nothing, and every scalar is a string.

YAML goes through libyaml's events and not through a loader: loaders build recursively in C, and a deep document ends
the process.
"""

import json
from collections.abc import Iterator
from typing import Any

from hoplon.errors import HoplonError

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 128
MAX_ALIASES = 100_000

Node = dict[str, "Node"] | list["Node"] | str
"""What a document is made of."""


def read_document(data: bytes, origin: str) -> Node:
    """The document in `data`. Raises `description.unreadable` with the place of the first mistake."""
    if len(data) > MAX_BYTES:
        raise _unreadable(origin, f"is larger than {MAX_BYTES // 1024 // 1024} MiB", "split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(origin, f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None
    if text.lstrip().startswith("{"):
        try:
            return _plain(json.loads(text, parse_float=str, parse_int=str, parse_constant=str), origin)
        except ValueError:
            pass  # YAML too may begin with a brace, and its reader says where the mistake is
        except RecursionError:
            raise _too_deep(origin) from None
    return _read_yaml(text, origin)


def _plain(value: Any, origin: str) -> Node:
    """JSON's values as nodes, without recursion: what is deep is refused, not followed."""
    root: list[Any] = [value]
    level: list[Any] = [root]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            document: Node = root[0]
            return document
    raise _too_deep(origin)


def _children(parent: Any) -> Iterator[Any]:
    """The containers in a container, whose scalars become strings on the way."""
    for key, value in parent.items() if isinstance(parent, dict) else enumerate(parent):
        if isinstance(value, dict | list):
            yield value
        elif not isinstance(value, str):
            parent[key] = {None: "", True: "true", False: "false"}[value]


def _read_yaml(text: str, origin: str) -> Node:
    import yaml

    loader = yaml.CBaseLoader(text) if yaml.__with_libyaml__ else yaml.BaseLoader(text)
    try:
        return _Builder(origin).build(_events(loader))
    except yaml.YAMLError as error:
        raise _unreadable(origin, f"is neither JSON nor YAML: {_one_line(error)}", None) from None
    finally:
        loader.dispose()


def _events(loader: Any) -> Iterator[Any]:
    while loader.check_event():
        yield loader.get_event()


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
    return f"{getattr(error, 'problem', None) or 'it cannot be read'}{place}"


class _Builder:
    """Puts events together, keeping the open containers on a stack of its own."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._root: list[Node] = []
        self._open: list[tuple[Any, list[Node]]] = []
        """Open containers, each with what was read of it: alternating keys and values in a mapping."""
        self._anchors: dict[str, Node] = {}
        self._aliases = 0

    def build(self, events: Iterator[Any]) -> Node:
        for event in events:
            self._take(event)
        if len(self._root) != 1:
            raise _unreadable(self._origin, "is not one document", "keep one description in a file")
        return self._root[0]

    def _take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._begin({} if kind == "MappingStartEvent" else [], event.anchor)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._end()
        elif kind == "ScalarEvent":
            self._add(event.value, event.anchor)
        elif kind == "AliasEvent":
            self._add(self._known(event.anchor), None)

    def _begin(self, container: Any, anchor: str | None) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise _too_deep(self._origin)
        self._add(container, anchor)
        self._open.append((container, []))

    def _end(self) -> None:
        container, read = self._open.pop()
        if isinstance(container, list):
            container.extend(read)
        else:
            keys, values = read[::2], read[1::2]
            container.update(zip(map(self._key, keys), values, strict=True))

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        (self._open[-1][1] if self._open else self._root).append(node)

    def _known(self, anchor: str) -> Node:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _unreadable(self._origin, f"has more than {MAX_ALIASES} aliases", "write it out")
        if anchor not in self._anchors:
            raise _unreadable(self._origin, f"uses the alias `*{anchor}` that nothing defines", None)
        return self._anchors[anchor]

    def _key(self, key: Node) -> str:
        if not isinstance(key, str):
            raise _unreadable(self._origin, "has a key that is no text", None)
        return key


def _too_deep(origin: str) -> HoplonError:
    return _unreadable(origin, f"is nested deeper than {MAX_DEPTH}", None)


def _unreadable(origin: str, what: str, hint: str | None) -> HoplonError:
    return HoplonError("description.unreadable", f"{origin} {what}", hint)
