"""Options of `hoplon rules` and `hoplon limits`: what a rule says and where it stands, and the Rule that they mean."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.options import Function

if TYPE_CHECKING:
    from hoplon.model.rules import OwnResponse, Rate, Rule, Ruleset, Skip
    from hoplon.service.rule_order import Position

Given = Mapping[str, Any]
"""Options by name; None, or nothing in it: was not given."""
_LIMITS = "http_ratelimit"

_SAID = (
    click.option("--action", type=click.Choice(["log", "block", "skip"]), help="What happens with it. [default: log]"),
    click.option("--description", metavar="TEXT", help="What it is for."),
    click.option("--on/--off", "is_enabled", default=None, help="Whether it acts at all. [default: on]"),
    click.option(
        "--operation",
        "operations",
        multiple=True,
        metavar="WHICH",
        help='Only for a saved operation: its id, or "GET /users/{id}", or with " on HOST". Several times.',
    ),
    click.option("--fail", type=click.Choice(["open", "closed"]), help="When it cannot be computed. [default: open]"),
    click.option("--status", type=click.IntRange(400, 499), help="Of a block: the status of its answer."),
    click.option("--content-type", metavar="TYPE", help="Of a block: the type of its answer. [default: text/plain]"),
    click.option("--content", metavar="TEXT", help="Of a block: what it answers."),
    click.option(
        "--content-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="The same, read."
    ),
)
_SKIPPED = (
    click.option(
        "--skip",
        "skips",
        multiple=True,
        type=click.Choice(["rest", "limits", "features"]),
        help="Of a skip: the custom rules behind it, limits, what Hoplon's features decide. Several times.",
    ),
    click.option("--skip-rule", "skipped_rules", multiple=True, metavar="REF", help="Of a skip: one rule behind it."),
    click.option("--silent/--told", "is_silent", default=None, help="Of a skip: whether that it matched is told."),
)
_COUNTED = (
    click.option(
        "--by", "characteristics", multiple=True, metavar="VALUE", help="What names a counter. Several times."
    ),
    click.option("--period", type=int, metavar="SECONDS", help="Over how long is counted. [default: 60]"),
    click.option("--requests", type=int, metavar="N", help="So many requests in a period."),
    click.option("--score", type=int, metavar="N", help="So much of what --score-header says, in a period."),
    click.option("--score-header", metavar="NAME", help="The header in which the upstream says what an answer cost."),
    click.option("--in-flight", type=int, metavar="N", help="So many requests at the same time."),
    click.option("--count", "counting", metavar="EXPRESSION", help="What is counted, if not what the rule is about."),
    click.option("--mitigate", type=int, metavar="SECONDS", help="How long all is refused then. [default: 0]"),
    click.option("--to-origin/--all", "is_to_origin", default=None, help="Count only what reached the upstream."),
)
_PLACED = (
    click.option("--first", is_flag=True, help="Before all others."),
    click.option("--last", is_flag=True, help="After all others."),
    click.option("--before", metavar="REF", help="Right before this one."),
    click.option("--after", metavar="REF", help="Right after this one."),
    click.option("--index", type=int, metavar="N", help="As the Nth, from 1."),
)


def rule_options(function: Function) -> Function:
    """What a custom rule says, as options."""
    return _with(function, (*_SAID, *_SKIPPED))


def limit_options(function: Function) -> Function:
    """What a limit says, as options."""
    return _with(function, (*_SAID, *_COUNTED))


def place_options(function: Function) -> Function:
    """Where a rule stands, as options."""
    return _with(function, _PLACED)


def rule_of(rule: "Rule", given: Given, ruleset: "Ruleset | None") -> "Rule":
    """`rule` with what the options say; refs are looked up in `ruleset`."""
    said = {
        "expression": given.get("expression"),
        "action": given["action"],
        "description": given["description"],
        "is_enabled": given["is_enabled"],
        "operations": given["operations"] or None,
        "fail": given["fail"],
        "response": _response(rule.response, given),
        "skip": _skip(rule.skip, given, ruleset),
        "rate": _rate(rule.rate, given),
    }
    return replace(rule, **{name: value for name, value in said.items() if value is not None})


def position_of(given: Given, ruleset: "Ruleset | None") -> "Position | None":
    """Where the options say; None: they say nothing."""
    from hoplon.client.local_rulesets import found
    from hoplon.service.rule_order import Position

    before, after = given["before"], given["after"]
    wishes = [
        Position(before="") if given["first"] else None,
        Position(after="") if given["last"] else None,
        Position(before=found(ruleset, before)[1].id) if before is not None else None,
        Position(after=found(ruleset, after)[1].id) if after is not None else None,
        Position(index=given["index"]) if given["index"] is not None else None,
    ]
    said = [wish for wish in wishes if wish is not None]
    if len(said) > 1:
        raise click.UsageError("one of --first, --last, --before, --after and --index")
    return said[0] if said else None


def _with(function: Function, options: tuple[Any, ...]) -> Function:
    for option in reversed(options):
        function = option(function)
    return function


def _response(old: "OwnResponse | None", given: Given) -> "OwnResponse | None":
    from hoplon.model.rules import OwnResponse

    content = given["content"]
    if given["content_file"] is not None:
        content = given["content_file"].read_text(encoding="utf-8")
    said = {"status_code": given["status"], "content_type": given["content_type"], "content": content}
    said = {name: value for name, value in said.items() if value is not None}
    return replace(old or OwnResponse(403, "text/plain", ""), **said) if said else None


def _skip(old: "Skip | None", given: Given, ruleset: "Ruleset | None") -> "Skip | None":
    from hoplon.client.local_rulesets import found
    from hoplon.model.rules import Skip

    skips, refs, is_silent = given.get("skips"), given.get("skipped_rules"), given.get("is_silent")
    if not skips and not refs and is_silent is None:
        return None
    skip = old or Skip()
    if skips:
        phases = (_LIMITS,) if "limits" in skips else ()
        skip = replace(skip, is_rest="rest" in skips, is_features="features" in skips, phases=phases, products=())
    if refs:
        skip = replace(skip, rules=tuple(found(ruleset, ref)[1].id for ref in refs))
    return skip if is_silent is None else replace(skip, is_logged=not is_silent)


def _rate(old: "Rate | None", given: Given) -> "Rate | None":
    from hoplon.model.rules import Rate

    if "characteristics" not in given:
        return None
    amounts = {
        "requests_per_period": given["requests"],
        "score_per_period": given["score"],
        "in_flight": given["in_flight"],
    }
    said = {
        "characteristics": given["characteristics"] or None,
        "period_seconds": given["period"],
        "score_response_header_name": given["score_header"],
        "counting_expression": given["counting"],
        "mitigation_timeout_seconds": given["mitigate"],
        "requests_to_origin": given["is_to_origin"],
    }
    if any(amount is not None for amount in amounts.values()):
        said |= amounts
        old = replace(old, requests_per_period=None, score_per_period=None, in_flight=None) if old else None
    fresh = Rate(period_seconds=0 if given["in_flight"] is not None else 60)
    return replace(old or fresh, **{name: value for name, value in said.items() if value is not None})
