"""The words in which the checker speaks of types and functions."""

from collections.abc import Sequence

from hoplon.rules.functions import Function
from hoplon.rules.types import BOOLEANS, Type

ANY_HINT = "put `any(…)` or `all(…)` around the array"


def condition_hint(found: Type) -> str | None:
    if found == BOOLEANS:
        return ANY_HINT
    return element_hint(found) if found.of is not None else "compare it: `eq`, `in`, `contains`, `matches` …"


def element_hint(found: Type) -> str:
    return (
        "`[0]` is its first element, `any(x[*] …)` asks for each"
        if found.kind == "Array"
        else '`["key"]` is one of its values'
    )


def a(found: Type) -> str:
    return f"an {found}" if str(found)[0] in "AIO" else f"a {found}"


def listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def count(function: Function) -> str:
    least, most = function.required, len(function.parameters)
    if function.repeats:
        return f"at least {least} arguments"
    if least == most:
        return f"{most or 'no'} argument{'' if most == 1 else 's'}"
    return f"{least} to {most} arguments"
