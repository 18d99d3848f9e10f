"""Writes a checked tree as the nodes of a program, and remembers where in the text each was written."""

from base64 import b64encode
from dataclasses import dataclass

from hoplon.rules import claims, syntax
from hoplon.rules.around import Around
from hoplon.rules.fields import CONSTANTS
from hoplon.rules.refusal import Refusal
from hoplon.rules.sets import members_of

Node = list[object]
_HEADER_MAPS = ("http.request.headers", "http.response.headers")
MAX_NODES = 16_384
"""As many as the engine takes in one program."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which piece of the text a node was made of: characters `start` to `end` (not included)."""

    node: int
    start: int
    end: int


class Emitter:
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
                return self._node(["in", left, members_of(items)])
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
