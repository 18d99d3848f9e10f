"""`/zones/{zone_id}/api_gateway/operations`: saved operations. A path's variables are shown as `{var1}`, `{var2}` …,
whatever they were called; `*` as a host, any host of the zone, is Hoplon's own."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_nothing, answer_page, moment
from hoplon.api.query import DIRECTION, PAGING, Choice, Flag, Several, Text
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.model.operation import Operation, OperationFilter, OperationOrder
from hoplon.operations.policy import MAX_BULK
from hoplon.operations.specification import OperationSpec
from hoplon.service import operations as service

Method = Literal["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"]
"""Cloudflare's list without CONNECT, which no gateway of ours forwards."""

FEATURE = Several(
    "feature",
    "Features to add to each operation, as far as there is something to say.",
    ("thresholds", "parameter_schemas", "schema_info", "confidence_intervals"),
)
_THRESHOLDS = (
    "suggested_threshold",
    "period_seconds",
    "p50",
    "p90",
    "p99",
    "requests",
    "auth_id_tokens",
    "data_points",
    "last_updated",
    "$key",
)
_ORDERS: dict[str, OperationOrder] = {"method": "method", "host": "host", "endpoint": "endpoint"}


class OperationBody(Lenient):
    """An operation to save. Members that a listing shows beside these are ignored, so that one can be sent back."""

    method: Method
    host: Annotated[str, Field(max_length=255)]
    endpoint: Annotated[str, Field(max_length=4096, pattern="^/")]


class OperationIdBody(Lenient):
    """An operation by its id."""

    operation_id: Annotated[str, Field(max_length=36)]


class OperationForm(TypedDict):
    """A saved operation as Cloudflare writes it."""

    operation_id: str
    method: str
    host: str
    endpoint: str
    last_updated: str
    features: NotRequired[dict[str, Any]]
    schemas: NotRequired[dict[str, Any]]


@described(
    "The saved operations.",
    query=(
        *PAGING,
        Choice("order", "What to order by.", (*_ORDERS, *(f"thresholds.{key}" for key in _THRESHOLDS))),
        DIRECTION,
        Several("host", "Only operations of these hosts."),
        Several("method", "Only operations of these methods."),
        Text("endpoint", "Only operations whose path holds this text."),
        FEATURE,
    ),
    result=list[OperationForm],
    is_paged=True,
    is_versioned=True,
)
def list_operations(request: ApiRequest) -> Answer:
    query = request.query
    wanted = OperationFilter(
        hosts=tuple(host.lower() for host in query["host"]),
        methods=tuple(method.upper() for method in query["method"]),
        endpoint=query["endpoint"],
    )
    listing = service.list_operations(
        request.workspace,
        request.zone_id,
        wanted,
        page=query["page"],
        per_page=query["per_page"],
        order=_order(query["order"], query["feature"]),
        is_descending=query["direction"] == "desc",
    )
    has_features = bool(query["feature"])
    return answer_page(listing.page, lambda operation: operation_form(operation, has_features), version=listing.version)


@described(
    "Saves operations; those that are saved already are answered as they are, with a new `last_updated`.",
    body=Annotated[list[OperationBody], Field(max_length=MAX_BULK)],
    result=list[OperationForm],
    is_versioned=True,
)
def save_operations(request: ApiRequest) -> Answer:
    saved = _save(request, request.body, "[{}]")
    return answer([operation_form(each) for each in saved.operations], version=saved.version)


@described("Saves one operation.", body=OperationBody, result=OperationForm, is_versioned=True)
def save_operation(request: ApiRequest) -> Answer:
    saved = _save(request, [request.body], "")
    return answer(operation_form(saved.operations[0]), version=saved.version)


@described(
    "One saved operation.",
    query=(FEATURE, Flag("with_schemas", "Add the schemas of the operation, as far as there are some.")),
    result=OperationForm,
    is_versioned=True,
)
def get_operation(request: ApiRequest) -> Answer:
    found = service.get_operation(request.workspace, request.zone_id, request.ids["operation_id"])
    form = operation_form(found.operation, bool(request.query["feature"]))
    if request.query["with_schemas"]:
        form["schemas"] = {}
    return answer(form, version=found.version)


@described("Removes one operation: nothing matches it any more.", is_versioned=True)
def delete_operation(request: ApiRequest) -> Answer:
    return _remove(request, [request.ids["operation_id"]], "")


@described(
    "Removes the operations in the body. Without a body nothing is removed: it is an error.",
    body=Annotated[list[OperationIdBody], Field(max_length=MAX_BULK)],
    is_versioned=True,
)
def delete_operations(request: ApiRequest) -> Answer:
    return _remove(request, [each.operation_id for each in request.body], "[{}].operation_id")


def operation_form(operation: Operation, has_features: bool = False) -> OperationForm:
    """An operation as it goes out; `features` only when it was asked for, with what there is: so far nothing."""
    form: OperationForm = {
        "operation_id": operation.id,
        "method": operation.method,
        "host": operation.host,
        "endpoint": operation.template,
        "last_updated": moment(operation.last_updated),
    }
    if has_features:
        form["features"] = {}
    return form


def _save(request: ApiRequest, bodies: Sequence[OperationBody], path: str) -> service.Saved:
    specs = [OperationSpec(each.method, each.host, each.endpoint) for each in bodies]
    actor = request.caller.actor
    return service.add_operations(request.workspace, actor, request.zone_id, specs, request.if_match, path)


def _remove(request: ApiRequest, ids: Sequence[str], path: str) -> Answer:
    actor = request.caller.actor
    version = service.remove_operations(request.workspace, actor, request.zone_id, ids, request.if_match, path)
    return answer_nothing(version=version)


def _order(order: str | None, features: Sequence[str]) -> OperationOrder:
    """No operation has thresholds yet: asked to order by them, all are equal, and the order is the default one."""
    if order is not None and order not in _ORDERS and "thresholds" not in features:
        raise HoplonError("request.query", f"to order by `{order}`, ask for `feature=thresholds` too")
    return _ORDERS.get(order or "", "host")
