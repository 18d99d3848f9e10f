"""The door to the language: compiles an expression to the program that the engine runs (crates/engine/src/program).

A program is `{"nodes": […]}`: each node names earlier ones by their index, the last is the root.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, summarize_address_range
from typing import Any

from hoplon.rules import claims, syntax
from hoplon.rules.around import Around
from hoplon.rules.check import Checker
from hoplon.rules.dialects import Dialect
from hoplon.rules.fields import CONSTANTS, COSTS, PHASES, FieldDef, dearer, engine_fields, later
from hoplon.rules.parser import parse
from hoplon.rules.refusal import Refusal
from hoplon.rules.strict import strict

Node = list[object]
_HEADER_MAPS = ("http.request.headers", "http.response.headers")
_EVERYTHING = Around()
MAX_NODES = 16_384
"""As many as the engine takes in one program."""
MAX_NETWORKS = 10_000
"""A range of addresses is given to the engine as networks; so many may come of one set."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which piece of the text a node was made of: characters `start` to `end` (not included)."""

    node: int
    start: int
    end: int


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
        emitter = _Emitter(around)
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


class _Emitter:
    """Writes nodes behind one another."""

    def __init__(self, around: Around) -> None:
        self.nodes: list[Node] = []
        self.places: list[Place] = []
        self._around = around

    def emit(self, expression: syntax.Expression | syntax.Choice | syntax.Named | syntax.Pattern) -> int:
        """Write an expression; the index of its node."""
        node = self._emit(expression)
        if expression.at.start < expression.at.end:
            self.places.append(Place(node, expression.at.start, expression.at.end))
        return node

    def check_size(self) -> None:
        """The engine takes the program. Raises Refusal."""
        if len(self.nodes) > MAX_NODES:
            raise Refusal(0, f"the expression compiles to more than {MAX_NODES:,} nodes", "write several rules")

    def names(self, operation: str) -> frozenset[str]:
        """The names in all nodes of an operation."""
        return frozenset(str(node[1]) for node in self.nodes if node[0] == operation)

    def lists(self) -> frozenset[str]:
        return frozenset(str(node[2]) for node in self.nodes if node[0] == "in_list")

    def token_configurations(self) -> frozenset[str]:
        """The keys of maps that are keyed by token configurations."""
        facts = (index for index, node in enumerate(self.nodes) if node[0] == "fact")
        maps = {index for index in facts if claims.is_by_configuration(str(self.nodes[index][1]))}
        return frozenset(str(node[2]) for node in self.nodes if node[0] == "key" and node[1] in maps)

    def _node(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _emit(self, expression: syntax.Expression | syntax.Choice | syntax.Named | syntax.Pattern) -> int:
        match expression:
            case syntax.Field(name=name):
                return self._node(["str", CONSTANTS[name]] if name in CONSTANTS else ["fact", name])
            case syntax.Call():
                return self._call(expression)
            case syntax.Path():
                return self._path(expression)
            case syntax.Compare():
                return self._compare(expression)
            case syntax.Not(operand=operand):
                return self._node(["not", self.emit(operand)])
            case syntax.Logic():
                return self._logic(expression)
        return self._node(_literal_node(expression))

    def _call(self, call: syntax.Call) -> int:
        if call.name in claims.FACTS:
            return claims.emit_call(call, self._around, self._node)
        arguments = [self._argument(call, argument) for argument in call.arguments]
        return self._node(["call", call.name, *arguments])

    def _argument(self, call: syntax.Call, argument: syntax.Expression) -> int:
        """`concat` joins text: a number that is written out is text by then."""
        if call.name == "concat" and isinstance(argument, syntax.Number):
            return self._node(["str", str(argument.value)])
        return self.emit(argument)

    def _path(self, path: syntax.Path) -> int:
        node = self.emit(path.base)
        for number, step in enumerate(path.steps):
            node = self._step(node, step, path)
            if number + 1 < len(path.steps):
                self.places.append(Place(node, path.at.start, step.at.end))
        return node

    def _step(self, node: int, step: syntax.Step, path: syntax.Path) -> int:
        match step:
            case syntax.Index(number=number):
                return self._node(["index", node, number])
            case syntax.Each():
                return self._node(["each", node])
            case syntax.Key(name=name):
                return self._node(["key", node, _key(name, path)])

    def _compare(self, compare: syntax.Compare) -> int:
        left = self.emit(compare.left)
        match compare.right:
            case syntax.Choice(items=items):
                return self._node(["in", left, _members(items)])
            case syntax.Named(name=name):
                return self._node(["in_list", left, name])
            case syntax.Pattern(text=text):
                return self._node(["matches", left, text])
            case syntax.Text(value=value) if compare.operator in ("wildcard", "strict_wildcard"):
                return self._node([compare.operator, left, value.decode()])
            case syntax.Number(value=value) if compare.operator == "bitand":
                return self._node(["bitand", left, value])
            case right:
                return self._node([compare.operator, left, self.emit(right)])

    def _logic(self, logic: syntax.Logic) -> int:
        nodes = [self.emit(operand) for operand in logic.operands]
        return self._parity(nodes) if logic.operator == "xor" else self._node([logic.operator, *nodes])

    def _parity(self, nodes: list[int]) -> int:
        """`xor` takes two: a tree of them that is as flat as can be, because the engine bounds its depth."""
        if len(nodes) == 1:
            return nodes[0]
        middle = len(nodes) // 2
        return self._node(["xor", self._parity(nodes[:middle]), self._parity(nodes[middle:])])


def _key(name: bytes, path: syntax.Path) -> str:
    """The key of a map. Header names are kept in lower case, so they are looked up in lower case."""
    return name.decode().lower() if path.base.name in _HEADER_MAPS else name.decode()


def _literal_node(expression: object) -> Node:
    match expression:
        case syntax.Truth(value=value):
            return ["bool", value]
        case syntax.Text(value=value):
            return _text_node(value)
        case syntax.Number(value=value):
            return ["int", value]
        case syntax.Address(value=address):
            return ["ip", str(address)]
    raise AssertionError(f"the checker lets no {type(expression).__name__} through here")


def _text_node(value: bytes) -> Node:
    try:
        return ["str", value.decode()]
    except UnicodeDecodeError:
        return ["bytes", b64encode(value).decode()]


def _members(items: tuple[syntax.Literals, ...]) -> dict[str, Any]:
    """A set as the engine takes it: sorted, without what is in it twice."""
    if isinstance(items[0], syntax.Text):
        return _strings([item.value for item in items if isinstance(item, syntax.Text)])
    if isinstance(items[0], (syntax.Number, syntax.Numbers)):
        return {"ints": _merged([_bounds(item) for item in items])}
    return {"ips": _networks(items)}


def _strings(values: list[bytes]) -> dict[str, Any]:
    distinct = sorted(set(values))
    try:
        return {"strs": [value.decode() for value in distinct]}
    except UnicodeDecodeError:
        return {"bytes": [b64encode(value).decode() for value in distinct]}


def _bounds(item: syntax.Literals) -> tuple[int, int]:
    match item:
        case syntax.Number(value=value):
            return value, value
        case syntax.Numbers(low=low, high=high):
            return low, high
    raise AssertionError("a set holds one kind")


def _merged(ranges: Iterable[tuple[int, int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return merged


def _networks(items: tuple[syntax.Literals, ...]) -> list[str]:
    """The networks that hold exactly these addresses, IPv4 first."""
    networks: list[str] = []
    for kind in (IPv4Address, IPv6Address):
        spans = [_span(item) for item in items]
        merged = _merged((int(first), int(last)) for first, last in spans if isinstance(first, kind))
        for low, high in merged:
            networks += [_plain(network) for network in summarize_address_range(kind(low), kind(high))]
            if len(networks) > MAX_NETWORKS:
                raise Refusal(
                    items[0].at.start, f"the set falls into more than {MAX_NETWORKS:,} networks", "use a list"
                )
    return networks


def _span(item: syntax.Literals) -> tuple[syntax.IpAddress, syntax.IpAddress]:
    match item:
        case syntax.Address(value=address):
            return address, address
        case syntax.Network(first=first, last=last):
            return first, last
    raise AssertionError("a set holds one kind")


def _plain(network: IPv4Network | IPv6Network) -> str:
    """A network of one address is that address."""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)
