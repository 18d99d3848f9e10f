"""Makes a condition false wherever something is missing, under `not` too: what authorization asks for.

`not claim("role") eq "guest"` would otherwise be true for a caller without any token. In the logic of Kleene, what is
missing makes a comparison unknown, `not` of it too, and only what is known to be true allows. So is what servers read
in different ways. Takes a checked tree, gives a tree without `not` above anything but a leaf, and with tests of
presence and of one meaning beside those.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from hoplon.rules import claims, syntax, unambiguous
from hoplon.rules.around import Around
from hoplon.rules.refusal import Refusal
from hoplon.rules.syntax import Expression, Span
from hoplon.rules.types import ADDRESS, INTEGER, STRING, Type

TypeOf = Callable[[Expression], Type]
_ANY_ADDRESS = (
    (IPv4Address(0), IPv4Address(2**32 - 1)),
    (IPv6Address(0), IPv6Address(2**128 - 1)),
)


def strict(expression: Expression, type_of: TypeOf, around: Around) -> Expression:
    """The condition that is true only where everything it needs is there. Raises Refusal for `xor`."""
    return _Strict(type_of, around).wanted(expression)


class _Strict:
    def __init__(self, type_of: TypeOf, around: Around) -> None:
        self._type_of = type_of
        self._around = around

    def wanted(self, expression: Expression) -> Expression:
        """True where the expression is known to be true."""
        match expression:
            case syntax.Not(at=at, operand=operand):
                return self._unwanted(operand, at)
            case syntax.Logic(at=at, operator=operator, operands=operands):
                return syntax.Logic(at, _known(at, operator), tuple(self.wanted(one) for one in operands))
        return _with(expression, unambiguous.tests(expression))

    def _unwanted(self, expression: Expression, at: Span) -> Expression:
        """True where the expression is known to be false; `at` is where its negation stands."""
        match expression:
            case syntax.Not(operand=operand):
                return self.wanted(operand)
            case syntax.Logic(operator=operator, operands=operands):
                opposite: syntax.LogicOperator = "or" if _known(at, operator) == "and" else "and"
                return syntax.Logic(at, opposite, tuple(self._unwanted(one, _nowhere(one.at)) for one in operands))
        tests = (*self._present(expression), *unambiguous.tests(expression))
        return _with(syntax.Not(_nowhere(at) if tests else at, expression), tests, at)

    def _present(self, leaf: Expression) -> tuple[Expression, ...]:
        """What has to hold for a leaf to be known."""
        match leaf:
            case syntax.Compare(left=left, right=right):
                values = [left] if isinstance(right, (syntax.Choice, syntax.Named, syntax.Pattern)) else [left, right]
                return tuple(test for value in values for test in self._there(value))
            case syntax.Call(name="claim_has"):
                token = claims.claims_of(leaf, self._around)
                return (_compare(leaf.at, "ge", token, syntax.Text(leaf.at, b"")),)
            case syntax.Call(name="any" | "all", arguments=arguments):
                count = syntax.Call(leaf.at, "len", arguments)
                return (_compare(leaf.at, "ge", count, syntax.Number(leaf.at, 0)),)
            case syntax.Call(arguments=arguments):
                return tuple(test for value in arguments for test in self._there(value))
        return ()

    def _there(self, value: Expression) -> tuple[Expression, ...]:
        """A test that a value is there; none for what is written out."""
        if not isinstance(value, (syntax.Field, syntax.Call, syntax.Path)):
            return ()
        found = self._type_of(value)
        if found == STRING:
            return (_compare(value.at, "ge", value, syntax.Text(value.at, b"")),)
        if found == INTEGER:
            return (_compare(value.at, "ge", value, syntax.Number(value.at, -(2**63))),)
        if found == ADDRESS:
            networks = tuple(syntax.Network(value.at, first, last) for first, last in _ANY_ADDRESS)
            return (_compare(value.at, "in", value, syntax.Choice(value.at, networks)),)
        return ()


def _with(leaf: Expression, tests: tuple[Expression, ...], at: Span | None = None) -> Expression:
    """The leaf, and what has to hold beside it; `at` is the place of both together."""
    return syntax.Logic(at or _nowhere(leaf.at), "and", (leaf, *tests)) if tests else leaf


def _compare(
    at: Span, operator: syntax.Operator, left: Expression, right: Expression | syntax.Choice
) -> syntax.Compare:
    return syntax.Compare(_nowhere(at), operator, left, right)


def _nowhere(at: Span) -> Span:
    """The place of what nobody wrote."""
    return Span(at.start, at.start)


def _known(at: Span, operator: syntax.LogicOperator) -> syntax.LogicOperator:
    if operator == "xor":
        raise Refusal(at.start, "authorization has no `xor`: who may do something is said with `and`, `or`, `not`")
    return operator
