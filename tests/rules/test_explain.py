"""What the engine says of single requests: every node's value, each rule's answer, and what it would not load."""

import json
from pathlib import Path

import pytest

from hoplon import Engine, _native
from support.asgi import BASE, add_rules, put_in_place

URL = "http://api.example.com/items/1?sort=name"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Over a policy with two custom rules: one that matches, and one about the response."""
    bundles = put_in_place(tmp_path, BASE)
    when = [[["fact", "http.request.method"], ["str", "GET"], ["eq", 0, 1]]]
    when.append([["fact", "http.response.code"], ["int", 500], ["ge", 0, 1]])
    rules = [{"id": f"rule-{place}", "stage": "custom", "when": {"nodes": nodes}} for place, nodes in enumerate(when)]
    add_rules(bundles, [{**rule, "action": "block", "violation": "rules.custom", "fail": "open"} for rule in rules])
    return Engine(bundles)


def program(*nodes: list[object]) -> str:
    return json.dumps({"nodes": nodes})


def test_every_rule_answers_even_behind_a_block(engine: Engine) -> None:
    explained = engine.explain("GET", URL, response=(503, [], b""))
    answers = {rule["id"]: (rule["stage"], rule["phase"], rule["result"]) for rule in explained["rules"]}
    assert answers["rule-0"] == ("custom", "request_head", "true")
    assert answers["rule-1"] == ("custom", "response_head", "true")
    assert explained["inspection"]["action"] == "block"
    assert explained["inspection"]["rule"] == "rule-0"
    assert all(rule["nanoseconds"] > 0 for rule in explained["rules"])


def test_a_program_is_shown_node_by_node(engine: Engine) -> None:
    nodes = program(
        ["fact", "http.request.uri.args"], ["key", 0, "sort"], ["index", 1, 0], ["str", "name"], ["eq", 2, 3],
        ["key", 0, "page"], ["fact", "http.request.body.raw"], ["fact", "http.response.code"],
    )  # fmt: skip
    (shown,) = engine.explain("POST", URL, body=b"hello", programs=[nodes])["programs"]
    assert [(node["state"], node["value"]) for node in shown["nodes"]] == [
        ("value", {"sort": ["name"]}), ("value", ["name"]), ("value", "name"), ("value", "name"), ("value", True),
        ("missing", None), ("value", "hello"), ("missing", None),
    ]  # fmt: skip
    assert shown["type"] == "Integer"


def test_secrets_are_described_and_not_shown(engine: Engine) -> None:
    headers = [("authorization", b"Bearer a-secret-value"), ("x-note", b"plain")]
    nodes = program(
        ["fact", "http.request.headers"], ["key", 0, "authorization"], ["index", 1, 0], ["call", "lower", 2]
    )
    (shown,) = engine.explain("GET", URL, headers=headers, programs=[nodes])["programs"]
    assert "a-secret-value" not in str(shown).lower()
    assert "plain" in str(shown)
    assert shown["nodes"][2]["state"] == "redacted"


def test_lists_are_handed_in_beside_the_programs(engine: Engine) -> None:
    lists = json.dumps({"lists": [{"name": "words", "kind": "string", "items": ["GET"]}]})
    nodes = program(["fact", "http.request.method"], ["in_list", 0, "words"])
    assert engine.explain("GET", URL, programs=[nodes], lists=lists)["programs"][0]["result"] == "true"
    with pytest.raises(ValueError, match="names the list `words`, which is not in the bundle"):
        engine.explain("GET", URL, programs=[nodes])


def test_the_engine_says_what_it_would_not_load() -> None:
    assert _native.check_program(program(["fact", "ssl"])) is None
    assert _native.check_program(program(["fact", "ssl"], ["nott", 0])) == (
        "nodes[1]", "is an unknown operation: did you mean `not`?",
    )  # fmt: skip
    assert _native.check_program("{") is not None
    assert _native.check_regex("^/api/[0-9]+$") is None
    assert _native.check_regex("(") == "is no regular expression: unclosed group"
    assert _native.check_regex("a{1000}{1000}") == "is a regular expression that compiles to more than 256 KiB"
    assert "substring" in _native.function_names()
