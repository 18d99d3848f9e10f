"""`/hoplon/v1/tokens`: tokens in the words of the command line, and of both kinds. Changing and revoking one is
Cloudflare's resource (`tokens`)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Strict
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.model.api_token import ApiToken, TokenPolicy
from hoplon.service import tokens as service
from hoplon.service.token_wishes import TokenWish, spec_of_wish

_ALL = 100_000
Words = Annotated[list[str], Field(max_length=service.MAX_MEMBERS)]


class ResourceForm(TypedDict):
    """What a policy is about: ids, `*`, or no zone for the account itself."""

    account: str
    zone: str | None
    is_user: bool


class TokenPolicyForm(TypedDict):
    """Allows or denies groups, by name, on resources."""

    id: str
    effect: Literal["allow", "deny"]
    resources: list[ResourceForm]
    groups: list[str]


class AddressConditionForm(TypedDict):
    """From where a token may be used, as networks."""

    allowed: list[str]
    denied: list[str]


class OwnTokenForm(TypedDict):
    """A token without its secret."""

    id: str
    name: str
    kind: Literal["api", "gateway"]
    status: Literal["active", "disabled"]
    policies: list[TokenPolicyForm]
    condition: AddressConditionForm
    not_before: str | None
    expires_on: str | None
    issued_on: str
    modified_on: str
    last_used_on: str | None


class MadeTokenForm(TypedDict):
    """A new token and its secret, which is in this answer only."""

    token: OwnTokenForm
    secret: str


class TokenWishBody(Strict):
    """What is wanted, in words: permission groups and zones by name (none: all), times as `90d` or RFC 3339, networks
    in CIDR form."""

    name: str
    permissions: Words = Field(default_factory=list)
    zones: Words = Field(default_factory=list)
    expires: str | None = None
    not_before: str | None = None
    allowed: Words = Field(default_factory=list)
    denied: Words = Field(default_factory=list)
    is_gateway: bool = False


@described("Every token of both kinds, oldest first. Never a secret.", result=list[OwnTokenForm])
def list_tokens(request: ApiRequest) -> Answer:
    found = service.list_tokens(request.workspace, per_page=_ALL, direction="asc")
    return answer([own_token_form(each) for each in found.items])


@described("Make a token, or a gateway's credential, from words.", body=TokenWishBody, result=MadeTokenForm)
def create_token(request: ApiRequest) -> Answer:
    holder = request.caller.token
    if holder is None:
        raise HoplonError("auth.forbidden", "Authentication error", "tokens are made by who has a token")
    body: TokenWishBody = request.body
    wish = TokenWish(
        name=body.name,
        permissions=tuple(body.permissions),
        zones=tuple(body.zones),
        expires=body.expires,
        not_before=body.not_before,
        allowed=tuple(body.allowed),
        denied=tuple(body.denied),
        is_gateway=body.is_gateway,
    )
    spec = spec_of_wish(request.workspace, wish, holder=holder)
    token, secret = service.create_token(request.workspace, request.caller.actor, spec, holder)
    return answer({"token": own_token_form(token), "secret": secret})


def own_token_form(token: ApiToken) -> OwnTokenForm:
    """A token with the members of `ApiToken`."""
    return {
        "id": token.id,
        "name": token.name,
        "kind": token.kind,
        "status": token.status,
        "policies": [_policy_form(policy) for policy in token.policies],
        "condition": {
            "allowed": [str(network) for network in token.condition.allowed],
            "denied": [str(network) for network in token.condition.denied],
        },
        "not_before": _moment(token.not_before),
        "expires_on": _moment(token.expires_on),
        "issued_on": moment(token.issued_on),
        "modified_on": moment(token.modified_on),
        "last_used_on": _moment(token.last_used_on),
    }


def _policy_form(policy: TokenPolicy) -> TokenPolicyForm:
    return {
        "id": policy.id,
        "effect": policy.effect,
        "resources": [
            {"account": each.account, "zone": each.zone, "is_user": each.is_user} for each in policy.resources
        ],
        "groups": [group.name for group in policy.groups],
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else moment(value)
