"""`/zones/{zone_id}/api_gateway/labels`: a zone's labels, the managed ones, and the operations of one label."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_page, moment
from hoplon.api.query import DIRECTION, PAGING, Choice, Flag, Text
from hoplon.api.request import ApiRequest
from hoplon.model.labels import Label, Source
from hoplon.model.versioned import Versioned
from hoplon.service import attachments
from hoplon.service import labels as service

MAX_BULK = 1_000
"""Labels of one request."""
MAX_SELECTED = 10_000
"""Operations of one request."""

_ORDERS: dict[str, service.Order] = {
    "name": "name",
    "description": "description",
    "created_at": "created_at",
    "last_updated": "last_updated",
    "mapped_resources.operations": "operation_count",
}
WITH_COUNTS = Flag("with_mapped_resource_counts", "Add to each label how many operations carry it.", False)


class LabelBody(Lenient):
    """A label to make."""

    name: str
    description: str = ""
    metadata: Any = None


class LabelTextBody(Lenient):
    """What can be changed of a label. Its name is its identity."""

    description: str = ""
    metadata: Any = None


class Include(Lenient):
    """The operations that are meant."""

    operation_ids: Annotated[list[str], Field(max_length=MAX_SELECTED)]


class Selector(Lenient):
    """How operations are selected: by id, so far."""

    include: Include


class ResourcesBody(Lenient):
    """The operations that shall carry a label."""

    selector: Selector


class Mapped(TypedDict):
    """What carries a label."""

    operations: int


class LabelForm(TypedDict):
    """A label as Cloudflare writes it."""

    name: str
    source: Literal["user", "managed"]
    description: str
    metadata: Any
    created_at: str
    last_updated: str
    mapped_resources: NotRequired[Mapped]


@described(
    "The labels of a zone: its own and the managed ones.",
    query=(
        *PAGING,
        Text("filter", "Only labels with this text in their name or description, in any case."),
        Choice("source", "Only the zone's own labels, or only managed ones.", ("user", "managed")),
        Choice("order", "What to order by.", tuple(_ORDERS), "name"),
        DIRECTION,
        WITH_COUNTS,
    ),
    result=list[LabelForm],
    is_paged=True,
    is_versioned=True,
)
def list_labels(request: ApiRequest) -> Answer:
    query = request.query
    wanted = service.LabelFilter(
        text=query["filter"] or "",
        source=query["source"],
        order=_ORDERS[query["order"]],
        is_descending=query["direction"] == "desc",
    )
    found = service.list_labels(request.workspace, request.zone_id, wanted, query["page"], query["per_page"])
    form = counted_form if query["with_mapped_resource_counts"] else label_form
    return answer_page(found.value, form, version=found.version)


@described(
    "Makes labels, all or none.",
    body=Annotated[list[LabelBody], Field(max_length=MAX_BULK)],
    result=list[LabelForm],
    is_versioned=True,
)
def create_labels(request: ApiRequest) -> Answer:
    specs = [service.LabelSpec(each.name, each.description, each.metadata) for each in request.body]
    added = service.add_labels(request.workspace, request.caller.actor, request.zone_id, specs, request.if_match)
    return _answer_list(added)


@described(
    "Deletes labels by name, all or none, and detaches them everywhere. Without a body nothing is deleted.",
    body=Annotated[list[str], Field(max_length=MAX_BULK)],
    result=list[LabelForm],
    is_versioned=True,
)
def delete_labels(request: ApiRequest) -> Answer:
    removed = service.remove_labels(
        request.workspace, request.caller.actor, request.zone_id, request.body, request.if_match
    )
    return _answer_list(removed)


@described("One of the zone's own labels.", query=(WITH_COUNTS,), result=LabelForm, is_versioned=True)
def get_user_label(request: ApiRequest) -> Answer:
    return _get(request, "user")


@described("One managed label.", query=(WITH_COUNTS,), result=LabelForm, is_versioned=True)
def get_managed_label(request: ApiRequest) -> Answer:
    return _get(request, "managed")


@described(
    "Gives a label this description and metadata; what is left out becomes empty.",
    body=LabelTextBody,
    is_body_required=False,
    result=LabelForm,
    is_versioned=True,
)
def replace_label(request: ApiRequest) -> Answer:
    body = request.body or LabelTextBody()
    return _change(request, {"description": body.description, "metadata": body.metadata})


@described(
    "Changes the description or the metadata of a label; what is left out stays.",
    body=LabelTextBody,
    is_body_required=False,
    result=LabelForm,
    is_versioned=True,
)
def edit_label(request: ApiRequest) -> Answer:
    return _change(request, request.body.model_dump(exclude_unset=True) if request.body else {})


@described("Deletes a label and detaches it everywhere.", result=LabelForm, is_versioned=True)
def delete_label(request: ApiRequest) -> Answer:
    return _answer_one(
        service.remove_label(
            request.workspace, request.caller.actor, request.zone_id, request.ids["name"], request.if_match
        )
    )


@described(
    "Makes these the only operations that carry one of the zone's labels.",
    body=ResourcesBody,
    result=LabelForm,
    is_versioned=True,
)
def set_user_operations(request: ApiRequest) -> Answer:
    return _set_operations(request, "user")


@described(
    "Makes these the only operations that carry a managed label. Labels of a risk follow from traffic.",
    body=ResourcesBody,
    result=LabelForm,
    is_versioned=True,
)
def set_managed_operations(request: ApiRequest) -> Answer:
    return _set_operations(request, "managed")


def label_form(label: Label) -> LabelForm:
    """A label without the number of its operations."""
    return {
        "name": label.name,
        "source": label.source,
        "description": label.description,
        "metadata": label.metadata,
        "created_at": moment(label.created_at),
        "last_updated": moment(label.last_updated),
    }


def counted_form(label: Label) -> LabelForm:
    """A label with the number of its operations."""
    return {**label_form(label), "mapped_resources": {"operations": label.operation_count}}


def _get(request: ApiRequest, source: Source) -> Answer:
    found = service.get_label(request.workspace, request.zone_id, source, request.ids["name"])
    return _answer_one(found, is_counted=request.query["with_mapped_resource_counts"])


def _change(request: ApiRequest, new: dict[str, Any]) -> Answer:
    return _answer_one(
        service.change_label(
            request.workspace, request.caller.actor, request.zone_id, request.ids["name"], new, request.if_match
        )
    )


def _set_operations(request: ApiRequest, source: Source) -> Answer:
    label = attachments.NamedLabels(source, [request.ids["name"]], "")
    selection = attachments.Selection(request.body.selector.include.operation_ids, "selector.include.operation_ids")
    changed = attachments.set_operations(
        request.workspace, request.caller.actor, request.zone_id, label, selection, request.if_match
    )
    return _answer_one(changed, is_counted=True)


def _answer_one(found: Versioned[Label], *, is_counted: bool = False) -> Answer:
    form = counted_form if is_counted else label_form
    return answer(form(found.value), version=found.version)


def _answer_list(found: Versioned[list[Label]]) -> Answer:
    return answer([label_form(label) for label in found.value], version=found.version)
