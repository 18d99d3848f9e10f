"""`/zones/{zone_id}/rulesets/…/versions`: every version of a ruleset stays readable, since it is the zone's history."""

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.query import Flag
from hoplon.api.request import ApiRequest
from hoplon.api.rule_forms import RulesetForm, RulesetSummary, ruleset_form, summary_form
from hoplon.api.rulesets import read_phase
from hoplon.errors import HoplonError
from hoplon.service import rulesets as service

_MAX_DIGITS = 9


@described("Every version of a ruleset, newest first, without rules.", result=list[RulesetSummary])
def list_versions(request: ApiRequest) -> Answer:
    return _list(request, request.ids["ruleset_id"])


@described("One version of a ruleset with its rules.", result=RulesetForm)
def get_version(request: ApiRequest) -> Answer:
    return _get(request, request.ids["ruleset_id"])


@described("Every version of the ruleset of a phase, newest first, without rules.", result=list[RulesetSummary])
def list_entrypoint_versions(request: ApiRequest) -> Answer:
    return _list(request, _entrypoint_id(request))


@described("One version of the ruleset of a phase with its rules.", result=RulesetForm)
def get_entrypoint_version(request: ApiRequest) -> Answer:
    return _get(request, _entrypoint_id(request))


@described(
    "Refused: versions are the zone's history, which rolling back and the audit log need.",
    query=(Flag("dry_run", "The same answer.", False),),
    may_be_empty=True,
)
def delete_version(request: ApiRequest) -> Answer:
    _get(request, request.ids["ruleset_id"])
    message = "versions of a ruleset are versions of its zone, and stay"
    raise HoplonError("ruleset.unsupported", message, "nothing of an old version acts on requests")


def _entrypoint_id(request: ApiRequest) -> str:
    return service.entrypoint_id(request.workspace, request.zone_id, read_phase(request))


def _list(request: ApiRequest, ruleset_id: str) -> Answer:
    found = service.list_versions(request.workspace, request.zone_id, ruleset_id)
    return answer([summary_form(each) for each in found])


def _get(request: ApiRequest, ruleset_id: str) -> Answer:
    number = request.ids["ruleset_version"]
    if not (number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS):
        raise HoplonError("ruleset.version_unknown", "a version is a number from 1")
    return answer(ruleset_form(service.get_version(request.workspace, request.zone_id, ruleset_id, int(number))))
