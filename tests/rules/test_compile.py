"""What expressions compile to: the program of the contract with the engine, node by node."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hoplon._native")

from hoplon.rules.around import Around
from hoplon.rules.compile import compile_expression, compile_value
from hoplon.rules.dialects import AUTHORIZATION, COUNTING, CUSTOM, TOKENS
from hoplon.rules.refusal import ExpressionError
from support.rule_engine import engine_of, true_rules
from support.rule_requests import Request
from support.rules import FIELDS

HEADERS = ["fact", "http.request.headers"]
JSON = (("content-type", b"application/json"),)
PROGRAMS: dict[str, list[list[Any]]] = {
    "ssl": [["fact", "ssl"]],
    "not ssl": [["fact", "ssl"], ["not", 0]],
    "true": [["bool", True]],
    'http.host eq "a"': [["fact", "http.host"], ["str", "a"], ["eq", 0, 1]],
    r'http.host eq "\xff"': [["fact", "http.host"], ["bytes", "/w=="], ["eq", 0, 1]],
    "ip.src ne 10.0.0.1": [["fact", "ip.src"], ["ip", "10.0.0.1"], ["ne", 0, 1]],
    'http.host ~ "a.b"': [["fact", "http.host"], ["matches", 0, "a.b"]],
    'http.host wildcard "*.a"': [["fact", "http.host"], ["wildcard", 0, "*.a"]],
    'http.host strict wildcard "*.a"': [["fact", "http.host"], ["strict_wildcard", 0, "*.a"]],
    "http.request.body.size & 0x10": [["fact", "http.request.body.size"], ["bitand", 0, 16]],
    "http.request.body.size in {7 1..3 3..5 -1}": [
        ["fact", "http.request.body.size"],
        ["in", 0, {"ints": [[-1, -1], [1, 5], [7, 7]]}],
    ],
    'http.host in {"b" "a" "b"}': [["fact", "http.host"], ["in", 0, {"strs": ["a", "b"]}]],
    r'http.host in {"b" "\xfe"}': [["fact", "http.host"], ["in", 0, {"bytes": ["Yg==", "/g=="]}]],
    "ip.src in {10.0.0.3..10.0.0.4 10.1.0.0/16}": [
        ["fact", "ip.src"],
        ["in", 0, {"ips": ["10.0.0.3", "10.0.0.4", "10.1.0.0/16"]}],
    ],
    "ip.src in $office_1": [["fact", "ip.src"], ["in_list", 0, "office_1"]],
    "ssl xor ssl ^^ ssl": [["fact", "ssl"], ["fact", "ssl"], ["fact", "ssl"], ["xor", 1, 2], ["xor", 0, 3]],
    'http.request.headers["X-Y"][0] eq "a"': [
        HEADERS,
        ["key", 0, "x-y"],
        ["index", 1, 0],
        ["str", "a"],
        ["eq", 2, 3],
    ],
    'any(lower(http.request.headers["x"][*])[*] contains "a")': [
        HEADERS,
        ["key", 0, "x"],
        ["each", 1],
        ["call", "lower", 2],
        ["each", 3],
        ["str", "a"],
        ["contains", 4, 5],
        ["call", "any", 6],
    ],
    'concat(http.host, 2) eq ""': [
        ["fact", "http.host"],
        ["str", "2"],
        ["call", "concat", 0, 1],
        ["str", ""],
        ["eq", 2, 3],
    ],
    'cf.colo.id eq "HOPLON"': [["str", "HOPLON"], ["str", "HOPLON"], ["eq", 0, 1]],
}


@pytest.mark.parametrize("text", PROGRAMS)
def test_programs(text: str) -> None:
    assert compile_expression(text, CUSTOM, fields=FIELDS).program == {"nodes": PROGRAMS[text]}


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("ssl or ssl and ssl", "ssl or (ssl and ssl)"),
        ("ssl xor ssl and ssl", "ssl xor (ssl and ssl)"),
        ("ssl or ssl xor ssl", "ssl or (ssl xor ssl)"),
        ("not ssl and ssl", "(not ssl) and ssl"),
        ("!ssl && ssl || ssl ^^ ssl", "((not ssl) and ssl) or (ssl xor ssl)"),
        ('not http.host eq "a"', 'not (http.host eq "a")'),
    ],
)
def test_precedence_is_not_and_xor_or(text: str, same: str) -> None:
    one, other = (compile_expression(each, CUSTOM, fields=FIELDS) for each in (text, same))
    assert one.program == other.program


def test_a_token_rule_reads_maps_by_configuration() -> None:
    compiled = compile_expression('is_jwt_valid("a") or not is_jwt_present("b")', TOKENS, fields=FIELDS)
    assert compiled.program["nodes"] == [
        ["fact", "hoplon.token.valid"],
        ["key", 0, "a"],
        ["fact", "hoplon.token.present"],
        ["key", 2, "b"],
        ["not", 3],
        ["or", 1, 4],
    ]
    assert compiled.token_configurations == {"a", "b"}


def test_a_condition_over_claims() -> None:
    around = Around(token_configurations=["cfg"], path_variables=["shop", "user"])
    compiled = compile_expression('claim("sub") eq path_variable("user")', AUTHORIZATION, around, FIELDS)
    assert compiled.program["nodes"] == [
        ["str", "sub"],
        ["fact", "http.request.jwt.claims"],
        ["key", 1, "cfg"],
        ["index", 2, 0],
        ["call", "lookup_json_text", 3, 0],
        ["fact", "hoplon.operation.variables"],
        ["key", 5, "var2"],
        ["eq", 4, 6],
    ]


def test_a_parameter_that_stands_twice_says_nothing() -> None:
    around = Around(token_configurations=["cfg"])
    nodes = compile_expression('query("user") eq claim("$.a[\'b\'][0]")', AUTHORIZATION, around, FIELDS).program[
        "nodes"
    ]
    decoded = [["fact", "http.request.uri.args"], ["key", 0, "user"], ["call", "only", 1], ["call", "url_decode", 2]]
    assert nodes[:4] == decoded
    assert nodes[4:7] == [["str", "a"], ["str", "b"], ["int", 0]]


@pytest.mark.parametrize(
    ("query", "is_allowed"),
    [
        ("owner_id=me", True),
        ("a=1;b&owner_id=me&owner_ids=you&co-owner_id=you&x=owner_id", True),
        ("owner_id=%6De", True),
        ("%6Fwner_id=me", False),
        ("owner_id=me&%6Fwner_id=you", False),
        ("Owner_Id=you&owner_id=me", False),
        ("owner_id=me&owner_id[]=you", False),
        ("owner_id=me&owner_id%5B0%5D=you", False),
        ("owner_id=me&+owner.id=you", False),
        ("owner_id=me&a=1;owner_id=you", False),
        ("owner_id=me;owner_id=you", False),
        ("owner_id=me&b&c=2&owner_id", False),
    ],
)
def test_a_parameter_that_servers_could_read_twice_allows_nothing(query: str, is_allowed: bool, tmp_path: Path) -> None:
    texts = ('query("owner_id") eq "me"', 'not query("owner_id") ne "me"', "true")
    programs = [compile_expression(text, AUTHORIZATION).program for text in texts]
    found = true_rules(engine_of(tmp_path, programs), Request(f"https://www.example.com/?{query}"))
    assert found == ({0, 1, 2} if is_allowed else {2})


@pytest.mark.parametrize(
    ("media_types", "is_allowed"),
    [
        (("application/json",), True),
        (('Application/Problem+JSON; v=1;charset="UTF-8"',), True),
        ((), False),
        (("application/x-www-form-urlencoded",), False),
        (("application/json", "application/x-www-form-urlencoded"), False),
        (("application/json, application/x-www-form-urlencoded",), False),
        (("application/json; charset=utf-16",), False),
    ],
)
def test_a_body_that_may_be_no_json_for_the_upstream_allows_nothing(
    media_types: tuple[str, ...], is_allowed: bool, tmp_path: Path
) -> None:
    program = compile_expression('body("$.owner") eq "me"', AUTHORIZATION).program
    headers = tuple(("content-type", each.encode()) for each in media_types)
    sent = Request("https://www.example.com/", "POST", headers, b'{"owner": "me", "x": "&owner=you&"}')
    assert true_rules(engine_of(tmp_path, [program]), sent) == ({0} if is_allowed else set())


FORM = ("content-type", b"application/x-www-form-urlencoded")
OF_SEVERAL = (
    ('http.request.headers["X-Shop"][0]', Request(headers=(("x-shop", b"me"),)), True),
    ('http.request.headers["X-Shop"][0]', Request(headers=(("x-shop", b"me"), ("x-shop", b"you"))), False),
    ('http.request.cookies["shop"][0]', Request(headers=(("cookie", b"a=1; shop=me"),)), True),
    ('http.request.cookies["shop"][0]', Request(headers=(("cookie", b"shop=me; shop=you"),)), False),
    ('http.request.uri.args["shop"][0]', Request("https://www.example.com/?shop=me"), True),
    ('lower(http.request.uri.args["shop"][0])', Request("https://www.example.com/?shop=me&Shop=you"), False),
    ('http.request.body.form["shop"][0]', Request(method="POST", headers=(FORM,), body=b"shop=me&b=2"), True),
    ('http.request.body.form["shop"][0]', Request(method="POST", headers=(FORM,), body=b"shop=me&sho%70=you"), False),
    ('http.request.body.form["shop"][0]', Request(method="POST", headers=(FORM, JSON[0]), body=b"shop=me"), False),
)


@pytest.mark.parametrize(("value", "sent", "is_allowed"), OF_SEVERAL)
def test_the_first_of_several_allows_nothing(value: str, sent: Request, is_allowed: bool, tmp_path: Path) -> None:
    programs = [
        compile_expression(text, AUTHORIZATION).program for text in (f'{value} eq "me"', f'not {value} ne "me"', "true")
    ]
    assert true_rules(engine_of(tmp_path, programs), sent) == ({0, 1, 2} if is_allowed else {2})


def test_a_variable_is_one_of_the_path() -> None:
    around = Around(token_configurations=["cfg"], path_variables=["id", "id"])
    with pytest.raises(ExpressionError, match="two variables `id`"):
        compile_expression('claim("sub") eq path_variable("id")', AUTHORIZATION, around)


def test_the_name_of_a_parameter_fits_into_a_pattern() -> None:
    assert compile_expression(f'query("{"a" * 100}") eq "1"', AUTHORIZATION).program
    for name in ("", "a" * 300):
        with pytest.raises(ExpressionError, match="the name of a parameter"):
            compile_expression(f'query("{name}") eq "1"', AUTHORIZATION)


def test_phase_and_cost_are_the_latest_and_dearest() -> None:
    compiled = compile_expression("ssl and len(http.request.body.raw) gt 1", CUSTOM, fields=FIELDS)
    assert (compiled.phase, compiled.cost) == ("request_body", "parse")
    assert compiled.facts == {"ssl", "http.request.body.raw"}
    assert compile_expression("http.response.code eq 401", COUNTING, fields=FIELDS).phase == "response_head"


def test_values_are_compiled_with_their_type() -> None:
    compiled = compile_value('http.request.headers["x-api-key"]', CUSTOM, fields=FIELDS)
    assert compiled.type == "Array<String>"
    assert compiled.program["nodes"] == [HEADERS, ["key", 0, "x-api-key"]]


def test_places_say_where_each_part_stands() -> None:
    text = "ssl and\n len(http.host) eq 3"
    compiled = compile_expression(text, CUSTOM, fields=FIELDS)
    parts = {text[place.start : place.end] for place in compiled.places}
    assert parts == {"ssl", "len(http.host)", "http.host", "3", "len(http.host) eq 3", text}


MISSING_ALLOWS_NOTHING = (
    'not claim("role") eq "guest"',
    'not claim_has("roles", "banned")',
    'not (claim("role") eq "guest" or claim_has("roles", "banned"))',
    'not not not path_variable("user") in {"a"}',
    'not query("a") eq body("b")',
    'not lookup_json_integer(http.request.body.raw, "n") lt 3',
    'not any(lower(http.request.headers["x"][*])[*] eq "a") and not starts_with(claim("a"), "b")',
    'claim("sub") ne "root"',
)


@pytest.mark.parametrize("text", MISSING_ALLOWS_NOTHING)
def test_what_is_missing_allows_nothing_under_not_either(text: str, tmp_path: Path) -> None:
    around = Around(token_configurations=["cfg"], path_variables=["user"])
    program = compile_expression(text, AUTHORIZATION, around).program
    assert true_rules(engine_of(tmp_path, [program]), Request()) == set()


def test_what_is_there_allows_as_it_is_written(tmp_path: Path) -> None:
    texts = ('not query("a") eq body("b")', "not ip.src in {10.0.0.0/8}", "not not ssl", 'not http.host eq "x"')
    programs = [compile_expression(text, AUTHORIZATION).program for text in texts]
    sent = Request("https://www.example.com/?a=1", "POST", JSON, b'{"b": 2}')
    assert true_rules(engine_of(tmp_path, programs), sent) == {0, 1, 2, 3}
