"""`/zones/{zone_id}/token_validation/config`: token configurations and their keys. Secrets are never given back."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, Message, answer, answer_page, moment
from hoplon.api.query import PAGING
from hoplon.api.request import ApiRequest
from hoplon.model.page import page_of
from hoplon.service import token_validation as service
from hoplon.service.token_validation import Changed, ShownConfiguration
from hoplon.tokens.keys import Note

MAX_SENT_KEYS = 100
"""Keys of one request; which of them are of use is another bound."""

Jwk = Annotated[dict[str, Any], Field(json_schema_extra={"example": {"kty": "RSA", "kid": "1", "n": "…", "e": "AQAB"}})]
Keys = Annotated[list[Jwk], Field(max_length=MAX_SENT_KEYS)]


class CredentialsBody(Lenient):
    """A set of JSON Web Keys (RFC 7517)."""

    keys: Keys


class ConfigurationBody(Lenient):
    """A token configuration to make."""

    title: str
    description: str
    token_type: Literal["JWT", "jwt"]
    token_sources: list[str]
    credentials: CredentialsBody


class ConfigurationEditBody(Lenient):
    """What changes of a token configuration; keys have a resource of their own."""

    title: str | None = None
    description: str | None = None
    token_sources: list[str] | None = None


class CredentialsForm(TypedDict):
    """The keys in use, without the secrets of symmetric ones."""

    keys: list[dict[str, str]]


class ConfigurationForm(TypedDict):
    """A token configuration as Cloudflare writes it."""

    id: str
    title: str
    description: str
    token_type: Literal["JWT"]
    token_sources: list[str]
    credentials: CredentialsForm
    created_at: str
    last_updated: str


class EditedForm(TypedDict):
    """What an edit gives back."""

    id: str
    title: str
    description: str
    token_sources: list[str]


class DeletedForm(TypedDict):
    """What was removed."""

    id: str


@described("The token configurations.", query=PAGING, result=list[ConfigurationForm], is_paged=True, is_versioned=True)
def list_configurations(request: ApiRequest) -> Answer:
    found = service.list_configurations(request.workspace, request.zone_id)
    page = page_of(found.value, request.query["page"], request.query["per_page"])
    return answer_page(page, configuration_form, version=found.version)


@described(
    "Makes a token configuration. Members of keys that verify nothing, and keys that are of no use, are left out; "
    "`messages` says which.",
    body=ConfigurationBody,
    result=ConfigurationForm,
    is_versioned=True,
)
def create_configuration(request: ApiRequest) -> Answer:
    body: ConfigurationBody = request.body
    wanted = {"title": body.title, "description": body.description, "token_sources": tuple(body.token_sources)}
    changed = service.add_configuration(
        request.workspace, request.caller.actor, request.zone_id, wanted, body.credentials.keys, request.if_match
    )
    return _answer(changed, configuration_form(changed.shown))


@described("One token configuration.", result=ConfigurationForm, is_versioned=True)
def get_configuration(request: ApiRequest) -> Answer:
    found = service.get_configuration(request.workspace, request.zone_id, request.ids["config_id"])
    return answer(configuration_form(found.value), version=found.version)


@described(
    "Changes title, description or sources; what is left out stays.",
    body=ConfigurationEditBody,
    result=EditedForm,
    is_versioned=True,
)
def edit_configuration(request: ApiRequest) -> Answer:
    changes = request.body.model_dump(exclude_none=True)
    if "token_sources" in changes:
        changes["token_sources"] = tuple(changes["token_sources"])
    changed = service.edit_configuration(
        request.workspace, request.caller.actor, request.zone_id, request.ids["config_id"], changes, request.if_match
    )
    each = changed.shown.configuration
    form: EditedForm = {
        "id": each.id,
        "title": each.title,
        "description": each.description,
        "token_sources": list(each.token_sources),
    }
    return _answer(changed, form)


@described("Removes a token configuration that nothing names.", result=DeletedForm, is_versioned=True)
def delete_configuration(request: ApiRequest) -> Answer:
    identity = request.ids["config_id"]
    version = service.remove_configuration(
        request.workspace, request.caller.actor, request.zone_id, identity, request.if_match
    )
    form: DeletedForm = {"id": identity}
    return answer(form, version=version)


@described(
    "Replaces the keys; symmetric ones with their secrets.",
    body=CredentialsBody,
    result=CredentialsForm,
    is_versioned=True,
)
def replace_credentials(request: ApiRequest) -> Answer:
    return _credentials(request, keeps_secrets=False)


@described(
    "Replaces the keys; a symmetric one without `k` keeps the secret of the key with its `alg` and `kid`.",
    body=CredentialsBody,
    result=CredentialsForm,
    is_versioned=True,
)
def edit_credentials(request: ApiRequest) -> Answer:
    return _credentials(request, keeps_secrets=True)


def configuration_form(shown: ShownConfiguration) -> ConfigurationForm:
    """A configuration with the keys that are in use."""
    each = shown.configuration
    return {
        "id": each.id,
        "title": each.title,
        "description": each.description,
        "token_type": "JWT",
        "token_sources": list(each.token_sources),
        "credentials": {"keys": shown.jwks},
        "created_at": moment(each.created_at),
        "last_updated": moment(each.last_updated),
    }


def messages_of(notes: Sequence[Note]) -> list[Message]:
    """What was done to keys, as entries of `messages`."""
    return [{"code": note.code, "message": note.message} for note in notes]


def _credentials(request: ApiRequest, *, keeps_secrets: bool) -> Answer:
    changed = service.replace_keys(
        request.workspace,
        request.caller.actor,
        request.zone_id,
        request.ids["config_id"],
        request.body.keys,
        keeps_secrets=keeps_secrets,
        if_match=request.if_match,
    )
    form: CredentialsForm = {"keys": changed.shown.jwks}
    return _answer(changed, form)


def _answer(changed: Changed, form: Mapping[str, Any]) -> Answer:
    return Answer(form, version=changed.version, messages=messages_of(changed.notes))
