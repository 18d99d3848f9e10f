"""What can be wrong on our side: one error with a stable code and what to do, and the `Problem`s it may list.

Never about traffic: what is wrong with a request is a Violation, a value of the engine.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document or setting: where (a dotted path, and the line if known), what, and what to do."""

    path: str
    message: str
    hint: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        places = [f"line {self.line}"] if self.line is not None else []
        place = ", ".join(places + ([self.path] if self.path else []))
        return f"{place}: {self.message}" if place else self.message


class HoplonError(Exception):
    """Something we cannot do, and what the operator does about it.

    `code` is stable (`<area>.<thing>`, listed with its exit code in `hoplon.cli.errors`), `message` one sentence,
    `hint` what to do next, `problems` every single error when there are several, `retry_seconds` after how long the
    same may succeed, where that is known.
    """

    def __init__(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        problems: tuple[Problem, ...] = (),
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.problems = problems
        self.retry_seconds = retry_seconds
