"""The policy document: TOML text to Policy with every error at once, and Policy to its one canonical text.

`write_policy(read_policy(text))` is the canonical form of `text`; writing what was read from it gives the same bytes.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from hoplon.errors import HoplonError, Problem
from hoplon.model.policy import Policy
from hoplon.policy.feature import Feature
from hoplon.policy.lines import Steps, line_numbers, line_of
from hoplon.policy.toml_text import write_toml
from hoplon.policy.zone import ZoneTable, check_zone, read_zone, write_zone
from hoplon.spelling import did_you_mean

FORMAT = 1
MAX_CHARACTERS = 8 * 1024**2
MAX_LINES = 200_000
"""Ten thousand saved operations are ten thousand lines of a hundred characters."""
_SHOWN_PROBLEMS = 200
_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_MAX_DOTS_SQUARED = 20_000_000
"""So much takes a second; one line of 4,000 dots, or any number of lines with few."""
_STRING = re.compile(r"""\"(?:[^"\\\n]|\\.)*\"|'[^'\n]*'""")
_LONG_QUOTES = ("'''", '"""')

Agreement = Callable[[Policy], Sequence[Problem]]
"""Checks what concerns several features; handed in, since none of them knows another."""


def _no_disagreement(policy: Policy) -> Sequence[Problem]:
    return ()


def read_policy(
    text: str, features: Sequence[Feature], origin: str = "the policy", disagreements: Agreement = _no_disagreement
) -> Policy:
    """The policy that `text` says, wholly checked. Raises `policy.invalid` with every problem, its path and line."""
    return read_document(_parse_toml(text, origin), features, origin, disagreements, line_numbers(text))


def read_document(
    document: Mapping[str, Any],
    features: Sequence[Feature],
    origin: str = "the policy",
    disagreements: Agreement = _no_disagreement,
    lines: Mapping[Steps, int] = MappingProxyType({}),
) -> Policy:
    """The policy that a parsed document says, wholly checked. Raises as `read_policy` does."""
    try:
        tables = dict(_document_model(tuple(features)).model_validate(document))
    except ValidationError as error:
        raise _invalid(origin, _explain_all(error, features), lines) from None
    zone = read_zone(tables["zone"])
    policy = Policy(zone, {feature.name: feature.read(tables[feature.name]) for feature in features})
    problems = check_policy(policy, features) or disagreements(policy)
    if problems:
        raise _invalid(origin, problems, lines)
    return policy


def check_policy(policy: Policy, features: Sequence[Feature]) -> list[Problem]:
    """Everything wrong with a policy that its types allow."""
    problems = check_zone(policy.zone)
    for feature in features:
        problems += feature.check(policy.features[feature.name], policy.zone)
    return problems


def write_policy(policy: Policy, features: Sequence[Feature]) -> str:
    """The one canonical TOML text of a policy, defaults written out."""
    document: dict[str, Any] = {"format": FORMAT, "zone": write_zone(policy.zone)}
    for feature in features:
        document[feature.name] = feature.write(policy.features[feature.name])
    return write_toml(document)


def _parse_toml(text: str, origin: str) -> dict[str, Any]:
    """The TOML document. `tomllib` takes time with the square of a dotted key's length, has no bound on nesting and
    reads no number of more than 4,300 digits."""
    if len(text) > MAX_CHARACTERS or text.count("\n") > MAX_LINES:
        problem = Problem("", f"longer than {MAX_LINES:,} lines or {MAX_CHARACTERS:,} characters")
        raise _invalid(origin, [problem], {})
    if sum(line.count(".") ** 2 for line in _without_strings(text).split("\n")) > _MAX_DOTS_SQUARED:
        raise _invalid(origin, [Problem("", "lines with so many dots are not read", "break them up")], {})
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _SYNTAX_LINE.search(str(error))
        message = _SYNTAX_LINE.sub("", str(error)).strip()
        problem = Problem("", f"not TOML: {message}", None, int(place[1]) if place else None)
        raise _invalid(origin, [problem], {}) from None
    except (RecursionError, ValueError):
        raise _invalid(origin, [Problem("", "it is nested too deep, or has a number too long")], {}) from None


def _without_strings(text: str) -> str:
    """The text without its strings, in which dots cost nothing: an expression may list hundreds of addresses.

    Strings of several lines are left in, and all others with them: nobody can pass off keys as a string.
    """
    return text if any(quotes in text for quotes in _LONG_QUOTES) else _STRING.sub("", text)


@cache
def _document_model(features: tuple[Feature, ...]) -> type[BaseModel]:
    tables: dict[str, Any] = {feature.name: (feature.table, feature.table()) for feature in features}
    return create_model(
        "PolicyDocument",
        __config__=ConfigDict(extra="forbid", frozen=True),
        format=(Literal[1], Field()),
        zone=(ZoneTable, Field()),
        **tables,
    )


def _explain_all(error: ValidationError, features: Sequence[Feature]) -> list[Problem]:
    model = _document_model(tuple(features))
    return [
        _explain(item["type"], item["loc"], item["msg"], item.get("input"), model)
        for item in error.errors()[:_SHOWN_PROBLEMS]
    ]


def _explain(kind: str, steps: Steps, message: str, given: object, model: type[BaseModel]) -> Problem:
    path = dotted(steps)
    if kind == "extra_forbidden":
        return Problem(path, "unknown key", did_you_mean(str(steps[-1]), _keys_beside(steps, model)))
    if steps == ("format",):
        return Problem(path, f"this version of Hoplon reads policies of format {FORMAT}", f"write `format = {FORMAT}`")
    if kind == "missing":
        return Problem(path, "is missing", _MISSING_HINTS.get(path))
    if kind == "literal_error":
        return Problem(path, f"{message[0].lower()}{message[1:]}, not {given!r}")
    return Problem(path, message.removeprefix("Value error, ").replace("Input should", "should"))


_MISSING_HINTS = {
    "zone": 'a policy says where traffic goes: [[zone.upstreams]] with url = "http://127.0.0.1:9000"',
    "zone.upstreams": '[[zone.upstreams]] with url = "http://127.0.0.1:9000"',
}


def _keys_beside(steps: Steps, model: type[BaseModel]) -> Iterable[str]:
    """The keys that are known in the table in which the last of `steps` stands."""
    table: Any = model
    for step in steps[:-1]:
        table = table.model_fields[step].annotation if isinstance(step, str) else get_args(table)[0]
    return list(table.model_fields)


def dotted(steps: Steps) -> str:
    """`("operations", "saved", 3, "path")` as `operations.saved[3].path`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _steps(path: str) -> Steps:
    return tuple(int(piece) if piece.isdigit() else piece for piece in re.findall(r"[^.\[\]]+", path))


def _invalid(origin: str, problems: Sequence[Problem], lines: Mapping[Steps, int]) -> HoplonError:
    placed = tuple(
        Problem(problem.path, problem.message, problem.hint, problem.line or line_of(lines, _steps(problem.path)))
        for problem in problems
    )
    count = "1 error" if len(placed) == 1 else f"{len(placed)} errors"
    return HoplonError("policy.invalid", f"{origin} has {count}; nothing was changed", None, placed)
