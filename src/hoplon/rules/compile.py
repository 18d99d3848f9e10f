"""The door to the language: compiles an expression to the program that the engine runs (crates/engine/src/program).

A program is `{"nodes": […]}`: each node names earlier ones by their index, the last is the root.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from hoplon.rules import syntax
from hoplon.rules.around import Around
from hoplon.rules.check import Checker
from hoplon.rules.dialects import Dialect
from hoplon.rules.emit import Emitter, Place
from hoplon.rules.fields import COSTS, PHASES, FieldDef, dearer, engine_fields, later
from hoplon.rules.parser import parse
from hoplon.rules.refusal import Refusal
from hoplon.rules.strict import strict

_EVERYTHING = Around()


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression, ready for the bundle.

    `type` is what it gives ("Boolean", "Array<String>" …), `phase` and `cost` the latest and dearest of its `facts`,
    `lists` and `token_configurations` the names it uses, `places` where its parts stand in the text.
    """

    program: dict[str, Any]
    type: str
    phase: str
    cost: str
    facts: frozenset[str]
    lists: frozenset[str]
    token_configurations: frozenset[str]
    places: tuple[Place, ...]


def compile_expression(
    text: str, dialect: Dialect, around: Around = _EVERYTHING, fields: Mapping[str, FieldDef] | None = None
) -> Compiled:
    """The program of a condition. Raises ExpressionError. `fields`: the engine's, unless a test has others."""
    return _compile(text, dialect, around, fields, is_condition=True)


def compile_value(
    text: str, dialect: Dialect, around: Around = _EVERYTHING, fields: Mapping[str, FieldDef] | None = None
) -> Compiled:
    """The program of any value: a characteristic of a rate limit, a source of tokens. Raises ExpressionError."""
    return _compile(text, dialect, around, fields, is_condition=False)


def read_expression(
    text: str, dialect: Dialect, around: Around, fields: Mapping[str, FieldDef], *, is_condition: bool = True
) -> tuple[syntax.Expression, str]:
    """The checked tree of an expression, as it was written, and the type of what it gives. Raises Refusal."""
    _utf8(text)
    expression = parse(text)
    checker = Checker(dialect, fields, around)
    return expression, str(checker.condition(expression) if is_condition else checker.value(expression))


def _compile(
    text: str, dialect: Dialect, around: Around, fields: Mapping[str, FieldDef] | None, *, is_condition: bool
) -> Compiled:
    known = engine_fields() if fields is None else fields
    try:
        expression, found = read_expression(text, dialect, around, known, is_condition=is_condition)
        if is_condition and dialect.is_strict:
            checker = Checker(dialect, known, around)
            expression = strict(expression, lambda value: checker.check(value).type, around)
        emitter = Emitter(around)
        emitter.emit(expression)
        emitter.check_size()
    except Refusal as refusal:
        raise refusal.within(text) from None
    facts = emitter.names("fact")
    return Compiled(
        program={"nodes": emitter.nodes},
        type=found,
        phase=reduce(later, (known[name].phase for name in facts), PHASES[0]),
        cost=reduce(dearer, (known[name].cost for name in facts), COSTS[0]),
        facts=facts,
        lists=emitter.lists(),
        token_configurations=emitter.token_configurations(),
        places=tuple(emitter.places),
    )


def _utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refusal(error.start, "this is no UTF-8 text") from None
