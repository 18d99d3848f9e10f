"""Expressions of rules as programs, compiled once per text: editing one of a thousand rules compiles one."""

from collections.abc import Iterator
from functools import lru_cache

from hoplon.errors import Problem
from hoplon.rules.around import Around
from hoplon.rules.compile import Compiled, compile_expression, compile_value
from hoplon.rules.dialects import Dialect
from hoplon.rules.refusal import ExpressionError

_KEPT = 20_000
"""Programs; as many as two full rulesets."""


@lru_cache(maxsize=_KEPT)
def condition(text: str, dialect: Dialect) -> Compiled:
    """The program of a condition; lists and token configurations that it names may not exist.

    Raises ExpressionError.
    """
    return compile_expression(text, dialect)


@lru_cache(maxsize=_KEPT)
def value(text: str, dialect: Dialect) -> Compiled:
    """The program of a value. Raises ExpressionError."""
    return compile_value(text, dialect)


def condition_faults(path: str, text: str, dialect: Dialect) -> Iterator[Problem]:
    """What is wrong with a condition by itself."""
    try:
        condition(text, dialect)
    except ExpressionError as error:
        yield problem_of(path, error)


def value_faults(path: str, text: str, dialect: Dialect) -> Iterator[Problem]:
    """What is wrong with a value by itself."""
    try:
        value(text, dialect)
    except ExpressionError as error:
        yield problem_of(path, error)


def names_anything(compiled: Compiled) -> bool:
    """Whether it names a list or a token configuration."""
    return bool(compiled.lists or compiled.token_configurations)


def naming_faults(path: str, text: str, dialect: Dialect, around: Around, *, is_condition: bool) -> Iterator[Problem]:
    """What is wrong with the names in an expression that is right by itself: lists and token configurations."""
    compiled = condition(text, dialect) if is_condition else value(text, dialect)
    if not names_anything(compiled):
        return
    try:
        (compile_expression if is_condition else compile_value)(text, dialect, around)
    except ExpressionError as error:
        yield problem_of(path, error)


def problem_of(path: str, error: ExpressionError) -> Problem:
    """The refusal of an expression as a Problem of the document that it stands in."""
    place = f"column {error.column}" if error.line == 1 else f"line {error.line}, column {error.column}"
    return Problem(path, f"{error.message} ({place} of the expression)", error.hint)
