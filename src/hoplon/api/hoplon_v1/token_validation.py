"""`/hoplon/v1/zones/{zone_id}/token_validation`: what Cloudflare has no word for. Keys by URL and how fetching them
goes, issuers and other demands, and authorization on claims."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Strict
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.request import ApiRequest
from hoplon.api.token_validation import Keys, messages_of
from hoplon.model.key_sets import KeySet
from hoplon.model.versioned import Versioned
from hoplon.service import token_validation as service
from hoplon.service.token_authorization import get_authorization as read_authorization
from hoplon.service.token_authorization import set_authorization as write_authorization
from hoplon.service.token_validation import Changed, ShownConfiguration
from hoplon.tokens.model import MAX_AUTHORIZATION, Action, Authorization

Texts = Annotated[list[str], Field(max_length=50)]


class ConfigurationEditBody(Strict):
    """What changes of a token configuration; null for `max_age_seconds` takes the bound away."""

    title: str | None = None
    description: str | None = None
    token_sources: list[str] | None = None
    jwks_url: str | None = None
    issuers: Texts | None = None
    audiences: Texts | None = None
    types: Texts | None = None
    required_claims: Texts | None = None
    max_age_seconds: int | None = None
    clock_skew_seconds: int | None = None

    def members(self) -> dict[str, Any]:
        """What was sent, as members of a `TokenConfiguration`."""
        sent = self.model_dump(exclude_unset=True, exclude={"id", "keys"})
        given = {name: each for name, each in sent.items() if each is not None or name == "max_age_seconds"}
        return {name: tuple(each) if isinstance(each, list) else each for name, each in given.items()}


class ConfigurationBody(ConfigurationEditBody):
    """A token configuration to make: with `keys`, or with `jwks_url`."""

    id: str | None = None
    token_sources: list[str]
    keys: Keys = Field(default_factory=list)


class KeySetForm(TypedDict):
    """How fetching keys goes: when they last became others, were last given, were last asked for, are asked for next;
    `error` is why the last attempt failed."""

    has_keys: bool
    notes: list[str]
    changed_at: str | None
    fetched_at: str | None
    tried_at: str | None
    due_at: str
    failures: int
    error: str | None


class OwnConfigurationForm(TypedDict):
    """A token configuration with all that Hoplon knows; `keys` are those in use, without secrets."""

    id: str
    title: str
    description: str
    token_sources: list[str]
    jwks_url: str | None
    keys: list[dict[str, str]]
    key_set: KeySetForm | None
    issuers: list[str]
    audiences: list[str]
    types: list[str]
    required_claims: list[str]
    max_age_seconds: int | None
    clock_skew_seconds: int
    created_at: str
    last_updated: str


class AuthorizationBody(Strict):
    """Who may use one operation: those for whom the condition is true."""

    operation: str
    condition: str
    action: Literal["log", "block"] = "log"
    enabled: bool = True
    description: str = ""


class AuthorizationForm(TypedDict):
    """Who may use one operation; `id` is the rule in records and decisions."""

    id: str
    operation: str
    condition: str
    action: Action
    enabled: bool
    description: str


@described(
    "The token configurations, and how fetching their keys goes.", result=list[OwnConfigurationForm], is_versioned=True
)
def list_configurations(request: ApiRequest) -> Answer:
    found = service.list_configurations(request.workspace, request.zone_id)
    return answer([_form(shown) for shown in found.value], version=found.version)


@described("Makes a token configuration.", body=ConfigurationBody, result=OwnConfigurationForm, is_versioned=True)
def create_configuration(request: ApiRequest) -> Answer:
    body: ConfigurationBody = request.body
    wanted = body.members() | ({"id": body.id} if body.id is not None else {})
    return _answer(
        service.add_configuration(
            request.workspace, request.caller.actor, request.zone_id, wanted, body.keys, request.if_match
        )
    )


@described("Changes a token configuration.", body=ConfigurationEditBody, result=OwnConfigurationForm, is_versioned=True)
def edit_configuration(request: ApiRequest) -> Answer:
    identity, changes = request.ids["config_id"], request.body.members()
    return _answer(
        service.edit_configuration(
            request.workspace, request.caller.actor, request.zone_id, identity, changes, request.if_match
        )
    )


@described("Has the worker fetch the keys of a configuration now.", result=OwnConfigurationForm)
def refresh(request: ApiRequest) -> Answer:
    identity = request.ids["config_id"]
    return answer(_form(service.refresh_keys(request.workspace, request.caller.actor, request.zone_id, identity)))


@described("Who may use which operation.", result=list[AuthorizationForm], is_versioned=True)
def get_authorization(request: ApiRequest) -> Answer:
    return _authorization(read_authorization(request.workspace, request.zone_id))


@described(
    "Says who may use which operation, in place of what was said before.",
    body=Annotated[list[AuthorizationBody], Field(max_length=MAX_AUTHORIZATION)],
    result=list[AuthorizationForm],
    is_versioned=True,
)
def set_authorization(request: ApiRequest) -> Answer:
    wanted = [Authorization(**each.model_dump()) for each in request.body]
    saved = write_authorization(request.workspace, request.caller.actor, request.zone_id, wanted, request.if_match)
    return _authorization(saved)


def _authorization(found: Versioned[list[Authorization]]) -> Answer:
    forms: list[AuthorizationForm] = [
        {
            "id": each.id,
            "operation": each.operation,
            "condition": each.condition,
            "action": each.action,
            "enabled": each.enabled,
            "description": each.description,
        }
        for each in found.value
    ]
    return answer(forms, version=found.version)


def _answer(changed: Changed) -> Answer:
    return Answer(_form(changed.shown), version=changed.version, messages=messages_of(changed.notes))


def _form(shown: ShownConfiguration) -> OwnConfigurationForm:
    each = shown.configuration
    return {
        "id": each.id,
        "title": each.title,
        "description": each.description,
        "token_sources": list(each.token_sources),
        "jwks_url": each.jwks_url,
        "keys": shown.jwks,
        "key_set": _key_set(shown.key_set) if shown.key_set is not None else None,
        "issuers": list(each.issuers),
        "audiences": list(each.audiences),
        "types": list(each.types),
        "required_claims": list(each.required_claims),
        "max_age_seconds": each.max_age_seconds,
        "clock_skew_seconds": each.clock_skew_seconds,
        "created_at": moment(each.created_at),
        "last_updated": moment(each.last_updated),
    }


def _key_set(found: KeySet) -> KeySetForm:
    changed, fetched, tried = (
        moment(each) if each is not None else None for each in (found.changed_at, found.fetched_at, found.tried_at)
    )
    return {
        "has_keys": found.keys is not None,
        "notes": list(found.notes),
        "changed_at": changed,
        "fetched_at": fetched,
        "tried_at": tried,
        "due_at": moment(found.due_at),
        "failures": found.failures,
        "error": found.error,
    }
