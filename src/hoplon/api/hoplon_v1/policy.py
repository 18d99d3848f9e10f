"""`/hoplon/v1/zones/{zone_id}/policy`: a zone's whole policy as one TOML document, and its history."""

from typing import Any

from typing_extensions import TypedDict

from hoplon.api.bodies import Strict
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_content, moment
from hoplon.api.hoplon_v1.acknowledged import AcknowledgementForm, acknowledgement_form
from hoplon.api.query import Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.model.api_token import may
from hoplon.model.permissions import group_named
from hoplon.model.versions import PolicyVersion
from hoplon.policy.document import read_policy
from hoplon.service import policy as policies
from hoplon.service.accounts import the_account
from hoplon.service.agreement import disagreements
from hoplon.service.claims import MayTakeFrom, from_all
from hoplon.service.features import FEATURES
from hoplon.service.gateway import await_bundle
from hoplon.service.zones import get_zone, list_zones

TOML = "application/toml"
_ORIGIN = "the policy"
_ZONE_WRITE = group_named("Zone Write")
_NAMED = Text("origin", "What the unified difference calls the document.", 200)
_WAIT = Integer("wait", "Seconds to wait until the gateway here acts on it.", 0, 30, 5)


class AppliedForm(TypedDict):
    """The zone's version now, what changed (nothing: no new version), the bundle of all zones, and what the gateway of
    this state directory said to it."""

    zone_id: str
    zone_name: str
    version: int
    changes: list[str]
    bundle: str | None
    gateway: AcknowledgementForm


class DifferenceForm(TypedDict):
    """What applying a document would change; `is_new`: there is no such zone yet."""

    zone_name: str
    changes: list[str]
    unified: str
    is_new: bool


class VersionForm(TypedDict):
    """One committed version of a zone's policy."""

    zone_id: str
    zone_name: str
    version: int
    committed_at: str
    author: str
    changes: list[str]
    bundle: str | None


class RollbackBody(Strict):
    """Which version to go back to; without one, the version before."""

    version: int | None = None


@described(
    "The policy of a zone as TOML, newest or of an older version.",
    query=(Integer("version", "An older version.", 1, 10**9),),
    has_envelope=False,
    content_types=(TOML,),
    is_versioned=True,
)
def export(request: ApiRequest) -> Answer:
    zone = get_zone(request.workspace, request.zone_id)
    version = request.query["version"] or zone.version
    text = policies.export_policy(request.workspace, zone.name, version)
    return answer_content(text.encode(), TOML, version=version)


@described(
    "Make a TOML document the policy of the zone. An error changes nothing; every error is listed.",
    query=(_WAIT,),
    body_media_types=(TOML,),
    result=AppliedForm,
    is_versioned=True,
)
def apply(request: ApiRequest) -> Answer:
    name = get_zone(request.workspace, request.zone_id).name
    actor = request.caller.actor
    applied = policies.apply_policy(
        request.workspace,
        policy_text(request),
        _ORIGIN,
        name,
        actor=actor,
        if_match=request.if_match,
        may_take_from=_may_take_from(request),
    )
    return _applied(request, applied)


@described(
    "Create a zone from its policy, a TOML document.", query=(_WAIT,), body_media_types=(TOML,), result=AppliedForm
)
def create(request: ApiRequest) -> Answer:
    if request.caller.zone_ids is not None:
        raise HoplonError("auth.forbidden", "this token may not create zones: it is granted on single zones")
    _new_name(request)
    actor = request.caller.actor
    return _applied(
        request, policies.apply_policy(request.workspace, policy_text(request), _ORIGIN, create=True, actor=actor)
    )


@described(
    "What making a TOML document the policy of the zone would change.",
    query=(_NAMED,),
    body_media_types=(TOML,),
    result=DifferenceForm,
)
def diff(request: ApiRequest) -> Answer:
    name = get_zone(request.workspace, request.zone_id).name
    return _difference(request, name)


@described(
    "What creating a zone from its policy, a TOML document, would change.",
    query=(_NAMED,),
    body_media_types=(TOML,),
    result=DifferenceForm,
)
def diff_new(request: ApiRequest) -> Answer:
    _new_name(request)
    return _difference(request, None)


@described(
    "Make an older version the policy again, as a new version.",
    query=(_WAIT,),
    body=RollbackBody,
    is_body_required=False,
    result=AppliedForm,
    is_versioned=True,
)
def rollback(request: ApiRequest) -> Answer:
    name = get_zone(request.workspace, request.zone_id).name
    body: Any = request.body or RollbackBody()
    applied = policies.rollback_policy(
        request.workspace,
        name,
        body.version,
        actor=request.caller.actor,
        if_match=request.if_match,
        may_take_from=_may_take_from(request),
    )
    return _applied(request, applied)


@described(
    "The versions of a zone's policy, newest first.",
    query=(Integer("limit", "So many.", 1, 1000, 20),),
    result=list[VersionForm],
)
def versions(request: ApiRequest) -> Answer:
    name = get_zone(request.workspace, request.zone_id).name
    found = policies.policy_history(request.workspace, name, request.query["limit"])
    return answer([_version(each) for each in found])


def _new_name(request: ApiRequest) -> str:
    """The name of the zone that the document creates. Raises `zone.exists`: it is changed at its own path."""
    name = read_policy(policy_text(request), FEATURES, _ORIGIN, disagreements).zone.name
    if any(zone.name == name for zone in list_zones(request.workspace)):
        raise HoplonError("zone.exists", f"there already is a zone `{name}`", "put the policy on that zone")
    return name


def policy_text(request: ApiRequest) -> str:
    """The document that was sent. Raises `policy.invalid` when it is no UTF-8."""
    try:
        return request.content.decode()
    except UnicodeDecodeError as error:
        raise HoplonError("policy.invalid", f"{_ORIGIN} is not UTF-8: {error.reason} at byte {error.start}") from None


def _may_take_from(request: ApiRequest) -> MayTakeFrom:
    """From the zones that the token may write as well."""
    token = request.caller.token
    if token is None:
        return from_all
    account = the_account(request.workspace).id
    return lambda zone_id: may(token.policies, _ZONE_WRITE, account, zone_id)


def _applied(request: ApiRequest, applied: policies.Applied) -> Answer:
    said = await_bundle(request.workspace.state, applied.bundle, request.query["wait"])
    form: AppliedForm = {
        "zone_id": applied.zone_id,
        "zone_name": applied.zone_name,
        "version": applied.version,
        "changes": list(applied.changes),
        "bundle": applied.bundle,
        "gateway": acknowledgement_form(said),
    }
    return answer(form, version=applied.version)


def _difference(request: ApiRequest, name: str | None) -> Answer:
    origin = request.query["origin"] or _ORIGIN
    found = policies.diff_policy(request.workspace, policy_text(request), origin, name)
    form: DifferenceForm = {
        "zone_name": found.zone_name,
        "changes": list(found.changes),
        "unified": found.unified,
        "is_new": found.is_new,
    }
    return answer(form)


def _version(version: PolicyVersion) -> VersionForm:
    return {
        "zone_id": version.zone_id,
        "zone_name": version.zone_name,
        "version": version.version,
        "committed_at": moment(version.committed_at),
        "author": version.author,
        "changes": list(version.changes),
        "bundle": version.bundle,
    }
