"""The type checker: what an expression gives, or why it cannot be evaluated, and where.

A path with `[*]` is a *stream*: what compares or calls it does so for each element, and gives an array.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from hoplon.rules import claims, syntax
from hoplon.rules.arguments import check_agreement, check_bounds, wrong_argument
from hoplon.rules.around import Around
from hoplon.rules.dialects import Dialect
from hoplon.rules.fields import CONSTANTS, FieldDef
from hoplon.rules.functions import REFUSED, Function
from hoplon.rules.patterns import is_utf8, regex_fault, wildcard_fault
from hoplon.rules.refusal import Refusal, did_you_mean, shown
from hoplon.rules.types import ADDRESS, BOOLEAN, BOOLEANS, INTEGER, STRING, Type, array
from hoplon.rules.unavailable import why_unavailable
from hoplon.rules.wording import ANY_HINT, a, condition_hint, count, element_hint, listed

_LIST_KINDS = {"ip": ADDRESS, "string": STRING, "hostname": STRING, "int": INTEGER}
_ORDERED = (STRING, INTEGER)
_TYPES_OF: dict[str, tuple[Type, ...]] = {
    **dict.fromkeys(("eq", "ne"), (STRING, INTEGER, ADDRESS)),
    **dict.fromkeys(("lt", "le", "gt", "ge"), _ORDERED),
    **dict.fromkeys(("contains", "matches", "wildcard", "strict_wildcard"), (STRING,)),
    "bitand": (INTEGER,),
    "in": (STRING, INTEGER, ADDRESS),
}
_LITERAL_TYPES = {
    syntax.Truth: BOOLEAN,
    syntax.Text: STRING,
    syntax.Number: INTEGER,
    syntax.Numbers: INTEGER,
    syntax.Address: ADDRESS,
    syntax.Network: ADDRESS,
}
LITERALS = tuple(_LITERAL_TYPES)


@dataclass(frozen=True, slots=True)
class Checked:
    """What an expression gives; `is_stream`: one such value for each element of an array."""

    type: Type
    is_stream: bool = False


class Checker:
    """Checks expressions of one dialect against the fields there are."""

    def __init__(self, dialect: Dialect, fields: Mapping[str, FieldDef], around: Around) -> None:
        self._dialect = dialect
        self._fields = fields
        self._around = around

    def condition(self, expression: syntax.Expression) -> Type:
        """The type of an expression that gives one Boolean."""
        found = self._plain(expression)
        if found != BOOLEAN:
            raise Refusal(expression.at.start, f"a rule is true or false, this is {a(found)}", condition_hint(found))
        return found

    def value(self, expression: syntax.Expression) -> Type:
        """The type of an expression that gives a value."""
        return self._plain(expression)

    def check(self, expression: syntax.Expression) -> Checked:
        """What any expression gives."""
        match expression:
            case syntax.Field():
                return Checked(self._field(expression))
            case syntax.Call():
                return Checked(self._call(expression))
            case syntax.Path():
                return self._path(expression)
            case syntax.Compare():
                return Checked(self._compare(expression))
            case syntax.Not():
                return Checked(self._logical(expression.operand))
            case syntax.Logic():
                return Checked(self._logic(expression))
        return Checked(_LITERAL_TYPES[type(expression)])

    def _plain(self, expression: syntax.Expression) -> Type:
        found = self.check(expression)
        if found.is_stream:
            raise Refusal(
                expression.at.start,
                "`[*]` stands for every element: it needs a comparison or function, and `any` or `all` around it",
                'for example `any(x[*] eq "a")`',
            )
        return found.type

    def _field(self, field: syntax.Field) -> Type:
        if field.name in CONSTANTS:
            return STRING
        known = self._fields.get(field.name)
        if known is None:
            raise self._unknown_field(field)
        if self._dialect.fields is not None and field.name not in self._dialect.fields:
            raise Refusal(field.at.start, f"{self._dialect.name} read no field but {listed(self._dialect.fields)}")
        if known.phase not in self._dialect.phases:
            raise Refusal(
                field.at.start,
                f"`{field.name}` is known only with the response; {self._dialect.name} decide before",
                "a rate limit's counting expression may read it",
            )
        return known.type

    def _unknown_field(self, field: syntax.Field) -> Refusal:
        names = (*self._fields, *CONSTANTS)
        sentence = why_unavailable(field.name)
        if sentence and not get_close_matches(field.name[:100], names, n=1, cutoff=_SLIP):
            return Refusal(field.at.start, sentence)
        hint = did_you_mean(field.name, names, f'text stands in quotes: `"{shown(field.name)}"`')
        return Refusal(field.at.start, f"unknown field `{shown(field.name)}`", hint)

    def _path(self, path: syntax.Path) -> Checked:
        found = Checked(self._field(path.base) if isinstance(path.base, syntax.Field) else self._call(path.base))
        for step in path.steps:
            found = _stepped(found, step)
            if isinstance(step, syntax.Key):
                self._key(path.base.name, step)
        return found

    def _key(self, name: str, key: syntax.Key) -> None:
        if not is_utf8(key.name):
            raise Refusal(key.at.start, "a key is UTF-8 text")
        if claims.is_by_configuration(name):
            claims.check_key(key.at, key.name.decode(), self._around)

    def _logical(self, operand: syntax.Expression) -> Type:
        found = self._plain(operand)
        if found not in (BOOLEAN, BOOLEANS):
            raise Refusal(operand.at.start, f"true or false was expected, this is {a(found)}", condition_hint(found))
        return found

    def _logic(self, logic: syntax.Logic) -> Type:
        first, *others = (self._logical(operand) for operand in logic.operands)
        for operand, other in zip(logic.operands[1:], others, strict=True):
            if other != first:
                raise Refusal(operand.at.start, f"`{logic.operator}` joins {a(first)} with {a(other)}", ANY_HINT)
        return first

    def _compare(self, compare: syntax.Compare) -> Type:
        if self._dialect.operators is not None and compare.operator not in self._dialect.operators:
            raise Refusal(compare.at.start, f"{self._dialect.name} compare with {listed(self._dialect.operators)} only")
        if isinstance(compare.left, LITERALS):
            raise Refusal(compare.left.at.start, "a comparison has a field or function on its left", "swap the sides")
        found = self.check(compare.left)
        _comparable(compare, found.type)
        self._right(compare, found.type)
        return BOOLEANS if found.is_stream else BOOLEAN

    def _right(self, compare: syntax.Compare, left: Type) -> None:
        match compare.right:
            case syntax.Choice(items=items):
                for item in items:
                    _same_type(item, left)
            case syntax.Named():
                self._list(compare.right, left)
            case syntax.Pattern(at=at, text=text):
                if fault := regex_fault(text):
                    raise Refusal(at.start, *fault)
            case right:
                self._single(compare, right, left)

    def _single(self, compare: syntax.Compare, right: syntax.Expression, left: Type) -> None:
        if isinstance(right, (syntax.Network, syntax.Numbers)):
            raise Refusal(right.at.start, "a range is no single value", "write `in {…}`")
        if not isinstance(right, LITERALS):
            self._other_value(compare, right, left)
            return
        _same_type(right, left)
        if compare.operator in ("wildcard", "strict_wildcard"):
            _wildcard(right)

    def _other_value(self, compare: syntax.Compare, right: syntax.Expression, left: Type) -> None:
        if not self._dialect.compares_values or compare.operator not in ("eq", "ne"):
            hint = f'text stands in quotes: `"{shown(right.name)}"`' if isinstance(right, syntax.Field) else None
            raise Refusal(
                right.at.start, f"on the right of `{compare.operator}` stands a value that is written out", hint
            )
        found = self._plain(right)
        if found != left:
            raise Refusal(right.at.start, f"{a(left)} is compared with {a(found)}")

    def _list(self, named: syntax.Named, left: Type) -> None:
        if not named.name or not all(c in _LIST_NAME_CHARACTERS for c in named.name):
            raise Refusal(named.at.start, f"`${shown(named.name)}` is no name of a list", "a-z, 0-9 and `_`")
        if self._around.lists is None:
            return
        kind = self._around.lists.get(named.name)
        if kind is None:
            hint = did_you_mean(named.name, tuple(self._around.lists), "make it first: `hoplon lists` or the API")
            raise Refusal(named.at.start, f"there is no list `${named.name}`", hint)
        if _LIST_KINDS[kind] != left:
            raise Refusal(named.at.start, f"`${named.name}` holds {_LIST_KINDS[kind]}, compared is {a(left)}")

    def _call(self, call: syntax.Call) -> Type:
        function = self._dialect.functions.get(call.name)
        if function is None:
            raise self._unknown_function(call)
        if not function.required <= len(call.arguments) or (
            len(call.arguments) > len(function.parameters) and not function.repeats
        ):
            raise Refusal(call.at.start, f"`{call.name}` takes {count(function)}, not {len(call.arguments)}")
        types = [self._argument(call, position, function) for position in range(len(call.arguments))]
        claims.check_names(call, self._around)
        plain = [each.type for each in types]
        check_agreement(call, plain)
        result = function.result(plain)
        return array(result) if types and types[0].is_stream else result

    def _unknown_function(self, call: syntax.Call) -> Refusal:
        if call.name in REFUSED:
            return Refusal(call.at.start, f"{REFUSED[call.name]}")
        if call.name in self._fields:
            return Refusal(call.at.start, f"`{call.name}` is a field, no function")
        hint = did_you_mean(call.name, tuple(self._dialect.functions))
        return Refusal(call.at.start, f"unknown function `{shown(call.name)}`", hint)

    def _argument(self, call: syntax.Call, position: int, function: Function) -> Checked:
        argument, parameter = call.arguments[position], function.parameter(position)
        found = self.check(argument)
        if found.is_stream and position > 0:
            raise Refusal(argument.at.start, "`[*]` may stand in the first argument of a function only")
        if found.type not in parameter.types:
            raise Refusal(argument.at.start, wrong_argument(call.name, parameter, found.type))
        is_literal = isinstance(argument, LITERALS)
        if parameter.given == "value" and is_literal:
            raise Refusal(
                argument.at.start, f"`{call.name}`: {parameter.name} is read from the request, not written out"
            )
        if parameter.given == "literal" and not is_literal:
            raise Refusal(
                argument.at.start, f"`{call.name}`: {parameter.name} is written out, not read from the request"
            )
        check_bounds(call.name, parameter, argument)
        return found


_SLIP = 0.95
"""So near to a field that there is, a name is a slip of the pen rather than another field."""
_LIST_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


def _stepped(found: Checked, step: syntax.Step) -> Checked:
    kind, inner = found.type.kind, found.type.of
    if isinstance(step, syntax.Each) and kind in ("Array", "Map") and inner is not None:
        return Checked(inner, is_stream=True)
    if isinstance(step, syntax.Index) and kind == "Array" and inner is not None:
        return Checked(inner, found.is_stream)
    if isinstance(step, syntax.Key) and kind == "Map" and inner is not None:
        return Checked(inner, found.is_stream)
    words = {syntax.Each: "`[*]` takes", syntax.Index: "a position takes", syntax.Key: "a key takes"}[type(step)]
    wanted = {syntax.Each: "an Array or Map", syntax.Index: "an Array", syntax.Key: "a Map"}[type(step)]
    raise Refusal(step.at.start, f"{words} {wanted}, this is {a(found.type)}")


def _wildcard(pattern: syntax.Expression) -> None:
    if isinstance(pattern, syntax.Text) and (fault := wildcard_fault(pattern.value)):
        raise Refusal(pattern.at.start, *fault)


def _comparable(compare: syntax.Compare, left: Type) -> None:
    if left in _TYPES_OF[compare.operator]:
        return
    if left == BOOLEAN:
        raise Refusal(compare.at.start, "a Boolean is not compared: it stands alone", "write `x` or `not x`")
    if left.of is not None:
        raise Refusal(compare.at.start, f"{a(left)} is not compared as a whole", element_hint(left))
    raise Refusal(compare.at.start, f"`{compare.operator}` does not work on {a(left)}")


def _same_type(literal: syntax.Expression, left: Type) -> None:
    found = _LITERAL_TYPES[type(literal)]
    if found != left:
        hint = 'text stands in quotes: `"…"`' if left == STRING else None
        hint = "numbers and addresses stand without quotes" if found == STRING else hint
        raise Refusal(literal.at.start, f"{a(left)} is compared with {a(found)}", hint)
