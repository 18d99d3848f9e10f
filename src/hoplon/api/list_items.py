"""`/accounts/{account_id}/rules/lists/{list_id}/items`, and what became of each change of items."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.query import Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.model.lists import BulkOperation, StoredItem
from hoplon.service import lists as service

Items = Annotated[list[Any], Field(max_length=service.MAX_ITEMS)]
"""Read by the list's kind, which the body does not tell."""


class ItemId(Lenient):
    """An item by its id."""

    id: str


class RemoveBody(Lenient):
    """The items to remove; none removes nothing."""

    items: Annotated[list[ItemId], Field(max_length=service.MAX_ITEMS)] = Field(default_factory=list)


class ItemForm(TypedDict):
    """An item as Cloudflare writes it: its value is the member of the list's kind."""

    id: str
    ip: NotRequired[str]
    asn: NotRequired[int]
    hostname: NotRequired[dict[str, Any]]
    redirect: NotRequired[dict[str, Any]]
    comment: NotRequired[str]
    created_on: str
    modified_on: str


class StartedForm(TypedDict):
    """Where to ask what became of a change."""

    operation_id: str


class OperationForm(TypedDict):
    """What became of a change of items."""

    id: str
    status: Literal["pending", "running", "completed", "failed"]
    completed: NotRequired[str]
    error: NotRequired[str]


@described(
    "Items of a list in the order of their values. Where there are more, `result_info.cursors.after` says where.",
    query=(
        Text("cursor", "Where to go on: `after` of the page before."),
        Integer("per_page", "How many items a page has.", 1, 500, 100),
        Text(
            "search",
            "Only addresses that begin with it, host names and redirects that contain it, or the ASN that it is.",
            200,
        ),
    ),
    result=list[ItemForm],
)
def list_items(request: ApiRequest) -> Answer:
    query = request.query
    kind, items, after = service.search_items(
        request.workspace, request.ids["list_id"], query["search"], query["cursor"] or "", query["per_page"]
    )
    cursors = {"cursors": {"after": after}} if after is not None else {}
    return Answer([item_form(kind, item) for item in items], result_info=cursors)


@described("One item of a list.", result=ItemForm)
def get_item(request: ApiRequest) -> Answer:
    kind, item = service.get_item(request.workspace, request.ids["list_id"], request.ids["item_id"])
    return answer(item_form(kind, item))


@described("Adds items to a list; one that is there gets the new comment.", body=Items, result=StartedForm)
def append_items(request: ApiRequest) -> Answer:
    return _started(service.append_items(request.workspace, request.caller.actor, request.ids["list_id"], request.body))


@described("Makes these the only items of a list.", body=Items, result=StartedForm)
def replace_items(request: ApiRequest) -> Answer:
    return _started(
        service.replace_items(request.workspace, request.caller.actor, request.ids["list_id"], request.body)
    )


@described("Removes items from a list by their ids; none removes nothing.", body=RemoveBody, result=StartedForm)
def remove_items(request: ApiRequest) -> Answer:
    ids = [item.id for item in request.body.items]
    return _started(service.remove_items(request.workspace, request.caller.actor, request.ids["list_id"], ids))


@described("What became of a change of items.", result=OperationForm)
def get_bulk_operation(request: ApiRequest) -> Answer:
    operation = service.get_bulk_operation(request.workspace, request.ids["operation_id"])
    form: OperationForm = {
        "id": operation.id,
        "status": operation.status,
        "completed": moment(operation.completed),
    }
    return answer({**form, "error": operation.error} if operation.error is not None else form)


def item_form(kind: str, stored: StoredItem) -> dict[str, Any]:
    """An item as Cloudflare writes it."""
    form = {
        "id": stored.id,
        kind: stored.item.value,
        "created_on": moment(stored.created_on),
        "modified_on": moment(stored.modified_on),
    }
    return {**form, "comment": stored.item.comment} if stored.item.comment else form


def _started(operation: BulkOperation) -> Answer:
    return answer({"operation_id": operation.id})
