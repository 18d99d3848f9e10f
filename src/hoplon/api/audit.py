"""`/accounts/{account_id}/logs/audit`: the audit log in Cloudflare's second form, with a cursor."""

from dataclasses import replace
from typing import Any, NotRequired

from typing_extensions import TypedDict

from hoplon.api.audit_query import (
    ACTION_TYPES,
    ACTOR_TYPES,
    CONTEXTS,
    PRODUCT,
    Moment,
    conditions_of,
    filter_parameters,
    known_category,
    read_cursor,
    write_cursor,
)
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.query import Choice, Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.model.audit import AuditFilter, AuditRecord
from hoplon.model.zone import Account
from hoplon.service import audit as service
from hoplon.service.accounts import the_account

_RANGE = (
    Moment("since", "Only entries from then on.", is_required=True),
    Moment("before", "Only entries before then.", is_required=True),
    Choice("direction", "Of the time.", ("asc", "desc"), "desc"),
    Integer("limit", "At most so many entries.", 1, 1000, 100),
    Text("cursor", "Go on behind the answer whose `result_info` had it."),
)


class AuditForm(TypedDict):
    """One entry as Cloudflare writes it."""

    id: str
    account: dict[str, str]
    action: dict[str, str]
    actor: dict[str, str]
    raw: dict[str, str]
    resource: dict[str, Any]
    zone: NotRequired[dict[str, str]]


class ProductForm(TypedDict):
    """What a category holds."""

    label: str
    value: str


class CategoryForm(TypedDict):
    """A category of products; here is one."""

    label: str
    value: str
    products: list[ProductForm]


@described("The audit log.", query=(*_RANGE, *filter_parameters()), result=list[AuditForm])
def list_audit(request: ApiRequest) -> Answer:
    known_category((*request.query["product_category"], *request.query["product_category.not"]))
    account, zones = the_account(request.workspace), service.zone_names(request.workspace)
    found = conditions_of(request.query, account.name, zones)
    if found.is_empty:
        return _answer([], None)
    wanted = replace(_in_range(request), including=found.including, excluding=found.excluding, has_zone=found.has_zone)
    return _page(request, wanted, account, zones)


@described("Everything that was done to the resource of one entry.", query=_RANGE, result=list[AuditForm])
def list_history(request: ApiRequest) -> Answer:
    by_id = AuditFilter(including=(("id", (request.ids["audit_id"],)),))
    source = service.list_audit(request.workspace, by_id, per_page=1).items
    if not source:
        return _answer([], None)
    including = (("resource_type", (source[0].resource_type,)), ("resource_id", (source[0].resource_id,)))
    wanted = replace(_in_range(request), including=including)
    return _page(request, wanted, the_account(request.workspace), service.zone_names(request.workspace))


@described("The categories that `product_category` takes.", result=list[CategoryForm])
def list_product_categories(request: ApiRequest) -> Answer:
    only: CategoryForm = {"label": "Hoplon", "value": PRODUCT, "products": [{"label": "Hoplon", "value": PRODUCT}]}
    return answer([only])


def audit_form(record: AuditRecord, account: Account, zones: dict[str, str]) -> AuditForm:
    """An entry in Cloudflare's second form. `zones` are names by id; one that is gone has none any more."""
    actor = {"id": record.actor_id, "email": record.actor_name, "type": ACTOR_TYPES[record.actor_kind]}
    if record.address is not None:
        actor["ip_address"] = record.address
    if record.actor_kind in CONTEXTS:
        actor["context"] = CONTEXTS[record.actor_kind]
    if record.actor_kind == "token":
        actor |= {"token_id": record.actor_id, "token_name": record.actor_name}
    form: AuditForm = {
        "id": record.id,
        "account": {"id": account.id, "name": account.name},
        "action": {
            "type": ACTION_TYPES.get(record.action, "update"),
            "result": "success",
            "time": moment(record.time),
            "description": f"{record.action} {record.resource_type}",
        },
        "actor": actor,
        "raw": {} if record.request_id is None else {"cf_ray_id": record.request_id},
        "resource": {
            "id": record.resource_id,
            "type": record.resource_type,
            "product": PRODUCT,
            "scope": "accounts" if record.zone_id is None else "zones",
            "request": {**record.details},
        },
    }
    if record.zone_id is not None:
        form["zone"] = {"id": record.zone_id, "name": zones.get(record.zone_id, "")}
    return form


def _in_range(request: ApiRequest) -> AuditFilter:
    query = request.query
    return AuditFilter(since=query["since"], before=query["before"], direction=query["direction"])


def _page(request: ApiRequest, wanted: AuditFilter, account: Account, zones: dict[str, str]) -> Answer:
    beyond, is_ours = read_cursor(request.query["cursor"])
    if not is_ours:
        return _answer([], None)
    found, following = service.audit_after(request.workspace, wanted, beyond, request.query["limit"])
    return _answer([audit_form(record, account, zones) for record in found], following)


def _answer(forms: list[AuditForm], following: int | None) -> Answer:
    """`cursors.after` is where the SDKs look, `cursor` what the documentation names; empty at the end."""
    after = write_cursor(following)
    return Answer(forms, result_info={"count": len(forms), "cursor": after, "cursors": {"after": after}})
