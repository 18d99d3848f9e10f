"""`/zones/{zone_id}/api_gateway/operations/…/labels`: which labels operations carry, one at a time or many at once."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.labels import LabelForm, Selector, label_form
from hoplon.api.operations import OperationForm, operation_form
from hoplon.api.request import ApiRequest
from hoplon.labels.names import MAX_PER_OPERATION
from hoplon.model.labels import LabelledOperation
from hoplon.model.versioned import Versioned
from hoplon.service.attachments import How, NamedLabels, Selection, label_operations

Names = Annotated[list[str], Field(max_length=MAX_PER_OPERATION)]


class LabelsBody(Lenient):
    """Labels by name; a source that is left out names none."""

    managed: Names = Field(default_factory=list)
    user: Names = Field(default_factory=list)


class SourceBody(Lenient):
    """Labels of one source."""

    labels: Names = Field(default_factory=list)


class BulkLabelsBody(Lenient):
    """Labels for many operations."""

    selector: Selector
    managed: SourceBody = SourceBody()
    user: SourceBody = SourceBody()


class BulkReplaceBody(BulkLabelsBody):
    """Labels for many operations, of both sources: leaving one out would take all of it away."""

    managed: SourceBody
    user: SourceBody


class LabelledForm(OperationForm):
    """An operation with its labels as Cloudflare writes it."""

    labels: list[LabelForm]


@described(
    "Attaches labels to an operation.", body=LabelsBody, is_body_required=False, result=LabelledForm, is_versioned=True
)
def attach_labels(request: ApiRequest) -> Answer:
    return _one(request, "attach")


@described(
    "Makes these the only labels of an operation; a source that is left out loses all.",
    body=LabelsBody,
    is_body_required=False,
    result=LabelledForm,
    is_versioned=True,
)
def replace_labels(request: ApiRequest) -> Answer:
    return _one(request, "replace")


@described(
    "Detaches the labels that the body names from an operation. Without a body nothing is detached.",
    body=LabelsBody,
    result=LabelledForm,
    is_versioned=True,
)
def detach_labels(request: ApiRequest) -> Answer:
    return _one(request, "detach")


@described("Attaches labels to many operations.", body=BulkLabelsBody, result=list[LabelledForm], is_versioned=True)
def attach_labels_to_many(request: ApiRequest) -> Answer:
    return _many(request, "attach")


@described(
    "Makes these the only labels of many operations.",
    body=BulkReplaceBody,
    result=list[LabelledForm],
    is_versioned=True,
)
def replace_labels_of_many(request: ApiRequest) -> Answer:
    return _many(request, "replace")


@described(
    "Detaches labels from many operations. Without a body nothing is detached.",
    body=BulkLabelsBody,
    result=list[LabelledForm],
    is_versioned=True,
)
def detach_labels_from_many(request: ApiRequest) -> Answer:
    return _many(request, "detach")


def labelled_form(labelled: LabelledOperation) -> LabelledForm:
    """An operation with its labels."""
    return {
        **operation_form(labelled.operation),
        "labels": [label_form(label) for label in labelled.labels],
    }


def _one(request: ApiRequest, how: How) -> Answer:
    body = request.body or LabelsBody()
    labels = [NamedLabels("managed", body.managed, "managed"), NamedLabels("user", body.user, "user")]
    done = _label(request, how, Selection([request.ids["operation_id"]]), labels)
    return answer(labelled_form(done.value[0]), version=done.version)


def _many(request: ApiRequest, how: How) -> Answer:
    body = request.body
    labels = [
        NamedLabels("managed", body.managed.labels, "managed.labels"),
        NamedLabels("user", body.user.labels, "user.labels"),
    ]
    selection = Selection(body.selector.include.operation_ids, "selector.include.operation_ids")
    done = _label(request, how, selection, labels)
    return answer([labelled_form(each) for each in done.value], version=done.version)


def _label(
    request: ApiRequest, how: How, selection: Selection, labels: Sequence[NamedLabels]
) -> Versioned[list[LabelledOperation]]:
    return label_operations(
        request.workspace, request.caller.actor, request.zone_id, how, selection, labels, request.if_match
    )
