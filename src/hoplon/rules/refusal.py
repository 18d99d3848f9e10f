"""Why an expression is refused: one sentence, where it is wrong, and what to do about it."""

from hoplon.spelling import nearest


class ExpressionError(Exception):
    """An expression that is no rule: never about traffic, always about the text.

    `line` and `column` count from 1, in characters; `hint` says what to write instead, where that is known.
    """

    def __init__(self, message: str, line: int, column: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class Refusal(Exception):  # noqa: N818 - becomes an ExpressionError once the text is at hand
    """What a step of the compiler refuses, by its offset in the text. Never leaves `compile`."""

    def __init__(self, offset: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.hint = hint

    def within(self, text: str) -> ExpressionError:
        """The same with line and column."""
        before = text[: self.offset]
        line_start = before.rfind("\n") + 1
        return ExpressionError(self.message, before.count("\n") + 1, self.offset - line_start + 1, self.hint)


def shown(text: str, limit: int = 60) -> str:
    """A piece of an expression as it stands in a sentence: short, and without what a terminal would obey."""
    cut = text if len(text) <= limit else f"{text[:limit]}…"
    return "".join(character if character.isprintable() else "�" for character in cut)


def did_you_mean(name: str, known: tuple[str, ...], otherwise: str | None = None) -> str | None:
    """The nearest known name as a hint, `otherwise` when none is near: all facts would be too many to list."""
    match = nearest(name[:100], known)
    return f"did you mean `{match}`?" if match else otherwise
