"""Guesses path templates: takes the path forms that were answered successfully, gives a tree that resolves any form.

A form already has its integers, UUIDs, hex, ULIDs and redacted segments as `{}`. What is left to decide is which names
among siblings are values too. Four rules, in this order; everything else stays literal:

1. codes (`TEA-001`), and dates (`2024-05-01`) unless they stand first with at most 3 values (a version, as Twilio's)
2. numbered siblings: at least 5 that differ in their digits only (`f0.txt` … `f9.txt`), never versions (`v1`)
3. at least 15 siblings that go on with the same name (`/users/ann/orders`, `/users/bob/orders`, …)
4. at least 30 siblings that go on with nothing

Rules 2 to 4 take only siblings that few sessions use: a name of the API (`me`, `export`) is used by many, an identifier
by its owner. The tree knows no counts of requests and no storage.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

HOLE = "{}"
NUMBERED_SIBLINGS = 5
CONTINUED_SIBLINGS = 15
LEAF_SIBLINGS = 30
VERSION_DATES = 3
NAME_SESSION_SHARE = 0.1
"""A segment used by more than this share of the host's sessions is a name."""

_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*-[0-9]+")
_DATE = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?(?:T[0-9:.Z+-]+)?")
_VERSION = re.compile(r"v[0-9]+(?:[._-]?[0-9]+|alpha|beta|rc)*", re.IGNORECASE)


@dataclass(slots=True)
class Node:
    """One segment's place in the tree: what follows it, the methods that end here, and how many sessions use it."""

    children: dict[str, "Node"] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    sessions: int = 0

    def absorb(self, other: "Node") -> None:
        """Take over everything of `other`."""
        self.methods |= other.methods
        self.sessions = max(self.sessions, other.sessions)
        for name, child in other.children.items():
            self.children.setdefault(name, Node()).absorb(child)


@dataclass(frozen=True, slots=True)
class SuccessfulForm:
    """A path form that was answered successfully, by how many sessions."""

    method: str
    form: str
    sessions: int


class TemplateTree:
    """The templates of one host."""

    def __init__(self) -> None:
        self._root = Node()

    @classmethod
    def exact(cls, forms: Iterable[SuccessfulForm]) -> "TemplateTree":
        """The tree of templates that are certain: nothing is guessed."""
        tree = cls()
        for form in forms:
            tree._add(form)
        return tree

    @classmethod
    def guess(cls, forms: Iterable[SuccessfulForm], host_sessions: int) -> "TemplateTree":
        """The tree of the templates that explain `forms`; `host_sessions` used the host in all."""
        tree = cls.exact(forms)
        _merge(tree._root, _few(host_sessions), depth=0)
        return tree

    def _add(self, form: SuccessfulForm) -> None:
        node = self._root
        for segment in _segments(form.form):
            node = node.children.setdefault(segment, Node())
            node.sessions = max(node.sessions, form.sessions)
        node.methods.add(form.method)

    def resolve(self, method: str, form: str) -> tuple[str, str] | None:
        """(method, template) that a request with `form` belongs to, or None. Literals win over variables, with
        backtracking; HEAD belongs to GET's operation where there is no other."""
        for wanted in (method, "GET") if method == "HEAD" else (method,):
            path = next(_paths(self._root, _segments(form), wanted), None)
            if path is not None:
                return wanted, template_of(path)
        return None


def template_of(segments: Iterable[str]) -> str:
    """The template of a path's segments: holes named `{var1}`, `{var2}` … in order."""
    number = 0
    named = []
    for segment in segments:
        number += segment == HOLE
        named.append(f"{{var{number}}}" if segment == HOLE else segment)
    return "/" + "/".join(named)


def form_of(template: str) -> str:
    """The form of a template: its variables as holes."""
    return re.sub(r"\{[^{}/]*\}", HOLE, template).rstrip("/") or "/"


def _segments(form: str) -> list[str]:
    return form[1:].split("/") if form != "/" else []


def _paths(node: Node, segments: list[str], method: str) -> Iterator[list[str]]:
    if not segments:
        if method in node.methods:
            yield []
        return
    head, *rest = segments
    for name in (head, HOLE) if head != HOLE else (HOLE,):
        if name in node.children:
            yield from ([name, *path] for path in _paths(node.children[name], rest, method))


def _few(host_sessions: int) -> int:
    """The most sessions that an identifier may have: one in a small place, a tenth of the host's otherwise."""
    return max(1, int(host_sessions * NAME_SESSION_SHARE))


def _merge(node: Node, few: int, depth: int) -> None:
    """Turn value-like children of `node` into its hole, then do the same below; HEAD beside GET is GET's."""
    if "GET" in node.methods:
        node.methods.discard("HEAD")
    for name in _values(node, few, depth):
        child = node.children.pop(name)
        node.children.setdefault(HOLE, Node()).absorb(child)
    for child in node.children.values():
        _merge(child, few, depth + 1)


def _values(node: Node, few: int, depth: int) -> set[str]:
    names = [name for name in node.children if name != HOLE]
    rare = [name for name in names if node.children[name].sessions <= few and not _VERSION.fullmatch(name)]
    return {
        *(name for name in names if _CODE.fullmatch(name)),
        *_dates(names, depth),
        *_numbered(rare),
        *_continued(node, rare),
        *_leaves(node, rare),
    }


def _dates(names: list[str], depth: int) -> list[str]:
    dates = [name for name in names if _DATE.fullmatch(name)]
    return [] if depth == 0 and len(dates) <= VERSION_DATES else dates


def _numbered(rare: list[str]) -> list[str]:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in rare:
        shape = re.sub(r"[0-9]+", "#", name)
        if "#" in shape and shape != "#":
            alike[shape].append(name)
    return [name for group in alike.values() if len(group) >= NUMBERED_SIBLINGS for name in group]


def _continued(node: Node, rare: list[str]) -> list[str]:
    sharing: dict[str, list[str]] = defaultdict(list)
    for name in rare:
        for continuation in node.children[name].children:
            if continuation != HOLE:
                sharing[continuation].append(name)
    return [name for group in sharing.values() if len(group) >= CONTINUED_SIBLINGS for name in group]


def _leaves(node: Node, rare: list[str]) -> list[str]:
    leaves = [name for name in rare if not node.children[name].children]
    return leaves if len(leaves) >= LEAF_SIBLINGS else []
