"""What an argument of a function has to be, beyond its type."""

from collections.abc import Sequence

from hoplon.rules import syntax
from hoplon.rules.functions import Parameter
from hoplon.rules.refusal import Refusal
from hoplon.rules.types import INTEGER, Type
from hoplon.rules.wording import a, listed


def wrong_argument(name: str, parameter: Parameter, found: Type) -> str:
    return f"`{name}`: {parameter.name} is {' or '.join(a(kind) for kind in parameter.types)}, not {a(found)}"


def check_bounds(name: str, parameter: Parameter, argument: syntax.Expression) -> None:
    if isinstance(argument, syntax.Number) and parameter.within is not None:
        low, high = parameter.within
        if not low <= argument.value <= high:
            raise Refusal(argument.at.start, f"`{name}`: {parameter.name} is {low} to {high}")
    words = parameter.words
    if isinstance(argument, syntax.Text) and words and argument.value.decode("utf-8", "replace") not in words:
        known = listed(tuple(f'"{word}"' for word in words if word))
        raise Refusal(argument.at.start, f"`{name}`: {parameter.name} is one of {known}")


def check_agreement(call: syntax.Call, types: Sequence[Type]) -> None:
    """`concat` joins Strings (and numbers that are written out) or arrays, not both."""
    if call.name != "concat":
        return
    for argument, kind in zip(call.arguments, types, strict=True):
        if kind == INTEGER and not isinstance(argument, syntax.Number):
            raise Refusal(argument.at.start, "`concat`: part is a String, not an Integer of the request")
        if (kind.of is None) != (types[0].of is None):
            raise Refusal(argument.at.start, f"`concat` joins {a(types[0])} with {a(kind)}")
