"""Checks many expressions at once, as a file holds them: one a line. Takes text, gives what is wrong with each."""

from hoplon.rules.compile import compile_expression
from hoplon.rules.dialects import Dialect
from hoplon.rules.refusal import ExpressionError


def check_lines(text: str, dialect: Dialect) -> list[ExpressionError | None]:
    """One entry for each line, in order: None, or why its expression is refused, with the line's number in `text`.

    The line end behind the last expression begins no other; an empty line in between is an empty expression.
    """
    lines = text.removesuffix("\n").split("\n") if text else []
    return [_check(line.removesuffix("\r"), number, dialect) for number, line in enumerate(lines, 1)]


def _check(line: str, number: int, dialect: Dialect) -> ExpressionError | None:
    try:
        compile_expression(line, dialect)
    except ExpressionError as error:
        return ExpressionError(error.message, number, error.column, error.hint)
    return None
