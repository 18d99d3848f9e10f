"""`/hoplon/v1/zones/{zone_id}/identity/proposals`: session identifiers that traffic suggests."""

from datetime import UTC, datetime

from typing_extensions import TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.request import ApiRequest
from hoplon.identity.policy import IdentifierKind
from hoplon.service.identity_proposal import Proposal, propose_identifiers
from hoplon.service.zones import get_zone


class ProposalForm(TypedDict):
    """An identifier for a zone that has none; `share` of its `requests`, all successful, carried `Authorization`."""

    type: IdentifierKind
    name: str
    requests: int
    share: float


@described(
    "Session identifiers that the traffic of the last day suggests; none where there are some.",
    result=list[ProposalForm],
)
def list_proposals(request: ApiRequest) -> Answer:
    zone = get_zone(request.workspace, request.zone_id)
    found = propose_identifiers(request.workspace, datetime.now(UTC))
    return answer([_form(each) for each in found if each.zone_id == zone.id])


def _form(proposal: Proposal) -> ProposalForm:
    return {
        "type": proposal.identifier.kind,
        "name": proposal.identifier.name,
        "requests": proposal.requests,
        "share": proposal.share,
    }
