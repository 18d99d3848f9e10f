"""Rules as callers of Cloudflare's API write them: the forms of the bodies, what is refused with a sentence, and the
`Rule` that is meant. What a rule may say beside Cloudflare's members: `operations`, `fail`, `ratelimit.in_flight`,
`action_parameters.features`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hoplon.api.bodies import Strict
from hoplon.errors import HoplonError, Problem
from hoplon.model.rules import ACTIONS, FailMode, OwnResponse, Rate, Rule, RuleFeature, Skip
from hoplon.rules.form import COLO, definition_form
from hoplon.service.rule_order import Position
from hoplon.spelling import did_you_mean

_CHALLENGE = "a challenge is for a person in a browser; Hoplon shields APIs and has none: say `block` or `log`"
REFUSED_ACTIONS: Mapping[str, str] = {
    "challenge": _CHALLENGE,
    "js_challenge": _CHALLENGE,
    "managed_challenge": _CHALLENGE,
    "execute": "there are no managed rulesets here to execute",
    "rewrite": "Hoplon forwards what it judged, and rewrites nothing",
    "redirect": "Hoplon forwards or refuses, and redirects nothing",
    "route": "a zone's upstreams say where its requests go",
    "score": "there is no score here that a rule could add to",
    "ddos_dynamic": "limits are what Hoplon has against floods",
    "force_connection_close": "Hoplon answers what it refuses",
    "serve_error": "say `block` with a `response` of your own, status 400 to 499",
    "compress_response": "Hoplon passes responses through",
    "log_custom_field": "records have the same columns for every zone",
    "set_cache_settings": "Hoplon has no cache",
    "set_cache_control": "Hoplon has no cache",
    "set_cache_tags": "Hoplon has no cache",
    "transform_response_html": "Hoplon passes responses through",
    "set_config": "a zone's settings are in its policy",
}
_NO_LEAKS = "Hoplon has no collection of leaked credentials to compare with"
_REFUSED_PARAMETERS = ("phase", "rulesets")
_SKIP_WHAT = "say what is skipped with `ruleset`, `phases`, `products` or `rules`"


class ResponseBody(Strict):
    """What a blocked caller gets."""

    status_code: int
    content_type: str
    content: str


class ActionParametersBody(BaseModel):
    """`response` of a block; the others are what a skip rule turns off. What refused actions have is read and told."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    response: ResponseBody | None = None
    ruleset: Literal["current"] | None = None
    phases: tuple[str, ...] = Field(default=(), strict=False)
    products: tuple[str, ...] = Field(default=(), strict=False)
    rules: dict[str, list[str]] = Field(default_factory=dict)
    features: bool = False
    phase: Any = None
    rulesets: Any = None


class LoggingBody(Strict):
    """Whether it is told that a skip rule matched."""

    enabled: bool = True


class RatelimitBody(Strict):
    """What a limit counts and allows. `in_flight` is Hoplon's own, and needs no period."""

    characteristics: list[str]
    period: int = 0
    requests_per_period: int | None = None
    score_per_period: int | None = None
    score_response_header_name: str | None = None
    counting_expression: str | None = None
    mitigation_timeout: int | None = None
    requests_to_origin: bool | None = None
    in_flight: int | None = None


class PositionBody(Strict):
    """Where a rule goes: one of the three."""

    index: int | None = None
    before: str | None = None
    after: str | None = None


class RuleBody(Strict):
    """A rule. What only answers have (`version`, `last_updated`) may stand in it and says nothing."""

    id: str | None = None
    ref: str | None = None
    action: str | None = None
    action_parameters: ActionParametersBody | None = None
    expression: str | None = None
    description: str | None = None
    enabled: bool | None = None
    logging: LoggingBody | None = None
    ratelimit: RatelimitBody | None = None
    operations: list[str] | None = None
    fail: FailMode | None = None
    exposed_credential_check: Any = None
    categories: Any = None
    version: Any = None
    last_updated: Any = None


class PlacedRuleBody(RuleBody):
    """A rule and where it goes."""

    position: PositionBody | None = None


Rules = Annotated[list[RuleBody], Field(max_length=20_000)]
"""More than a ruleset can hold is still read, to say how many there may be."""


def read_rule(feature: RuleFeature, body: RuleBody) -> Rule:
    """The rule that a body means; without an id or ref where it gives none. Raises `ruleset.invalid` with every problem
    that is one of Cloudflare's form; what a rule may say is checked by the service."""
    problems = tuple(_problems(feature, body))
    if problems:
        raise HoplonError("ruleset.invalid", "nothing was changed", None, problems)
    parameters = body.action_parameters or ActionParametersBody()
    return Rule(
        id=body.id or "",
        ref=body.ref or "",
        expression=body.expression or "",
        action=next(each for each in ACTIONS if each == body.action),
        description=body.description or "",
        is_enabled=body.enabled is not False,
        operations=tuple(body.operations or ()),
        fail=body.fail or "open",
        response=OwnResponse(**parameters.response.model_dump()) if parameters.response else None,
        skip=_skip(parameters, body.logging) if body.action == "skip" else None,
        rate=_rate(body.ratelimit) if body.ratelimit else None,
    )


def read_rules(feature: RuleFeature, bodies: list[RuleBody]) -> list[Rule]:
    """The rules that a list of bodies means. Raises `ruleset.invalid` with the problems of all."""
    rules, problems = [], []
    for index, body in enumerate(bodies):
        try:
            rules.append(read_rule(feature, body))
        except HoplonError as error:
            problems += [replace(each, path=f"rules[{index}].{each.path}") for each in error.problems]
    if problems:
        raise HoplonError("ruleset.invalid", "nothing was changed", None, tuple(problems))
    return rules


def edited(feature: RuleFeature, body: RuleBody, old: Rule) -> Rule:
    """What a PATCH makes of a rule. With `action` or `expression` the body is the whole definition, as at Cloudflare;
    without them it changes what it names; with nothing it changes nothing."""
    given = body.model_dump(exclude_unset=True, exclude={"position", "id", "version", "last_updated", "categories"})
    if body.id not in (None, old.id):
        raise HoplonError(
            "ruleset.invalid", "nothing was changed", None, (Problem("id", "is not the rule of the path"),)
        )
    if "action" in given or "expression" in given:
        new = read_rule(feature, body)
        return replace(new, id=old.id, ref=new.ref or old.ref)
    whole = RuleBody.model_validate({**definition_form(old, ""), **given})
    return replace(read_rule(feature, whole), id=old.id)


def read_position(body: PositionBody | None) -> Position | None:
    return None if body is None else Position(body.index, body.before, body.after)


def _problems(feature: RuleFeature, body: RuleBody) -> Iterator[Problem]:
    if body.action is None:
        yield Problem("action", "is missing", f"one of {', '.join(ACTIONS)}")
    elif body.action in REFUSED_ACTIONS:
        yield Problem("action", f"`{body.action}`: {REFUSED_ACTIONS[body.action]}")
    elif body.action not in ACTIONS:
        yield Problem("action", f"unknown action `{body.action[:80]}`", did_you_mean(body.action, ACTIONS))
    if body.expression is None:
        yield Problem("expression", "is missing", '"true" is every request')
    if body.exposed_credential_check is not None:
        yield Problem("exposed_credential_check", _NO_LEAKS)
    yield from _parameter_problems(body)
    yield from _ratelimit_problems(feature, body)


def _parameter_problems(body: RuleBody) -> Iterator[Problem]:
    parameters = body.action_parameters
    if body.logging is not None and not body.logging.enabled and body.action != "skip":
        yield Problem("logging.enabled", "only a skip rule can be silent: what is refused is always told")
    if parameters is None or body.action not in ACTIONS:
        return
    for name in parameters.model_extra or ():
        known = (name for name in ActionParametersBody.model_fields if name not in _REFUSED_PARAMETERS)
        yield Problem(f"action_parameters.{name}", "unknown member", did_you_mean(name, known))
    for name in _REFUSED_PARAMETERS:
        if getattr(parameters, name) is not None:
            yield Problem(f"action_parameters.{name}", "is not taken here", _SKIP_WHAT)
    skips = ("ruleset", "phases", "products", "rules", "features")
    if body.action != "skip" and any(getattr(parameters, name) for name in skips):
        yield Problem("action_parameters", f"a rule that says `{body.action}` skips nothing", "say `skip`")


def _ratelimit_problems(feature: RuleFeature, body: RuleBody) -> Iterator[Problem]:
    if feature == "rules" and body.ratelimit is not None:
        yield Problem("ratelimit", "a custom rule has none", "limits are rules of the phase http_ratelimit")
    if feature == "limits" and body.ratelimit is None:
        yield Problem("ratelimit", "is missing", "what the limit counts and allows")
    if body.ratelimit is not None and COLO not in body.ratelimit.characteristics:
        hint = "add it, as at Cloudflare; here it tells no requests apart"
        yield Problem("ratelimit.characteristics", "`cf.colo.id` is missing", hint)


def _skip(parameters: ActionParametersBody, logging: LoggingBody | None) -> Skip:
    return Skip(
        is_rest=parameters.ruleset == "current",
        phases=parameters.phases,
        products=parameters.products,
        is_features=parameters.features,
        rules=tuple(rule for rules in parameters.rules.values() for rule in rules),
        is_logged=logging is None or logging.enabled,
    )


def _rate(body: RatelimitBody) -> Rate:
    return Rate(
        characteristics=tuple(body.characteristics),
        period_seconds=body.period,
        requests_per_period=body.requests_per_period,
        score_per_period=body.score_per_period,
        score_response_header_name=body.score_response_header_name or "",
        counting_expression=body.counting_expression or "",
        mitigation_timeout_seconds=body.mitigation_timeout or 0,
        requests_to_origin=bool(body.requests_to_origin),
        in_flight=body.in_flight,
    )


_OUTER: tuple[tuple[str, str], ...] = (
    (".response", ".action_parameters.response"),
    (".skip", ".action_parameters"),
    *((f".{name}", f".ratelimit.{name}") for name in RatelimitBody.model_fields),
)
"""Where the members of a rule stand in Cloudflare's form, where that is another place."""
_OF_RULE = re.compile(r"rules\[\d+\]")


def as_written(error: HoplonError, *, is_one_rule: bool) -> HoplonError:
    """An error of the service whose problems point into the body: into its one rule, or into its `rules`."""
    problems = tuple(replace(each, path=_outer(each.path, is_one_rule=is_one_rule)) for each in error.problems)
    return HoplonError(error.code, error.message, error.hint, problems)


def _outer(path: str, *, is_one_rule: bool) -> str:
    place = _OF_RULE.match(path)
    if place is None:
        return path.removeprefix(".")
    rest = path[place.end() :]
    for inner, outer in _OUTER:
        if rest == inner or rest.startswith((f"{inner}.", f"{inner}[")):
            rest = outer + rest.removeprefix(inner)
            break
    return rest.removeprefix(".") if is_one_rule else place[0] + rest
