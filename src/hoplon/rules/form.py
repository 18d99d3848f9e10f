"""A rule in the form of Cloudflare's API, as the API and the client both write it."""

from collections.abc import Mapping
from typing import Any

from hoplon.model.rules import OwnResponse, Rate, Rule, Skip

COLO = "cf.colo.id"
"""Cloudflare counts in each data centre, and says so with this characteristic; here it is a constant."""


def definition_form(rule: Rule, ruleset_id: str) -> dict[str, Any]:
    """What a rule says, in the form in which it can be sent again."""
    form: dict[str, Any] = {
        "ref": rule.ref,
        "action": rule.action,
        "expression": rule.expression,
        "description": rule.description,
        "enabled": rule.is_enabled,
    }
    if rule.response is not None:
        response = rule.response
        content = {"status_code": response.status_code, "content_type": response.content_type}
        form["action_parameters"] = {"response": {**content, "content": response.content}}
    if rule.skip is not None:
        form["action_parameters"] = _skip_form(rule.skip, ruleset_id)
        form["logging"] = {"enabled": rule.skip.is_logged}
    if rule.rate is not None:
        form["ratelimit"] = _rate_form(rule.rate)
    if rule.operations:
        form["operations"] = list(rule.operations)
    return form if rule.fail == "open" else {**form, "fail": rule.fail}


def read_definition(form: Mapping[str, Any]) -> Rule:
    """The rule that a form of ours says: what `definition_form` made, and its id."""
    parameters, rate = form.get("action_parameters", {}), form.get("ratelimit")
    is_skip = form["action"] == "skip"
    return Rule(
        id=form["id"],
        ref=form["ref"],
        expression=form["expression"],
        action=form["action"],
        description=form["description"],
        is_enabled=form["enabled"],
        operations=tuple(form.get("operations", ())),
        fail=form.get("fail", "open"),
        response=OwnResponse(**parameters["response"]) if "response" in parameters else None,
        skip=_read_skip(parameters, form.get("logging", {})) if is_skip else None,
        rate=None if rate is None else _read_rate(rate),
    )


def _skip_form(skip: Skip, ruleset_id: str) -> dict[str, Any]:
    said = {
        "ruleset": "current" if skip.is_rest else None,
        "phases": list(skip.phases),
        "products": list(skip.products),
        "rules": {ruleset_id: list(skip.rules)} if skip.rules else None,
        "features": skip.is_features,
    }
    return {name: value for name, value in said.items() if value}


def _read_skip(parameters: Mapping[str, Any], logging: Mapping[str, Any]) -> Skip:
    return Skip(
        is_rest=parameters.get("ruleset") == "current",
        phases=tuple(parameters.get("phases", ())),
        products=tuple(parameters.get("products", ())),
        is_features=parameters.get("features", False),
        rules=tuple(rule for rules in parameters.get("rules", {}).values() for rule in rules),
        is_logged=logging.get("enabled", True),
    )


def _rate_form(rate: Rate) -> dict[str, Any]:
    """Cloudflare's characteristics always name the data centre; a policy document may leave it out."""
    names = list(rate.characteristics)
    form: dict[str, Any] = {
        "characteristics": names if COLO in names else [COLO, *names],
        "period": rate.period_seconds,
        "mitigation_timeout": rate.mitigation_timeout_seconds,
        "requests_to_origin": rate.requests_to_origin,
    }
    said = {
        "requests_per_period": rate.requests_per_period,
        "score_per_period": rate.score_per_period,
        "score_response_header_name": rate.score_response_header_name or None,
        "counting_expression": rate.counting_expression or None,
        "in_flight": rate.in_flight,
    }
    return form | {name: value for name, value in said.items() if value is not None}


def _read_rate(form: Mapping[str, Any]) -> Rate:
    return Rate(
        characteristics=tuple(form["characteristics"]),
        period_seconds=form["period"],
        requests_per_period=form.get("requests_per_period"),
        score_per_period=form.get("score_per_period"),
        score_response_header_name=form.get("score_response_header_name", ""),
        counting_expression=form.get("counting_expression", ""),
        mitigation_timeout_seconds=form["mitigation_timeout"],
        requests_to_origin=form["requests_to_origin"],
        in_flight=form.get("in_flight"),
    )
