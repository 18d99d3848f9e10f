"""The language and the engine know the same facts, functions, phases and costs."""

import json

import pytest

from hoplon.rules.around import Around
from hoplon.rules.claims import FACTS
from hoplon.rules.compile import compile_expression
from hoplon.rules.dialects import AUTHORIZATION, CUSTOM
from hoplon.rules.fields import COSTS, PHASES, engine_fields
from hoplon.rules.functions import GENERAL
from support.rules import FIELDS

native = pytest.importorskip("hoplon._native")


def test_every_fact_that_a_function_reads_is_one_of_the_engine() -> None:
    assert set(FACTS.values()) <= set(engine_fields())


def test_every_general_function_is_one_of_the_engine() -> None:
    assert set(GENERAL) <= set(native.function_names())


def test_every_phase_and_cost_of_the_engine_has_its_place() -> None:
    assert {field.phase for field in engine_fields().values()} <= set(PHASES)
    assert {field.cost for field in engine_fields().values()} <= set(COSTS)


def test_the_fields_that_tests_write_about_are_those_of_the_engine() -> None:
    assert {name: engine_fields().get(name) for name in FIELDS} == FIELDS


@pytest.mark.parametrize("name", GENERAL)
def test_each_function_loads_with_every_number_of_arguments(name: str) -> None:
    function = GENERAL[name]
    given = {
        "array": 'http.request.headers.names[*] eq "a"',
        "address": "ip.src",
        "items": "http.request.headers.names",
        "ipv4_network_bits": "24",
        "ipv6_network_bits": "64",
        "key": '"a"',
        "start": "0",
        "end": "-1",
        "options": '"r"',
        "bytes": '"a"',
        "separator": '","',
        "substring": '"a"',
    }
    tests = {"Boolean": "", "Integer": " eq 1", "String": ' eq "a"', "IP address": " eq 10.0.0.1"}
    for count in range(function.required, len(function.parameters) + 1):
        written = ", ".join(given.get(parameter.name, "http.host") for parameter in function.parameters[:count])
        kind = str(function.result([parameter.types[0] for parameter in function.parameters[:count]]))
        compiled = compile_expression(f"{name}({written}){tests[kind]}", CUSTOM)
        assert native.check_program(json.dumps(compiled.program)) is None


def test_the_functions_of_authorization_load() -> None:
    around = Around(token_configurations=["cfg"], path_variables=["user"])
    text = (
        'claim("sub") eq path_variable("user") and not claim_has("scope", "a") '
        'or query("a") eq body("$.a[0]") or session() ne claim("$.b")'
    )
    assert native.check_program(json.dumps(compile_expression(text, AUTHORIZATION, around).program)) is None
