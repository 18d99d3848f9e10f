"""Limits as policy: nothing is lost between document and limits, every fault has its path, the bundle says it all."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.limits.policy import LimitsFeature
from hoplon.limits.rates import MITIGATIONS, PERIODS
from hoplon.model.policy import Upstream, ZonePolicy
from hoplon.model.rules import Rate, Rule, RulesetPolicy, rule_id
from hoplon.policy.feature import Surroundings
from hoplon.rules.dialects import LIMITS as LANGUAGE
from hoplon.rules.form import definition_form, read_definition
from hoplon.rules.programs import value

ZONE = ZonePolicy("default", (Upstream("http://127.0.0.1:1"),))
FEATURE = LimitsFeature()
CHARACTERISTICS = st.lists(
    st.sampled_from(
        [
            "ip.src",
            "http.host",
            "http.request.uri.path",
            'http.request.headers["x-api-key"]',
            'http.request.cookies["sid"]',
            'http.request.uri.args["user"]',
            'lookup_json_string(http.request.body.raw, "user")',
            "lower(http.request.method)",
        ]
    ),
    max_size=4,
    unique=True,
).map(tuple)


def made(
    how: str, amount: int, characteristics: tuple[str, ...], period: int, mitigation: int, to_origin: bool
) -> Rate:
    rate = Rate(characteristics, period, mitigation_timeout_seconds=mitigation, requests_to_origin=to_origin)
    if how == "score":
        return replace(rate, score_per_period=amount, score_response_header_name="X-Cost")
    if how == "in_flight":
        return Rate(characteristics, in_flight=amount)
    return replace(rate, requests_per_period=amount, counting_expression="http.response.code ge 400")


RATES = st.builds(
    made,
    st.sampled_from(["requests", "score", "in_flight"]),
    st.integers(1, 1_000_000),
    CHARACTERISTICS.map(lambda found: ("cf.colo.id", *found)),
    st.sampled_from(PERIODS),
    st.sampled_from(MITIGATIONS),
    st.booleans(),
)
LIMITS = st.builds(
    lambda ref, action, rate: Rule(rule_id("limits", ref), ref, 'http.request.uri.path eq "/"', action, rate=rate),
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.sampled_from(["log", "block"]),
    RATES,
)
LIMITING = st.lists(LIMITS, max_size=6, unique_by=lambda rule: rule.ref).map(lambda rules: RulesetPolicy(tuple(rules)))


def limit(**more: Any) -> Rule:
    rate = {"characteristics": ("ip.src",), "period_seconds": 60, "requests_per_period": 10, **more}
    return Rule(rule_id("limits", "a"), "a", "true", rate=Rate(**rate))


def entry(rule: Rule) -> Any:
    (found,) = FEATURE.compile(RulesetPolicy((rule,)), Surroundings(ZONE)).parts["limits"]["limits"]
    return json.loads(json.dumps(found))


@given(LIMITING)
def test_limits_survive_their_table(policy: RulesetPolicy) -> None:
    assert FEATURE.check(policy, ZONE) == []
    table = FEATURE.table.model_validate(FEATURE.write(policy))
    assert FEATURE.read(table) == policy  # type: ignore[arg-type]


@given(LIMITS)
def test_a_limit_survives_the_form_of_the_api(rule: Rule) -> None:
    form = json.loads(json.dumps({"id": rule.id, **definition_form(rule, "0" * 32)}))
    assert read_definition(form) == rule


@pytest.mark.parametrize(
    ("wrong", "paths"),
    [
        (limit(requests_per_period=0), [".requests_per_period"]),
        (limit(requests_per_period=-1), [".requests_per_period"]),
        (limit(requests_per_period=None), [".requests_per_period"]),
        (limit(in_flight=3), [".requests_per_period", ".period"]),
        (limit(score_per_period=3, score_response_header_name="x"), [".requests_per_period"]),
        (limit(requests_per_period=None, score_per_period=3), [".score_response_header_name"]),
        (limit(score_response_header_name="x"), [".score_response_header_name"]),
        (
            limit(requests_per_period=None, score_per_period=3, score_response_header_name="a b"),
            [".score_response_header_name"],
        ),
        (limit(period_seconds=7), [".period"]),
        (limit(mitigation_timeout_seconds=7), [".mitigation_timeout"]),
        (limit(characteristics=("ip.src", "ip.src")), [".characteristics"]),
        (limit(characteristics=("ip.src.country",)), [".characteristics[0]"]),
        (limit(characteristics=("cf.unique_visitor_id",)), [".characteristics[0]"]),
        (limit(characteristics=("cf.bot_management.ja3_hash",)), [".characteristics[0]"]),
        (limit(characteristics=("http.response.code",)), [".characteristics[0]"]),
        (limit(counting_expression="no"), [".counting_expression"]),
        (replace(limit(), expression="http.response.code eq 200"), [".expression"]),
        (replace(limit(), action="skip"), [".action"]),
    ],
)
def test_what_is_wrong_is_told_with_its_path(wrong: Rule, paths: list[str]) -> None:
    found = FEATURE.check(RulesetPolicy((wrong,)), ZONE)
    assert [problem.path for problem in found] == [f"limits.rules[0]{path}" for path in paths]


def test_a_limit_of_none_says_what_to_do() -> None:
    (problem,) = FEATURE.check(RulesetPolicy((limit(requests_per_period=0),)), ZONE)
    assert (problem.message, problem.hint) == (
        "a limit of 0 would refuse every request",
        "a custom rule with `block` says that",
    )


def test_what_the_engine_gets() -> None:
    rule = limit(
        characteristics=("cf.colo.id", "ip.src", "http.host"),
        requests_per_period=None,
        score_per_period=400,
        score_response_header_name="X-Cost",
        counting_expression="http.response.code eq 401",
        mitigation_timeout_seconds=600,
        requests_to_origin=True,
    )
    nodes = [["fact", "http.response.code"], ["int", 401], ["eq", 0, 1]]
    assert entry(rule) == {
        "id": rule_id("limits", "a"),
        "when": {"nodes": [["bool", True]]},
        "key": [{"nodes": [["fact", "ip.src"]]}, {"nodes": [["fact", "http.host"]]}],
        "count_when": {"nodes": nodes},
        "period_seconds": 60,
        "requests": None,
        "score": 400,
        "score_header": "x-cost",
        "in_flight": None,
        "mitigation_seconds": 600,
        "to_origin": True,
        "action": "log",
        "fail": "open",
        "violation": "limits.exceeded",
    }
    assert entry(replace(rule, rate=Rate(("ip.src",), in_flight=3)))["violation"] == "limits.in_flight"


@pytest.mark.parametrize(
    ("characteristic", "nodes"),
    [
        ('http.request.uri.args["user"]', [["each", 1], ["call", "url_decode", 2]]),
        ('http.request.body.form["user"][0]', [["call", "url_decode", 2]]),
        ('http.request.cookies["sid"]', [["each", 1], ["call", "url_decode", 2]]),
        ('http.request.headers["x-user"]', []),
        ('lower(http.request.uri.args["user"][0])', []),
        ("http.request.uri.path", []),
    ],
)
def test_spellings_of_one_value_share_a_counter(characteristic: str, nodes: list[Any]) -> None:
    as_written = value(characteristic, LANGUAGE).program["nodes"]
    (program,) = entry(limit(characteristics=(characteristic,)))["key"]
    assert program["nodes"] == as_written + nodes


def test_a_zone_without_limits_has_no_part() -> None:
    assert FEATURE.compile(RulesetPolicy(), Surroundings(ZONE)).parts == {}
    assert FEATURE.compile(RulesetPolicy((replace(limit(), is_enabled=False),)), Surroundings(ZONE)).parts == {}


def test_the_lists_that_limits_name_are_said() -> None:
    rule = replace(limit(counting_expression="http.host in $hosts"), expression="ip.src in $office")
    assert FEATURE.compile(RulesetPolicy((rule,)), Surroundings(ZONE)).lists == {"office", "hosts"}
