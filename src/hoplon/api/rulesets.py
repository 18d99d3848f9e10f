"""`/zones/{zone_id}/rulesets`: the entry points of custom rules and of limits, as a whole and rule by rule.

Whoever changes a rule gets the whole ruleset back. What the account has of them is in `account_rulesets`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from hoplon.api.bodies import Strict
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.query import Flag, Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.api.rule_bodies import (
    PlacedRuleBody,
    RuleBody,
    Rules,
    as_written,
    edited,
    read_position,
    read_rule,
    read_rules,
)
from hoplon.api.rule_forms import FEATURES, RulesetForm, RulesetSummary, ruleset_form, summary_form
from hoplon.errors import HoplonError, Problem
from hoplon.model.rules import RuleFeature
from hoplon.service import rulesets as service
from hoplon.service.rulesets import Wish, Write, Written

DRY_RUN = Flag("dry_run", "Only say whether it could be done; the result is null then.", False)
CURSOR = Text("cursor", "Where to go on: `after` of the page before.")
PER_PAGE = Integer("per_page", "How many rulesets a page has.", 1, 50, 50)


class EntrypointBody(Strict):
    """What an entry point shall be; what is left out stays. What only answers have says nothing."""

    name: str | None = None
    description: str | None = None
    rules: Rules | None = None
    kind: str | None = None
    phase: str | None = None
    id: Any = None
    version: Any = None
    last_updated: Any = None


@described(
    "The rulesets of a zone, without their rules.",
    query=(CURSOR, PER_PAGE),
    result=list[RulesetSummary],
    is_versioned=True,
)
def list_rulesets(request: ApiRequest) -> Answer:
    found = service.list_rulesets(request.workspace, request.zone_id)
    after, size = request.query["cursor"] or "", request.query["per_page"]
    left = [each for each in sorted(found.value, key=lambda each: each.id) if each.id > after]
    info: dict[str, Any] = {"count": len(left[:size]), "per_page": size}
    if len(left) > size:
        info["cursors"] = {"after": left[size - 1].id}
    return Answer([summary_form(each) for each in left[:size]], result_info=info, version=found.version)


@described(
    "Makes the ruleset of a phase, which must not have one yet.",
    query=(DRY_RUN,),
    body=EntrypointBody,
    result=RulesetForm | None,
    is_versioned=True,
)
def create_ruleset(request: ApiRequest) -> Answer:
    if request.body.phase is None:
        raise _wrong("phase", "is missing", f"one of {', '.join(FEATURES)}")
    feature = feature_of(request.body.phase)
    return _written(
        lambda: service.create_ruleset(request.workspace, _write(request), feature, _wish(feature, request))
    )


@described("One ruleset with its rules.", result=RulesetForm, is_versioned=True)
def get_ruleset(request: ApiRequest) -> Answer:
    found = service.get_ruleset(request.workspace, request.zone_id, request.ids["ruleset_id"])
    return answer(ruleset_form(found.value), version=found.version)


@described(
    "Makes these the rules of a ruleset; a rule with the id or ref of one that is there is that rule.",
    query=(DRY_RUN,),
    body=EntrypointBody,
    result=RulesetForm | None,
    is_versioned=True,
)
def replace_ruleset(request: ApiRequest) -> Answer:
    ruleset_id = request.ids["ruleset_id"]
    feature = service.get_ruleset(request.workspace, request.zone_id, ruleset_id).value.feature
    if request.body.phase is not None and feature_of(request.body.phase) != feature:
        raise _wrong("phase", "is not the phase of this ruleset", "leave it out")
    wish = _wish(feature, request)
    return _written(lambda: service.set_ruleset(request.workspace, _write(request), ruleset_id, wish))


@described("Deletes a ruleset with its rules.", query=(DRY_RUN,), may_be_empty=True, is_versioned=True)
def delete_ruleset(request: ApiRequest) -> Answer:
    version = service.delete_ruleset(request.workspace, _write(request), request.ids["ruleset_id"])
    return Answer(content=b"", status=HTTPStatus.NO_CONTENT, version=version)


@described("The ruleset of a phase.", result=RulesetForm, is_versioned=True)
def get_entrypoint(request: ApiRequest) -> Answer:
    found = service.get_entrypoint(request.workspace, request.zone_id, read_phase(request))
    return answer(ruleset_form(found.value), version=found.version)


@described(
    "Makes these the rules of a phase; its ruleset is made where there is none.",
    query=(DRY_RUN,),
    body=EntrypointBody,
    result=RulesetForm | None,
    is_versioned=True,
)
def replace_entrypoint(request: ApiRequest) -> Answer:
    feature = feature_of(request.ids["ruleset_phase"])
    wish = _wish(feature, request)
    return _written(lambda: service.set_entrypoint(request.workspace, _write(request), feature, wish))


@described(
    "Adds a rule, at the end unless it says where; answers the whole ruleset.",
    query=(DRY_RUN,),
    body=PlacedRuleBody,
    result=RulesetForm | None,
    is_versioned=True,
)
def add_rule(request: ApiRequest) -> Answer:
    body, ruleset_id = request.body, request.ids["ruleset_id"]
    if body.id is not None:
        raise _wrong("id", "a new rule is given its id", "leave it out; `ref` is yours to choose")
    feature = service.get_ruleset(request.workspace, request.zone_id, ruleset_id).value.feature
    rule, position = read_rule(feature, body), read_position(body.position)
    return _written(
        lambda: service.add_rule(request.workspace, _write(request), ruleset_id, rule, position), is_one_rule=True
    )


@described(
    "Changes a rule, its place, or both; answers the whole ruleset. A body with `action` or `expression` is the whole "
    "definition.",
    query=(DRY_RUN,),
    body=PlacedRuleBody,
    result=RulesetForm | None,
    is_versioned=True,
)
def edit_rule(request: ApiRequest) -> Answer:
    body: PlacedRuleBody = request.body
    ruleset_id, rule_id = request.ids["ruleset_id"], request.ids["rule_id"]
    feature = service.get_ruleset(request.workspace, request.zone_id, ruleset_id).value.feature
    position = read_position(body.position)
    return _written(
        lambda: service.edit_rule(
            request.workspace,
            _write(request),
            ruleset_id,
            rule_id,
            lambda old: edited(feature, body, old),
            position,
        ),
        is_one_rule=True,
    )


@described("Deletes a rule; answers the whole ruleset.", query=(DRY_RUN,), result=RulesetForm | None, is_versioned=True)
def delete_rule(request: ApiRequest) -> Answer:
    ruleset_id, rule_id = request.ids["ruleset_id"], request.ids["rule_id"]
    return _written(lambda: service.remove_rule(request.workspace, _write(request), ruleset_id, rule_id))


def feature_of(phase: str) -> RuleFeature:
    """Whose phase it is. Raises `ruleset.unsupported` for one that Hoplon does not have."""
    if phase not in FEATURES:
        message = f"Hoplon has no phase `{phase[:80]}`"
        raise HoplonError("ruleset.unsupported", message, f"there are {' and '.join(FEATURES)}")
    return FEATURES[phase]


def read_phase(request: ApiRequest) -> RuleFeature:
    """The phase of the path, for reading: one that Hoplon does not have has no ruleset.

    Raises `ruleset.no_entrypoint`.
    """
    phase = request.ids["ruleset_phase"]
    if phase not in FEATURES:
        message = f"there is no ruleset of the phase `{phase[:80]}`, which Hoplon does not have"
        raise HoplonError("ruleset.no_entrypoint", message, f"there are {' and '.join(FEATURES)}")
    return FEATURES[phase]


def _write(request: ApiRequest) -> Write:
    return Write(request.caller.actor, request.zone_id, request.if_match, is_dry=request.query["dry_run"])


def _wish(feature: RuleFeature, request: ApiRequest) -> Wish:
    body: EntrypointBody = request.body
    if body.kind not in (None, "zone"):
        raise _wrong("kind", f"a zone's rulesets are of kind `zone`, not `{body.kind}`", "leave it out")
    rules: list[RuleBody] | None = body.rules
    return Wish(None if rules is None else read_rules(feature, rules), body.name, body.description)


def _written(write: Callable[[], Written], *, is_one_rule: bool = False) -> Answer:
    with _explained(is_one_rule):
        written = write()
    form = None if written.value is None else ruleset_form(written.value)
    return answer(form, version=written.version)


@contextmanager
def _explained(is_one_rule: bool) -> Iterator[None]:
    try:
        yield
    except HoplonError as error:
        if error.code != "ruleset.invalid":
            raise
        raise as_written(error, is_one_rule=is_one_rule) from None


def _wrong(path: str, message: str, hint: str) -> HoplonError:
    return HoplonError("ruleset.invalid", "nothing was changed", None, (Problem(path, message, hint),))
