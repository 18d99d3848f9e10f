"""Reads an expression into its syntax tree. What it says about types is nothing: that is the checker's part.

Grammar, loosest first: or (`or` `||`), xor (`xor` `^^`), and (`and` `&&`), not (`not` `!`), comparison. Bounded: the
depth of nesting by MAX_DEPTH, everything else by the length of the text, which is read once.
"""

from dataclasses import replace
from typing import get_args

from hoplon.rules import syntax
from hoplon.rules.lexer import Lexer
from hoplon.rules.refusal import Refusal, did_you_mean, shown
from hoplon.rules.syntax import Expression, LogicOperator, Operator, Span

MAX_CHARACTERS = 16_384
"""The longest expression; Cloudflare takes 4,096. Longer ones are lists, or several rules."""
MAX_DEPTH = 50
"""So deep parentheses, `not` and calls may nest."""
MAX_ARGUMENTS = 64
MAX_STEPS = 8
"""So many `[…]` may follow one name; no type is deeper."""

_LOGIC: tuple[tuple[LogicOperator, str], ...] = (("or", "||"), ("xor", "^^"), ("and", "&&"))
_SYMBOLS: tuple[tuple[str, Operator], ...] = (
    ("==", "eq"),
    ("!=", "ne"),
    ("<=", "le"),
    (">=", "ge"),
    ("<", "lt"),
    (">", "gt"),
    ("~", "matches"),
)
_WORDS: dict[str, Operator] = {
    **{word: word for word in get_args(Operator) if word not in ("strict_wildcard", "bitand")},
    "bitwise_and": "bitand",
}
_LOGIC_WORDS = ("and", "or", "xor", "not")
_RESERVED = frozenset((*_WORDS, *_LOGIC_WORDS, "strict"))
_FUNCTIONS_NOT_OPERATORS = ("starts_with", "ends_with")
MAX_INDEX = 2**32 - 1


def parse(text: str) -> Expression:
    """The tree of an expression. Raises Refusal."""
    if len(text) > MAX_CHARACTERS:
        raise Refusal(
            MAX_CHARACTERS,
            f"an expression has at most {MAX_CHARACTERS:,} characters, this one has {len(text):,}",
            "put long sets into a list (`in $name`), or write several rules",
        )
    if not text.strip(" \t\r\n"):
        raise Refusal(0, "the expression is empty", "`true` is an expression that always holds")
    parser = _Parser(text)
    expression = parser.expression()
    parser.end()
    return expression


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lexer = Lexer(text)
        self._depth = 0

    def end(self) -> None:
        """Nothing may follow."""
        if not self._lexer.is_done():
            raise self._unexpected()

    def expression(self) -> Expression:
        """Operands and the logical operators between them: an or of xors of ands."""
        groups = [[[self._unary()]]]
        while operator := self._logic_operator():
            operand = self._unary()
            if operator == "or":
                groups.append([[operand]])
            elif operator == "xor":
                groups[-1].append([operand])
            else:
                groups[-1][-1].append(operand)
        return _joined("or", [_joined("xor", [_joined("and", ands) for ands in xors]) for xors in groups])

    def _logic_operator(self) -> LogicOperator | None:
        found = self._lexer.peek_word()
        for word, symbol in _LOGIC:
            if found == word:
                self._lexer.take_word(word)
                return word
            if found is None and self._lexer.take(symbol):
                return word
        return None

    def _unary(self) -> Expression:
        start = self._lexer.at
        if self._lexer.peek_word() == "not":
            self._lexer.take_word("not")
        elif self._lexer.peek("(") or self._lexer.peek("!="):
            return self._group()
        elif not self._lexer.take("!"):
            return self._comparison()
        self._deeper(start)
        operand = self._unary()
        self._depth -= 1
        return syntax.Not(Span(start, operand.at.end), operand)

    def _group(self) -> Expression:
        start = self._lexer.at
        if not self._lexer.take("("):
            return self._comparison()
        self._deeper(start)
        expression = self.expression()
        end = self._lexer.expect(")", "was expected")
        self._depth -= 1
        return replace(expression, at=Span(start, end))

    def _deeper(self, start: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Refusal(start, f"parentheses, `not` and calls nest deeper than {MAX_DEPTH}", "write several rules")

    def _comparison(self) -> Expression:
        left = self._operand()
        operator = self._operator()
        if operator is None:
            return left
        right = self._right(operator)
        return syntax.Compare(Span(left.at.start, right.at.end), operator, left, right)

    def _operator(self) -> Operator | None:
        for symbol, operator in _SYMBOLS:
            if self._lexer.take(symbol):
                return operator
        if self._lexer.peek("&") and not self._lexer.peek("&&"):
            self._lexer.take("&")
            return "bitand"
        word = self._lexer.peek_word()
        if word in _WORDS:
            self._lexer.take_word(word)
            return _WORDS[word]
        return self._strict_wildcard() if word == "strict" else None

    def _strict_wildcard(self) -> Operator:
        self._lexer.take_word("strict")
        if self._lexer.peek_word() != "wildcard":
            raise Refusal(self._lexer.at, f"`wildcard` was expected behind `strict`, not {self._lexer.found()}")
        self._lexer.take_word("wildcard")
        return "strict_wildcard"

    def _right(self, operator: Operator) -> Expression | syntax.Choice | syntax.Named | syntax.Pattern:
        if operator == "matches":
            return syntax.Pattern(*self._lexer.pattern())
        if operator != "in":
            return self._operand()
        if self._lexer.peek("$"):
            return syntax.Named(*self._lexer.list_name())
        if not self._lexer.peek("{"):
            raise Refusal(
                self._lexer.at,
                f"`in` takes a set in braces or the name of a list, not {self._lexer.found()}",
                "write `in {…}` or `in $name`; for one value use `eq`",
            )
        return self._choice()

    def _choice(self) -> syntax.Choice:
        start = self._lexer.at
        self._lexer.take("{")
        items: list[syntax.Literals] = []
        while not self._lexer.peek("}"):
            if self._lexer.peek(","):
                raise Refusal(self._lexer.at, "what is in braces is separated by blanks, not by commas")
            items.append(self._literal())
        end = self._lexer.expect("}", "was expected")
        if not items:
            raise Refusal(start, "an empty set matches nothing")
        return syntax.Choice(Span(start, end), tuple(items))

    def _literal(self) -> syntax.Literals:
        if self._lexer.is_string():
            return self._lexer.string()
        if self._lexer.is_bare():
            return self._lexer.bare()
        raise Refusal(
            self._lexer.at,
            f"a string, number or address was expected, not {self._lexer.found()}",
            'text stands in quotes: `"…"`' if self._lexer.peek_word() else None,
        )

    def _operand(self) -> Expression:
        word = self._lexer.peek_word()
        if word is None:
            return self._literal_operand()
        if word in _RESERVED:
            raise Refusal(self._lexer.at, f"a field, function or value was expected, not `{word}`")
        at = self._lexer.take_word(word)
        if word in ("true", "false"):
            return syntax.Truth(at, word == "true")
        base = self._call(at, word) if self._lexer.peek("(") else syntax.Field(at, word)
        return self._path(base)

    def _literal_operand(self) -> Expression:
        if self._lexer.is_done() or not (self._lexer.is_string() or self._lexer.is_bare()):
            raise Refusal(self._lexer.at, f"a field, function or value was expected, not {self._lexer.found()}")
        return self._literal()

    def _call(self, name_at: Span, name: str) -> syntax.Call:
        self._deeper(name_at.start)
        self._lexer.take("(")
        arguments: list[Expression] = []
        while not self._lexer.peek(")"):
            if arguments:
                self._lexer.expect(",", f"or `)` was expected in the call of `{shown(name)}`")
            if len(arguments) == MAX_ARGUMENTS:
                raise Refusal(self._lexer.at, f"a call has at most {MAX_ARGUMENTS} arguments")
            arguments.append(self.expression())
        end = self._lexer.expect(")", "was expected")
        self._depth -= 1
        return syntax.Call(Span(name_at.start, end), name, tuple(arguments))

    def _path(self, base: syntax.Field | syntax.Call) -> syntax.Value:
        steps: list[syntax.Step] = []
        while self._lexer.peek("["):
            if len(steps) == MAX_STEPS:
                raise Refusal(self._lexer.at, f"at most {MAX_STEPS} `[…]` follow one name")
            steps.append(self._step())
        return syntax.Path(Span(base.at.start, steps[-1].at.end), base, tuple(steps)) if steps else base

    def _step(self) -> syntax.Step:
        start = self._lexer.at
        self._lexer.take("[")
        step: syntax.Step
        if self._lexer.take("*"):
            step = syntax.Each(Span(start, self._close()))
        elif self._lexer.is_string():
            name = self._lexer.string().value
            step = syntax.Key(Span(start, self._close()), name)
        else:
            number = self._index()
            step = syntax.Index(Span(start, self._close()), number)
        return step

    def _close(self) -> int:
        return self._lexer.expect("]", "was expected")

    def _index(self) -> int:
        start = self._lexer.at
        inner = self._lexer.bare() if self._lexer.is_bare() else None
        if isinstance(inner, syntax.Number) and 0 <= inner.value <= MAX_INDEX:
            return inner.value
        raise Refusal(
            start, "in brackets stands a position from 0, a key in quotes, or `*`", 'for example `[0]`, `["name"]`'
        )

    def _unexpected(self) -> Refusal:
        """What follows is no logical operator: say what was probably meant."""
        at, word = self._lexer.at, self._lexer.peek_word()
        if word in _FUNCTIONS_NOT_OPERATORS:
            return Refusal(at, f"`{word}` is a function, no operator", f'write `{word}(field, "…")`')
        if word and word != word.lower() and word.lower() in (*_WORDS, *_LOGIC_WORDS):
            return Refusal(at, f"operators are written in lower case, not `{word}`", f"write `{word.lower()}`")
        if self._lexer.peek("=") or self._lexer.peek("|") or self._lexer.peek("^"):
            symbol = self._text[at]
            return Refusal(at, f"`{symbol}` is no operator", f"write `{symbol * 2}`")
        hint = (
            did_you_mean(word, (*_WORDS, *_LOGIC_WORDS, "strict wildcard", *_FUNCTIONS_NOT_OPERATORS)) if word else None
        )
        return Refusal(at, f"an operator or the end was expected, not {self._lexer.found()}", hint)


def _joined(operator: LogicOperator, operands: list[Expression]) -> Expression:
    if len(operands) == 1:
        return operands[0]
    return syntax.Logic(Span(operands[0].at.start, operands[-1].at.end), operator, tuple(operands))
