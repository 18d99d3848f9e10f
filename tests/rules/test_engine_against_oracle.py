"""The engine against the oracle: random well-typed expressions over random requests, 0 differences.

Every other bundle is written in the dialect of authorization, where what is missing allows nothing.

`make eval` compares 10^6 pairs of expression and request, `make test` one in a hundred of them, always the same.
"""

import os
from functools import partial
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("hoplon._native")

from hoplon.rules.around import Around
from hoplon.rules.compile import compile_expression, read_expression
from hoplon.rules.dialects import AUTHORIZATION, CUSTOM
from hoplon.rules.fields import engine_fields
from support import rule_oracle
from support.rule_engine import engine_of, true_rules
from support.rule_requests import facts_of
from support.rule_strategies import KINDS, LISTS, Writer, is_in_list, random_request

EXPRESSIONS, REQUESTS = 30, 100
"""In one bundle; each expression is tried with each request. A verdict holds 32 violations at most."""
BUNDLES = 334 if os.environ.get("HOPLON_EVAL") else 4
SEED = 20261121
AROUND = Around(lists=KINDS)
ASKED = {name: partial(is_in_list, name) for name in KINDS}


@pytest.mark.parametrize("number", range(BUNDLES))
def test_the_engine_says_what_the_oracle_says(number: int, tmp_path: Path) -> None:
    dice = Random(SEED + number)
    dialect, holds = ((CUSTOM, rule_oracle.is_true), (AUTHORIZATION, rule_oracle.is_allowed))[number % 2]
    writer = Writer(dice, engine_fields(), lists=True, claims=dialect is AUTHORIZATION)
    texts = [writer.condition() for _ in range(EXPRESSIONS)]
    trees = [read_expression(text, dialect, AROUND, engine_fields())[0] for text in texts]
    engine = engine_of(tmp_path, [compile_expression(text, dialect, AROUND).program for text in texts], LISTS)
    for _ in range(REQUESTS):
        sent = random_request(dice)
        facts = facts_of(sent)
        expected = {index for index, tree in enumerate(trees) if holds(tree, facts, ASKED)}
        differing = expected ^ true_rules(engine, sent)
        assert not differing, [(texts[index], index in expected, sent) for index in differing]
