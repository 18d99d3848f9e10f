"""`/user/tokens` and `/accounts/{account_id}/tokens`: the same tokens, since one installation is one account."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, Message, answer, answer_page, moment
from hoplon.api.query import PAGE, Choice, Flag, Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.api.token_forms import SCOPES, TokenBody, TokenForm, spec_of_body, token_form
from hoplon.errors import HoplonError
from hoplon.model.api_token import ApiToken
from hoplon.model.permissions import GROUPS, PermissionGroup
from hoplon.service import tokens as service

_VERIFIED: Message = {"code": 10000, "message": "This API Token is valid and active"}
_CATEGORIES = {"zone": "dns_and_zones", "api_gateway": "app_security", "filter_lists": "rules_and_configuration"}


class VerifiedForm(TypedDict):
    """The caller's own token."""

    id: str
    status: Literal["active"]
    not_before: NotRequired[str]
    expires_on: NotRequired[str]


class RemovedForm(TypedDict):
    """The token that was deleted."""

    id: str


class PermissionGroupForm(TypedDict):
    """A permission group as Cloudflare writes it."""

    id: str
    name: str
    category: str
    is_selectable: bool
    scopes: list[str]


@described("Whether the token that asks is good.", result=VerifiedForm)
def verify_token(request: ApiRequest) -> Answer:
    token = _own(request)
    form: VerifiedForm = {"id": token.id, "status": "active"}
    if token.not_before is not None:
        form["not_before"] = moment(token.not_before)
    if token.expires_on is not None:
        form["expires_on"] = moment(token.expires_on)
    return Answer(form, messages=(_VERIFIED,))


@described(
    "The tokens, newest first.",
    query=(
        PAGE,
        Integer("per_page", "How many items a page has.", 5, 50, 20),
        Choice("direction", "Of the time of issue.", ("asc", "desc"), "desc"),
        Flag("include_expired", "Also those that have expired.", default=False),
    ),
    result=list[TokenForm],
    is_paged=True,
)
def list_tokens(request: ApiRequest) -> Answer:
    query = request.query
    found = service.list_tokens(
        request.workspace, query["page"], query["per_page"], query["direction"], bool(query["include_expired"])
    )
    return answer_page(found, token_form)


@described("Makes a token; its secret is in this answer only.", body=TokenBody, result=TokenForm)
def create_token(request: ApiRequest) -> Answer:
    token, secret = service.create_token(
        request.workspace, request.caller.actor, spec_of_body(request.body), _own(request)
    )
    return answer(token_form(token, secret))


@described("One token.", result=TokenForm)
def get_token(request: ApiRequest) -> Answer:
    return answer(token_form(service.get_token(request.workspace, request.ids["token_id"])))


@described("Replaces everything about a token but its secret.", body=TokenBody, result=TokenForm)
def replace_token(request: ApiRequest) -> Answer:
    spec = spec_of_body(request.body)
    token_id = request.ids["token_id"]
    return answer(
        token_form(service.change_token_to(request.workspace, request.caller.actor, token_id, spec, _own(request)))
    )


@described("Revokes a token, at once.", result=RemovedForm)
def delete_token(request: ApiRequest) -> Answer:
    token = service.revoke_token(request.workspace, request.caller.actor, request.ids["token_id"])
    return answer({"id": token.id})


@described("A new secret for a token; the old one stops working at once.", result=str)
def roll_token(request: ApiRequest) -> Answer:
    token_id = request.ids["token_id"]
    return answer(service.roll_token(request.workspace, request.caller.actor, token_id, _own(request)))


@described(
    "Every permission group.",
    query=(Text("name", "Only the group of this name."), Text("scope", "Only groups of this scope.")),
    result=list[PermissionGroupForm],
)
def list_permission_groups(request: ApiRequest) -> Answer:
    name, scope = request.query["name"], request.query["scope"]
    return answer(
        [
            _group_form(group)
            for group in GROUPS
            if (name is None or name.casefold() in (each.casefold() for each in (group.name, *group.aliases)))
            and scope in (None, SCOPES[group.scope])
        ]
    )


def _group_form(group: PermissionGroup) -> PermissionGroupForm:
    return {
        "id": group.id,
        "name": group.name,
        "category": _CATEGORIES.get(group.area, "other"),
        "is_selectable": True,
        "scopes": [SCOPES[group.scope]],
    }


def _own(request: ApiRequest) -> ApiToken:
    """The token that asks: the most that may be granted. Without one nothing may be."""
    if request.caller.token is None:
        raise HoplonError("auth.forbidden", "Authentication error", "tokens are made by who has a token")
    return request.caller.token
