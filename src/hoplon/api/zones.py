"""`/zones`: what Cloudflare calls a zone, as far as a zone here is one. It has no plan, and no DNS.

Where its traffic goes is Hoplon's own: `/hoplon/v1/zones/{zone_id}/upstreams`. Until that is set a zone is `pending`.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_page, moment
from hoplon.api.query import DIRECTION, PAGING, Choice, Parameter, Several, Text
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.model.page import Page
from hoplon.model.zone import Account
from hoplon.service import zones
from hoplon.service.accounts import the_account
from hoplon.service.zones import ZoneSummary

Status = Literal["initializing", "pending", "active", "moved"]
Type = Literal["full", "partial", "secondary", "internal"]

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_PATTERN = f"^{_LABEL}(?:\\.{_LABEL})*$"
"""What the service takes as a zone's name, for the document only: it says better what is wrong than a pattern can."""

STATUSES = ("initializing", "pending", "active", "moved")
TYPES = ("full", "partial", "secondary", "internal")


class Named(TypedDict):
    """An account, by id and name."""

    id: str
    name: str


class Meta(TypedDict):
    """Nothing is known of a zone that Cloudflare would put here."""


class Owner(TypedDict):
    """Who owns a zone: the account."""

    id: str
    name: str
    type: str


class Plan(TypedDict):
    """There is one plan, and it costs nothing."""

    id: str
    name: str
    price: float


class ZoneForm(TypedDict):
    """A zone as Cloudflare writes it; members that mean nothing here have the value that means so."""

    id: str
    account: Named
    activated_on: str | None
    created_on: str
    development_mode: int
    meta: Meta
    modified_on: str
    name: str
    name_servers: list[str]
    original_name_servers: list[str]
    owner: Owner
    paused: bool
    permissions: list[str]
    plan: Plan
    status: Status
    type: Literal["full"]


class DeletedForm(TypedDict):
    """What was deleted."""

    id: str


class AccountId(Lenient):
    """The account that a zone shall belong to; without an id, the one there is."""

    id: str | None = None


class CreateBody(Lenient):
    """A zone to create: the host that it is named after. Its upstreams are set afterwards."""

    name: Annotated[
        str, Field(min_length=1, max_length=253, json_schema_extra={"pattern": HOST_PATTERN, "example": "shop.example"})
    ]
    account: AccountId = AccountId()
    type: Type = "full"


class EditBody(Lenient):
    """What may be asked of a zone: of these, only what it already is can be granted."""

    paused: bool | None = None
    type: Type | None = None
    vanity_name_servers: list[str] | None = None


_FILTERS: Sequence[Parameter] = (
    Text("name", "Only zones of this name; before it may stand an operator: `contains:shop`."),
    Choice("status", "Only zones in this state.", STATUSES),
    Text("account.id", "Only zones of this account."),
    Text("account.name", "Only zones of this account; operators as for `name`."),
    Several("type", "Only zones of these types; every zone is `full`.", TYPES),
)
_ORDERS = ("name", "status", "account.id", "account.name", "plan.id")


@described(
    "The zones that the token may read.",
    query=(
        *PAGING,
        *_FILTERS,
        Choice("order", "What to sort by.", _ORDERS, "name"),
        DIRECTION,
        Choice("match", "Whether all conditions must hold, or any.", ("any", "all"), "all"),
    ),
    result=list[ZoneForm],
    is_paged=True,
)
def list_zones(request: ApiRequest) -> Answer:
    reached, account = request.caller.zone_ids, the_account(request.workspace)
    seen = [zone for zone in zones.list_zones(request.workspace) if reached is None or zone.id in reached]
    found = [zone for zone in seen if _is_wanted(zone, account, request)]
    found.sort(key=_order(request.query["order"]), reverse=request.query["direction"] == "desc")
    page, per_page = request.query["page"], request.query["per_page"]
    part = Page(found[(page - 1) * per_page : page * per_page], page, per_page, len(found))
    return answer_page(part, lambda zone: zone_form(zone, account))


@described("Create a zone for a host and the names right below it.", body=CreateBody, result=ZoneForm)
def create_zone(request: ApiRequest) -> Answer:
    body: CreateBody = request.body
    account = the_account(request.workspace)
    if body.account.id not in (None, account.id):
        raise HoplonError("account.unknown", "there is no such account", f"this installation's is {account.id}")
    if body.type != "full":
        raise HoplonError("zone.unsupported", "a zone here is of type full: there is no DNS to share")
    zone = zones.create_zone(request.workspace, request.caller.actor, body.name)
    return answer(zone_form(zone, account), version=zone.version)


@described("One zone.", result=ZoneForm, is_versioned=True)
def get_zone(request: ApiRequest) -> Answer:
    zone = zones.get_zone(request.workspace, request.zone_id)
    return answer(zone_form(zone, the_account(request.workspace)), version=zone.version)


@described("Ask something of a zone; what Hoplon does not have is refused.", body=EditBody, result=ZoneForm)
def edit_zone(request: ApiRequest) -> Answer:
    body: EditBody = request.body
    if body.paused:
        hint = "`PUT /hoplon/v1/mode` switches to log or off, for all zones"
        raise HoplonError("zone.unsupported", "a zone cannot be paused", hint)
    if body.type not in (None, "full"):
        raise HoplonError("zone.unsupported", "a zone here is of type full: there is no DNS to share")
    if body.vanity_name_servers:
        raise HoplonError("zone.unsupported", "a zone here has no name servers")
    return get_zone(request)


@described("Delete a zone with its policy; its history and its audit entries stay.", result=DeletedForm)
def delete_zone(request: ApiRequest) -> Answer:
    zones.delete_zone(request.workspace, request.caller.actor, request.zone_id, request.if_match)
    deleted: DeletedForm = {"id": request.zone_id}
    return answer(deleted)


def zone_form(zone: ZoneSummary, account: Account) -> ZoneForm:
    return {
        "id": zone.id,
        "account": {"id": account.id, "name": account.name},
        "activated_on": moment(zone.created_at) if zone.is_active else None,
        "created_on": moment(zone.created_at),
        "development_mode": 0,
        "meta": {},
        "modified_on": moment(zone.changed_at),
        "name": zone.name,
        "name_servers": [],
        "original_name_servers": [],
        "owner": {"id": account.id, "name": account.name, "type": "organization"},
        "paused": False,
        "permissions": [],
        "plan": {"id": "hoplon", "name": "Hoplon", "price": 0},
        "status": zone_status(zone),
        "type": "full",
    }


def zone_status(zone: ZoneSummary) -> Status:
    return "active" if zone.is_active else "pending"


def _is_wanted(zone: ZoneSummary, account: Account, request: ApiRequest) -> bool:
    query = request.query
    conditions = [
        condition
        for asked, condition in (
            (query["name"], lambda: matches_text(zone.name, query["name"])),
            (query["status"], lambda: zone_status(zone) == query["status"]),
            (query["account.id"], lambda: query["account.id"] == account.id),
            (query["account.name"], lambda: matches_text(account.name, query["account.name"])),
            (query["type"], lambda: "full" in query["type"]),
        )
        if asked
    ]
    combine = any if query["match"] == "any" and conditions else all
    return combine(condition() for condition in conditions)


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "equal": lambda text, asked: text.lower() == asked.lower(),
    "not_equal": lambda text, asked: text.lower() != asked.lower(),
    "starts_with": lambda text, asked: text.lower().startswith(asked.lower()),
    "ends_with": lambda text, asked: text.lower().endswith(asked.lower()),
    "contains": lambda text, asked: asked.lower() in text.lower(),
    "starts_with_case_sensitive": str.startswith,
    "ends_with_case_sensitive": str.endswith,
    "contains_case_sensitive": str.__contains__,
}


def matches_text(text: str, asked: str) -> bool:
    """Whether a text is what a filter such as `contains:shop` asks for; without an operator, the same."""
    operator, colon, operand = asked.partition(":")
    if colon and operator in _OPERATORS:
        return _OPERATORS[operator](text, operand)
    return _OPERATORS["equal"](text, asked)


def _order(by: str) -> Callable[[ZoneSummary], tuple[str, str]]:
    """There is one account and one plan: sorting by those is sorting by name."""
    return lambda zone: (zone_status(zone) if by == "status" else "", zone.name)
