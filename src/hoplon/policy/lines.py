"""Where in a TOML text a path stands, so that an error can name its line. The text is known to be TOML."""

import re
from collections.abc import Mapping

Steps = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
_ENTRY = re.compile(r"\s*\{")
_PIECE = re.compile(_KEY)
_LONG_QUOTES = re.compile(r'"""|\'\'\'')


def line_numbers(text: str) -> dict[Steps, int]:
    """The line (from 1) of every header, key and entry of a list of tables (`key = [` and then one `{` per line)."""
    lines: dict[Steps, int] = {}
    counts: dict[Steps, int] = {}
    table: Steps = ()
    entries: Steps = ()
    inside_string = False
    for number, line in enumerate(text.splitlines(), start=1):
        quotes = len(_LONG_QUOTES.findall(line))
        if inside_string:
            pass
        elif header := _HEADER.match(line):
            table = _table_path(_pieces(header[2]), header[1] == "[[", counts)
            lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            entries = table + _pieces(assignment[1])
            lines.setdefault(entries, number)
        elif _ENTRY.match(line):
            lines.setdefault(_table_path(entries, True, counts), number)
        inside_string ^= quotes % 2 == 1
    return lines


def line_of(lines: Mapping[Steps, int], path: Steps) -> int | None:
    """The line of `path`, or of the nearest thing around it."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _pieces(dotted: str) -> Steps:
    return tuple(piece.strip("\"'") for piece in _PIECE.findall(dotted))


def _table_path(names: Steps, is_array: bool, counts: dict[Steps, int]) -> Steps:
    """The names with the index of the current element after each array of tables."""
    path: Steps = ()
    for name in names[:-1]:
        path += (name,)
        if path in counts:
            path += (counts[path],)
    path += names[-1:]
    if not is_array:
        return path
    counts[path] = counts.get(path, -1) + 1
    return (*path, counts[path])
