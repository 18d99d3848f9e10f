"""`/hoplon/v1/zones`: a zone as Hoplon sees it, with its hosts and upstreams. Members are those of `ZoneSummary`."""

from typing_extensions import TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.request import ApiRequest
from hoplon.service.zones import ZoneSummary
from hoplon.service.zones import list_zones as all_zones


class OwnZoneForm(TypedDict):
    """What a zone takes, where it sends it, how much is saved, and which policy version says so."""

    id: str
    account_id: str
    name: str
    hosts: list[str]
    upstreams: list[str]
    operations: int
    fallthrough: str
    version: int
    created_at: str
    changed_at: str


@described("The zones that the token may read, in the order of their creation.", result=list[OwnZoneForm])
def list_zones(request: ApiRequest) -> Answer:
    reached = request.caller.zone_ids
    return answer([_form(zone) for zone in all_zones(request.workspace) if reached is None or zone.id in reached])


def _form(zone: ZoneSummary) -> OwnZoneForm:
    return {
        "id": zone.id,
        "account_id": zone.account_id,
        "name": zone.name,
        "hosts": list(zone.hosts),
        "upstreams": list(zone.upstreams),
        "operations": zone.operations,
        "fallthrough": zone.fallthrough,
        "version": zone.version,
        "created_at": moment(zone.created_at),
        "changed_at": moment(zone.changed_at),
    }
