"""What a limit may allow, and what can be wrong with it, as Problems with paths relative to the rule.

The periods are Cloudflare's (developers.cloudflare.com/waf/rate-limiting-rules/parameters).
"""

import re
from collections.abc import Iterator

from hoplon.errors import Problem
from hoplon.model.rules import Rate, Rule
from hoplon.rules.dialects import COUNTING, LIMITS
from hoplon.rules.form import COLO
from hoplon.rules.programs import condition_faults, value_faults

PERIODS = (
    *(10, 15, 20, 30, 40, 45, 60, 90, 120, 180, 240, 300, 480, 600, 900),
    *(1200, 1800, 2400, 3600, 65535, 86400),
)
MITIGATIONS = (0, 10, 60, 120, 300, 600, 3600, 86400)
MAX_CHARACTERISTICS = 16
MAX_COUNT = 1_000_000_000
MAX_IN_FLIGHT = 1_000_000
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,255}")
"""RFC 9110 §5.6.2: the name of a header."""


def rate_faults(rule: Rule) -> Iterator[Problem]:
    """Everything wrong with what a limit counts and allows."""
    rate = rule.rate or Rate()
    yield from _characteristic_faults(rate)
    yield from _amount_faults(rate)
    if rate.in_flight is None:
        yield from _period_faults(rate)
    else:
        yield from _in_flight_faults(rate)
    if rate.counting_expression:
        yield from condition_faults(".counting_expression", rate.counting_expression, COUNTING)


def _characteristic_faults(rate: Rate) -> Iterator[Problem]:
    if len(rate.characteristics) > MAX_CHARACTERISTICS:
        yield Problem(".characteristics", f"at most {MAX_CHARACTERISTICS} characteristics")
    if len(set(rate.characteristics)) != len(rate.characteristics):
        yield Problem(".characteristics", "the same characteristic is there twice", "remove one")
    for index, each in enumerate(rate.characteristics):
        if each.strip() != COLO:
            yield from value_faults(f".characteristics[{index}]", each, LIMITS)


def _amount_faults(rate: Rate) -> Iterator[Problem]:
    amounts = {
        ".requests_per_period": (rate.requests_per_period, MAX_COUNT),
        ".score_per_period": (rate.score_per_period, MAX_COUNT),
        ".in_flight": (rate.in_flight, MAX_IN_FLIGHT),
    }
    said = [(path, amount, most) for path, (amount, most) in amounts.items() if amount is not None]
    if len(said) != 1:
        yield Problem(
            ".requests_per_period", "exactly one of `requests_per_period`, `score_per_period` and `in_flight` is needed"
        )
    for path, amount, most in said:
        if amount == 0:
            yield Problem(path, "a limit of 0 would refuse every request", "a custom rule with `block` says that")
        elif not 0 < amount <= most:
            yield Problem(path, f"is 1 to {most:,}")
    yield from _score_faults(rate)


def _score_faults(rate: Rate) -> Iterator[Problem]:
    path, name = ".score_response_header_name", rate.score_response_header_name
    if rate.score_per_period is not None and not name:
        yield Problem(path, "is needed with `score_per_period`", "the header in which the upstream says the score")
    if rate.score_per_period is None and name:
        yield Problem(path, "is for `score_per_period` only", "leave it out")
    if name and not _TOKEN.fullmatch(name):
        yield Problem(path, f"`{name[:80]}` is no name of a header")


def _period_faults(rate: Rate) -> Iterator[Problem]:
    yield from _listed(".period", rate.period_seconds, PERIODS)
    yield from _listed(".mitigation_timeout", rate.mitigation_timeout_seconds, MITIGATIONS)


def _listed(path: str, seconds: int, known: tuple[int, ...]) -> Iterator[Problem]:
    if seconds not in known:
        near = min(known, key=lambda each: abs(each - seconds))
        listed = ", ".join(str(each) for each in known)
        yield Problem(path, f"{seconds} s is none of {listed}", f"{near} is nearest")


def _in_flight_faults(rate: Rate) -> Iterator[Problem]:
    """What is in flight now has no period, and nothing is counted when it has ended."""
    without = {
        ".period": rate.period_seconds,
        ".mitigation_timeout": rate.mitigation_timeout_seconds,
        ".counting_expression": rate.counting_expression,
        ".requests_to_origin": rate.requests_to_origin,
    }
    for path, given in without.items():
        if given:
            yield Problem(path, "means nothing for requests in flight", "leave it out")
