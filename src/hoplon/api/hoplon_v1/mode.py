"""`/hoplon/v1/mode`: the one switch over everything. Gateways elsewhere hear of it by their long poll."""

from typing import Any

from typing_extensions import TypedDict

from hoplon.api.bodies import Strict
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.hoplon_v1.acknowledged import AcknowledgementForm, acknowledgement_form
from hoplon.api.request import ApiRequest
from hoplon.model.mode import Mode
from hoplon.service.mode import current_mode, note_mode
from hoplon.service.mode import set_mode as switch


class ModeForm(TypedDict):
    """The mode that is set."""

    mode: str


class ModeSetForm(ModeForm):
    """The mode that is set now, and what the gateway of this state directory said to it."""

    gateway: AcknowledgementForm


class ModeBody(Strict):
    """The mode to set."""

    mode: Mode


@described("The mode.", result=ModeForm)
def get_mode(request: ApiRequest) -> Answer:
    return answer({"mode": current_mode(request.workspace.state)})


@described("Set the mode, and wait a moment until the gateway here acts in it.", body=ModeBody, result=ModeSetForm)
def set_mode(request: ApiRequest) -> Answer:
    body: Any = request.body
    acknowledgement = switch(request.workspace.state, body.mode)
    note_mode(request.workspace, request.caller.actor, body.mode)
    return answer({"mode": body.mode, "gateway": acknowledgement_form(acknowledgement)})
