"""Custom rules as policy: nothing is lost between document and rules, faults have paths, the bundle says it all."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.errors import Problem
from hoplon.model.policy import Upstream, ZonePolicy
from hoplon.model.rules import OwnResponse, Rule, RulesetPolicy, Skip, rule_id
from hoplon.operations.policy import SavedOperation
from hoplon.policy.feature import Surroundings
from hoplon.rules.form import definition_form, read_definition
from hoplon.rules.policy import RulesFeature

ZONE = ZonePolicy("default", (Upstream("http://127.0.0.1:1"),))
FEATURE = RulesFeature()
SAVED = SavedOperation("api.example.com", "/users/{id}", "GET")
OTHER = SavedOperation("*", "/orders", "POST")
AROUND = Surroundings(ZONE, (SAVED, OTHER))

REFS = st.from_regex(r"[!-~]([ -~]{0,10}[!-~])?", fullmatch=True)
EXPRESSIONS = st.sampled_from(
    [
        "true",
        'http.request.method eq "POST" and not ssl',
        'http.request.uri.path wildcard "/admin/*" or ip.src in {10.0.0.0/8 2001:db8::/32}',
        'any(http.request.headers["x-debug"][*] eq "1")',
        "len(http.request.body.raw) gt 1000",
        'lower(http.host) matches r#"^api\\."#',
    ]
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
RESPONSES = st.builds(
    OwnResponse, st.integers(400, 499), st.sampled_from(["application/json", "text/html", "text/plain"]), TEXTS
)
SKIPS = st.builds(
    Skip,
    is_rest=st.just(True),
    phases=st.sampled_from([(), ("http_ratelimit",)]),
    products=st.sampled_from([(), ("rateLimit", "waf")]),
    is_features=st.booleans(),
    rules=st.lists(st.uuids().map(lambda each: each.hex), max_size=3).map(tuple),
    is_logged=st.booleans(),
)


def made(ref: str, expression: str, kind: str, response: OwnResponse, skip: Skip, description: str, fail: Any) -> Rule:
    rule = Rule(rule_id("rules", ref), ref, expression, description=description, fail=fail)
    if kind == "respond":
        return replace(rule, action="block", response=response)
    if kind == "skip":
        return replace(rule, action="skip", skip=skip)
    return replace(rule, action="log", is_enabled=kind != "off", operations=(SAVED.id,) if kind == "operation" else ())


RULES = st.builds(
    made,
    REFS,
    EXPRESSIONS,
    st.sampled_from(["log", "off", "operation", "respond", "skip"]),
    RESPONSES,
    SKIPS,
    TEXTS,
    st.sampled_from(["open", "closed"]),
)
RULESETS = st.builds(
    RulesetPolicy,
    st.lists(RULES, max_size=6, unique_by=lambda rule: rule.ref).map(tuple),
    st.just("default"),
    TEXTS,
)


def rule(**more: Any) -> Rule:
    return Rule(rule_id("rules", "a"), "a", **{"expression": "true", **more})


def faults(*rules: Rule) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in FEATURE.check(RulesetPolicy(rules), ZONE)]


def entries(*rules: Rule) -> Any:
    return json.loads(json.dumps(FEATURE.compile(RulesetPolicy(rules), AROUND).rules))


@given(RULESETS)
def test_rules_survive_their_table(policy: RulesetPolicy) -> None:
    assert FEATURE.check(policy, ZONE) == []
    table = FEATURE.table.model_validate(FEATURE.write(policy))
    assert FEATURE.read(table) == policy  # type: ignore[arg-type]


@given(RULES)
def test_a_rule_survives_the_form_of_the_api(rule: Rule) -> None:
    form = json.loads(json.dumps({"id": rule.id, **definition_form(rule, "0" * 32)}))
    assert read_definition(form) == rule


def test_an_id_is_written_where_it_does_not_follow_from_the_ref() -> None:
    assert "id" not in FEATURE.write_rule(rule())
    assert FEATURE.write_rule(replace(rule(), id="f" * 32))["id"] == "f" * 32
    own = replace(rule(), id="f" * 32, ref="f" * 32)
    assert "id" not in FEATURE.write_rule(own)
    assert rule_id("rules", "a") != rule_id("limits", "a")


def test_a_skip_names_rules_by_their_refs() -> None:
    skip = {"ref": "b", "action": "skip", "expression": "true", "skip": {"rules": ["a"]}}
    table = FEATURE.table.model_validate({"custom": [skip, {"ref": "a", "expression": "ssl"}]})
    policy = FEATURE.read(table)  # type: ignore[arg-type]
    assert policy.rules[0].skip == Skip(rules=(rule_id("rules", "a"),))
    assert FEATURE.write(policy)["custom"][0]["skip"] == {"rules": ["a"]}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (rule(expression="nothing"), "rules.custom[0].expression"),
        (rule(expression=""), "rules.custom[0].expression"),
        (rule(expression="http.response.code eq 500"), "rules.custom[0].expression"),
        (rule(action="log", response=OwnResponse(403, "text/plain", "")), "rules.custom[0].response"),
        (rule(action="block", response=OwnResponse(200, "text/plain", "")), "rules.custom[0].response.status_code"),
        (rule(action="block", response=OwnResponse(403, "text/css", "")), "rules.custom[0].response.content_type"),
        (rule(action="skip"), "rules.custom[0].skip"),
        (rule(action="skip", skip=Skip(products=("waf",))), "rules.custom[0].skip"),
        (rule(action="skip", skip=Skip(is_rest=True, phases=("ddos_l7",))), "rules.custom[0].skip.phases[0]"),
        (rule(action="skip", skip=Skip(is_rest=True, products=("x",))), "rules.custom[0].skip.products[0]"),
        (rule(action="skip", skip=Skip(rules=("nowhere",))), "rules.custom[0].skip.rules[0]"),
        (rule(skip=Skip(is_rest=True)), "rules.custom[0].skip"),
        (rule(operations=("nowhere",)), "rules.custom[0].operations[0]"),
        (rule(description="x" * 501), "rules.custom[0].description"),
        (replace(rule(), ref=""), "rules.custom[0].ref"),
        (replace(rule(), id="x"), "rules.custom[0].id"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(wrong: Rule, path: str) -> None:
    assert [problem.path for problem in FEATURE.check(RulesetPolicy((wrong,)), ZONE)] == [path]


def test_the_place_in_an_expression_is_told() -> None:
    (problem,) = FEATURE.check(RulesetPolicy((rule(expression='true and http.hst eq "a"'),)), ZONE)
    assert isinstance(problem, Problem)
    assert "(column 10 of the expression)" in problem.message
    assert problem.hint == "did you mean `http.host`?"


def test_two_rules_are_told_apart() -> None:
    assert faults(rule(), rule(expression="ssl")) == ["rules.custom[1].ref: `a` is the ref of rule 0 as well"]
    assert faults(rule(), replace(rule(), ref="b")) == ["rules.custom[1].id: is the id of rule 0 as well"]


def test_a_rule_of_64_kb_is_answered_clearly() -> None:
    addresses = " ".join(f"10.{high}.{low}.0/24" for high in range(20) for low in range(250))
    expression = f"ip.src in {{{addresses}}}"
    assert len(expression) > 65_536
    (fault,) = faults(rule(expression=expression))
    assert fault.startswith("rules.custom[0].expression: ")


def test_what_the_engine_gets() -> None:
    response = OwnResponse(418, "text/plain", "no")
    skip = Skip(is_rest=True, products=("rateLimit",), is_features=True, rules=("f" * 32,), is_logged=False)
    blocking, skipping = entries(
        rule(expression="ssl", action="block", response=response, fail="closed"),
        rule(action="skip", skip=skip),
    )
    assert blocking == {
        "id": rule_id("rules", "a"),
        "stage": "custom",
        "when": {"nodes": [["fact", "ssl"]]},
        "action": "block",
        "violation": "rules.custom",
        "fail": "closed",
        "response": {"status": 418, "content_type": "text/plain", "content": "no"},
    }
    assert skipping["skip"] == {"rest": True, "stages": ["features", "limits"], "rules": ["f" * 32], "log": False}


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        ((SAVED.id,), [SAVED.id]),
        (("GET /users/{name} on API.example.com",), [SAVED.id]),
        (("POST /orders", SAVED.id), sorted([SAVED.id, OTHER.id])),
    ],
)
def test_operations_are_named_in_words_or_by_id(names: tuple[str, ...], ids: list[str]) -> None:
    assert [entry["operations"] for entry in entries(rule(operations=names))] == [ids]


def test_what_cannot_match_is_not_compiled() -> None:
    assert entries(rule(is_enabled=False)) == []
    assert entries(rule(operations=("GET /users/{id}",))) == []


def test_the_lists_that_rules_name_are_said() -> None:
    policy = RulesetPolicy((rule(expression="ip.src in $office and not http.host in $hosts"),))
    assert FEATURE.compile(policy, AROUND).lists == {"office", "hosts"}


def test_changes_are_told_in_words() -> None:
    old = RulesetPolicy((rule(), replace(rule(), id="1" * 32, ref="b")))
    new = RulesetPolicy((old.rules[1], replace(rule(), action="block"), replace(rule(), id="2" * 32, ref="c")))
    assert FEATURE.describe(old, new) == [
        "adds custom rule c (log)",
        "changes custom rule a: log → block",
        "changes the order of the custom rules",
    ]
    assert FEATURE.describe(new, RulesetPolicy(new.rules[:1])) == ["removes custom rule a", "removes custom rule c"]
    assert FEATURE.describe(old, old) == []
