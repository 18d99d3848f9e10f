"""Rules: what an operator wrote to be done with requests that an expression describes. Custom rules and limits share
the noun; a ruleset is the ordered rules of one feature in one version. Knows neither the language nor Cloudflare."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Literal, get_args
from uuid import UUID, uuid5

RuleFeature = Literal["rules", "limits"]
"""Whose rule: a custom rule, or a limit."""
Action = Literal["log", "block", "skip"]
ACTIONS: tuple[Action, ...] = get_args(Action)
FailMode = Literal["open", "closed"]
DEFAULT_NAME = "default"
_IDS = UUID("5c54b5a0-3f0e-4c86-9d0e-6a3b4e2f7a11")
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class OwnResponse:
    """What a blocked caller gets instead of the zone's answer."""

    status_code: int
    content_type: str
    content: str


@dataclass(frozen=True, slots=True)
class Skip:
    """What a matching skip rule turns off behind it.

    `is_rest`: the remaining custom rules. `phases` and `products` are Cloudflare's words. `is_features`: everything
    that Hoplon's own features decide (operations, tokens …). `rules` are ids. `is_logged`: that it matched is told.
    """

    is_rest: bool = False
    phases: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    is_features: bool = False
    rules: tuple[str, ...] = ()
    is_logged: bool = True


@dataclass(frozen=True, slots=True)
class Rate:
    """How much a limit allows; exactly one of `requests_per_period`, `score_per_period` and `in_flight` is set.

    `characteristics` are expressions whose values together name a counter. `counting_expression`: empty counts what
    the rule's expression describes. `mitigation_timeout` in seconds; 0: only what exceeds is refused.
    """

    characteristics: tuple[str, ...] = ()
    period_seconds: int = 0
    requests_per_period: int | None = None
    score_per_period: int | None = None
    score_response_header_name: str = ""
    counting_expression: str = ""
    mitigation_timeout_seconds: int = 0
    requests_to_origin: bool = False
    in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `operations` are ids or names (`GET /users/{id} on HOST`) of the only operations it is about; none:
    every request. `fail` says what happens when the expression cannot be computed: as if false, or as if true."""

    id: str
    ref: str
    expression: str
    action: Action = "log"
    description: str = ""
    is_enabled: bool = True
    operations: tuple[str, ...] = ()
    fail: FailMode = "open"
    response: OwnResponse | None = None
    skip: Skip | None = None
    rate: Rate | None = None

    def __str__(self) -> str:
        return self.description or self.ref


@dataclass(frozen=True, slots=True)
class RulesetPolicy:
    """The policy of one of both features: its rules in the order in which they are asked."""

    rules: tuple[Rule, ...] = ()
    name: str = DEFAULT_NAME
    description: str = ""


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule as it stands in a ruleset. `version` counts its changes from 1; moving it is none."""

    rule: Rule
    version: int
    last_updated: datetime


@dataclass(frozen=True, slots=True)
class Ruleset:
    """One version of a zone's ruleset; `version` counts its changes from 1. Listings leave `rules` out."""

    id: str
    feature: RuleFeature
    version: int
    name: str
    description: str
    last_updated: datetime
    rules: tuple[StoredRule, ...] = field(default=())


@lru_cache(maxsize=20_000)
def rule_id(feature: RuleFeature, ref: str) -> str:
    """The id of a rule that was given none: 32 hexadecimal digits, always the same for the same `ref`."""
    return ref if is_rule_id(ref) else uuid5(_IDS, f"{feature}\n{ref}").hex


def is_rule_id(text: str) -> bool:
    """Whether `text` has the form of an id."""
    return _ID.fullmatch(text) is not None
