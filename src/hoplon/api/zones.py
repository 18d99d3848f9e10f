"""`/zones`: what Cloudflare calls a zone, as far as a zone here is one. It has no plan, and no DNS."""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_page, moment
from hoplon.api.query import DIRECTION, PAGING, Choice, Several, Text
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.model.page import Page
from hoplon.service.zones import ZoneSummary
from hoplon.service.zones import list_zones as all_zones

Status = Literal["initializing", "pending", "active", "moved"]


class Named(TypedDict):
    """An account or owner, by id and name."""

    id: str
    name: str


class ZoneForm(TypedDict):
    """A zone as Cloudflare writes it; members that mean nothing here have the value that means so."""

    id: str
    account: Named
    activated_on: str | None
    created_on: str
    development_mode: int
    meta: Mapping[str, Any]
    modified_on: str
    name: str
    name_servers: list[str]
    owner: Mapping[str, str]
    paused: bool
    plan: Mapping[str, Any]
    status: Status
    type: Literal["full"]


@described(
    "The zones that the token may read.",
    query=(
        *PAGING,
        Text("name", "Only zones of this name."),
        Choice("status", "Only zones in this state.", ("initializing", "pending", "active", "moved")),
        Text("account.id", "Only zones of this account."),
        Text("account.name", "Only zones of this account."),
        Choice("order", "What to sort by.", ("name", "status", "account.id", "account.name", "plan.id"), "name"),
        DIRECTION,
        Choice("match", "Whether all conditions must hold, or any.", ("any", "all"), "all"),
        Several(
            "type", "Only zones of these types; every zone is `full`.", ("full", "partial", "secondary", "internal")
        ),
    ),
    result=list[ZoneForm],
    is_paged=True,
)
def list_zones(request: ApiRequest) -> Answer:
    reached = request.caller.zone_ids
    zones = [zone for zone in all_zones(request.workspace) if reached is None or zone.id in reached]
    found = [zone for zone in zones if request.query["name"] in (None, zone.name)]
    found.sort(key=lambda zone: zone.name, reverse=request.query["direction"] == "desc")
    return answer_page(_page(found, request), zone_form)


@described("One zone.", result=ZoneForm, is_versioned=True)
def get_zone(request: ApiRequest) -> Answer:
    for zone in all_zones(request.workspace):
        if zone.id == request.zone_id:
            return answer(zone_form(zone), version=zone.version)
    raise HoplonError("zone.unknown", "there is no such zone")


def zone_form(zone: ZoneSummary) -> ZoneForm:
    changed = moment(zone.changed_at)
    return {
        "id": zone.id,
        "account": {"id": "", "name": ""},
        "activated_on": changed if zone.upstreams else None,
        "created_on": changed,
        "development_mode": 0,
        "meta": {},
        "modified_on": changed,
        "name": zone.name,
        "name_servers": [],
        "owner": {},
        "paused": False,
        "plan": {"id": "", "name": "Hoplon"},
        "status": "active" if zone.upstreams else "pending",
        "type": "full",
    }


def _page(zones: list[ZoneSummary], request: ApiRequest) -> Page[ZoneSummary]:
    page, per_page = request.query["page"], request.query["per_page"]
    return Page(zones[(page - 1) * per_page : page * per_page], page, per_page, len(zones))
