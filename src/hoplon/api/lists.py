"""`/accounts/{account_id}/rules/lists`: the lists of the account, without their items."""

from typing import Literal

from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.request import ApiRequest
from hoplon.model.lists import Kind, ValueList
from hoplon.service import lists as service


class ListBody(Lenient):
    """A list to make."""

    kind: Kind
    name: str
    description: str = ""


class ListTextBody(Lenient):
    """What can be changed of a list. Rules refer to it by its name, so that stays."""

    description: str | None = None


class ListForm(TypedDict):
    """A list as Cloudflare writes it; its filters are custom rules and limits."""

    id: str
    name: str
    kind: Literal["ip", "redirect", "hostname", "asn"]
    description: str
    num_items: int
    num_referencing_filters: int
    created_on: str
    modified_on: str


class RemovedForm(TypedDict):
    """The list that was deleted."""

    id: str


@described("Every list of the account.", result=list[ListForm])
def list_lists(request: ApiRequest) -> Answer:
    return answer([list_form(each) for each in service.all_lists(request.workspace)])


@described("Makes an empty list.", body=ListBody, result=ListForm)
def create_list(request: ApiRequest) -> Answer:
    body = request.body
    return answer(
        list_form(service.create_list(request.workspace, request.caller.actor, body.kind, body.name, body.description))
    )


@described("One list.", result=ListForm)
def get_list(request: ApiRequest) -> Answer:
    return answer(list_form(service.get_list(request.workspace, request.ids["list_id"])))


@described("Changes the description of a list.", body=ListTextBody, is_body_required=False, result=ListForm)
def update_list(request: ApiRequest) -> Answer:
    description = request.body.description if request.body else None
    changed = service.describe_list(request.workspace, request.caller.actor, request.ids["list_id"], description)
    return answer(list_form(changed))


@described("Deletes a list and its items.", result=RemovedForm)
def delete_list(request: ApiRequest) -> Answer:
    service.delete_list(request.workspace, request.caller.actor, request.ids["list_id"])
    return answer({"id": request.ids["list_id"]})


def list_form(found: ValueList) -> ListForm:
    """A list as Cloudflare writes it."""
    return {
        "id": found.id,
        "name": found.name,
        "kind": found.kind,
        "description": found.description,
        "num_items": found.item_count,
        "num_referencing_filters": found.reference_count,
        "created_on": moment(found.created_on),
        "modified_on": moment(found.modified_on),
    }
