"""From a method and a raw path to the route that is meant; a literal segment wins over a variable. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

Target = TypeVar("Target")

MAX_SEGMENT = 1024


@dataclass(slots=True)
class _Node(Generic[Target]):
    """The paths that begin alike: what follows by literal segment, and what follows a variable."""

    literals: dict[str, "_Node[Target]"] = field(default_factory=dict)
    variable: "_Node[Target] | None" = None
    targets: dict[str, tuple[Target, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found(Generic[Target]):
    """The target of a request, and the decoded variables of its path."""

    target: Target
    ids: Mapping[str, str]


class Router(Generic[Target]):
    """Finds targets by method and path. Path templates name their variables in braces: `/zones/{zone_id}`."""

    def __init__(self, entries: Sequence[tuple[str, str, Target]]) -> None:
        self._root: _Node[Target] = _Node()
        for method, path, target in entries:
            self._add(method, path, target)

    def find(self, method: str, raw_path: str) -> Found[Target] | tuple[str, ...]:
        """What is meant; else the methods that the path has, none for an unknown path."""
        found = _descend(self._root, raw_path.removesuffix("/").split("/")[1:], ())
        if found is None:
            return ()
        node, values = found
        if method not in node.targets:
            return tuple(node.targets)
        target, names = node.targets[method]
        return Found(target, dict(zip(names, values, strict=True)))

    def _add(self, method: str, path: str, target: Target) -> None:
        node, names = self._root, []
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        if method in node.targets:
            raise ValueError(f"{method} {path} is there twice")
        node.targets[method] = (target, tuple(names))


def _descend(
    node: _Node[Target], segments: Sequence[str], values: tuple[str, ...]
) -> tuple[_Node[Target], tuple[str, ...]] | None:
    if not segments:
        return (node, values) if node.targets else None
    literal = node.literals.get(segments[0])
    if literal is not None and (found := _descend(literal, segments[1:], values)):
        return found
    value = _decoded(segments[0]) if node.variable is not None else None
    return None if node.variable is None or value is None else _descend(node.variable, segments[1:], (*values, value))


def _decoded(segment: str) -> str | None:
    """A segment without its percent-encoding; None for what no id or name can be."""
    try:
        value = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None
    return value if 0 < len(value) <= MAX_SEGMENT and "\0" not in value else None
