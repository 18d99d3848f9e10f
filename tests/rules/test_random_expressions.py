"""Random well-typed expressions: each compiles, and says the same however it is spaced or put in parentheses."""

import json
from dataclasses import fields, is_dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import given

from hoplon.rules.around import Around
from hoplon.rules.compile import compile_expression, read_expression
from hoplon.rules.dialects import CUSTOM
from support import rule_oracle
from support.rule_requests import Request, facts_of
from support.rule_strategies import Writer, conditions, random_request, requests
from support.rules import FIELDS

check_program = pytest.importorskip("hoplon._native").check_program

CONDITIONS = conditions(tuple(FIELDS))


def without_places(node: Any) -> Any:
    """A tree as nested tuples, without where its parts stand."""
    if isinstance(node, tuple):
        return tuple(without_places(one) for one in node)
    if not is_dataclass(node):
        return node
    return type(node).__name__, *(
        without_places(getattr(node, each.name)) for each in fields(node) if each.name != "at"
    )


def tree(text: str) -> Any:
    return read_expression(text, CUSTOM, Around(), FIELDS)[0]


@given(CONDITIONS)
def test_a_well_typed_expression_compiles(text: str) -> None:
    compiled = compile_expression(text, CUSTOM, fields=FIELDS)
    nodes = compiled.program["nodes"]
    for index, node in enumerate(nodes):
        inner = [part for part in node[1:] if isinstance(part, int) and not isinstance(part, bool)]
        assert node[0] in ("int", "bool", "index", "bitand") or all(0 <= part < index for part in inner)
    assert check_program(json.dumps(compiled.program)) is None
    assert {(place.start, place.end) for place in compiled.places} >= {(0, len(text))}


@given(CONDITIONS)
def test_parentheses_around_it_change_nothing(text: str) -> None:
    assert without_places(tree(f" (\\n{text}\\t) ".replace("\\n", "\n").replace("\\t", "\t"))) == without_places(
        tree(text)
    )


@given(CONDITIONS, CONDITIONS, CONDITIONS, requests())
def test_operators_bind_as_they_should(one: str, two: str, three: str, sent: Request) -> None:
    def holds(text: str) -> bool:
        return rule_oracle.is_true(tree(text), facts)

    facts = facts_of(sent)
    a, b, c = holds(one), holds(two), holds(three)
    assert holds(f"({one}) or ({two}) xor ({three})") == (a or (b ^ c))
    assert holds(f"({one}) xor ({two}) and ({three})") == (a ^ (b and c))
    assert holds(f"not ({one}) and ({two})") == ((not a) and b)


def test_the_random_expressions_say_something() -> None:
    """They are neither mostly true nor mostly false, or the comparison with the engine would say little."""
    dice = Random(1)
    trees = [tree(Writer(dice, tuple(FIELDS)).condition()) for _ in range(300)]
    facts = [facts_of(random_request(dice)) for _ in range(20)]
    holds = sum(rule_oracle.is_true(one, each) for one in trees for each in facts)
    assert 0.3 < holds / (len(trees) * len(facts)) < 0.7
