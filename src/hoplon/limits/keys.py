"""What a limit's counters are named by: the programs of its characteristics; spellings that say the same are one."""

from typing import Any

from hoplon.model.rules import Rate
from hoplon.rules.dialects import LIMITS
from hoplon.rules.form import COLO
from hoplon.rules.programs import value

_ENCODED = ("http.request.uri.args", "http.request.body.form", "http.request.cookies")
"""Maps whose values applications decode, and the language gives as they were sent."""


def characteristics(rate: Rate) -> list[str]:
    """Those that differ between requests."""
    return [each for each in rate.characteristics if each.strip() != COLO]


def key_programs(rate: Rate) -> list[dict[str, Any]]:
    """The program of each characteristic."""
    return [decoded(value(each, LIMITS).program) for each in characteristics(rate)]


def decoded(program: dict[str, Any]) -> dict[str, Any]:
    """A program that gives values of one name as the application reads them: `%61dmin` is `admin`, or each spelling
    would have a counter of its own. Anything but such a name, or one value of it, stays as it was written."""
    nodes = program["nodes"]
    last = len(nodes) - 1
    if _is_name(nodes, last):
        return {"nodes": [*nodes, ["each", last], ["call", "url_decode", last + 1]]}
    if nodes[last][0] == "index" and _is_name(nodes, nodes[last][1]):
        return {"nodes": [*nodes, ["call", "url_decode", last]]}
    return program


def _is_name(nodes: list[Any], at: int) -> bool:
    node = nodes[at]
    return node[0] == "key" and nodes[node[1]][0] == "fact" and nodes[node[1]][1] in _ENCODED
