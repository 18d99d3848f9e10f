"""`/zones/{zone_id}/api_gateway/configuration`: the zone's session identifiers, replaced as a whole."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.query import Flag
from hoplon.api.request import ApiRequest
from hoplon.identity.policy import MAX_IDENTIFIERS, MAX_NAME, Identifier, IdentifierKind
from hoplon.service.identity import Identifiers, get_identifiers, set_identifiers

NORMALIZE = Flag("normalize", "Take or give names in their canonical form: headers in lower case.")


class CharacteristicBody(Lenient):
    """One session identifier."""

    type: IdentifierKind
    name: Annotated[str, Field(max_length=MAX_NAME)]


class ConfigurationBody(Lenient):
    """The identifiers, in the order in which they are asked."""

    auth_id_characteristics: Annotated[list[CharacteristicBody], Field(max_length=MAX_IDENTIFIERS)]


class CharacteristicForm(TypedDict):
    """One session identifier as Cloudflare writes it."""

    type: IdentifierKind
    name: str


class ConfigurationForm(TypedDict):
    """The zone's configuration as Cloudflare writes it."""

    auth_id_characteristics: list[CharacteristicForm]


@described("The session identifiers.", query=(NORMALIZE,), result=ConfigurationForm, is_versioned=True)
def get_configuration(request: ApiRequest) -> Answer:
    found = get_identifiers(request.workspace, request.zone_id)
    return _answer(found, bool(request.query["normalize"]))


@described(
    "Replaces the session identifiers.",
    query=(NORMALIZE,),
    body=ConfigurationBody,
    result=ConfigurationForm,
    is_versioned=True,
)
def set_configuration(request: ApiRequest) -> Answer:
    is_normal = bool(request.query["normalize"])
    written = [Identifier(each.type, each.name) for each in request.body.auth_id_characteristics]
    wanted = [each.normal for each in written] if is_normal else written
    saved = set_identifiers(request.workspace, request.caller.actor, request.zone_id, wanted, request.if_match)
    return _answer(saved, is_normal)


def _answer(found: Identifiers, is_normal: bool) -> Answer:
    shown = [each.normal if is_normal else each for each in found.identifiers]
    form: ConfigurationForm = {"auth_id_characteristics": [{"type": each.kind, "name": each.name} for each in shown]}
    return answer(form, version=found.version)
