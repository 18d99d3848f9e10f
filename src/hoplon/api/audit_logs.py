"""`/accounts/{account_id}/audit_logs` and `/user/audit_logs`: the audit log in Cloudflare's first form, in pages.

An actor here has a name and no e-mail address: `email` is that name. `export=true` does not change the form, since the
SDKs read the envelope; `hoplon audit export` gives everything that the hashes cover.
"""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from hoplon.api.audit_query import Moment, NetworkText
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer_page, moment
from hoplon.api.query import PAGE, Choice, Flag, Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.model.audit import AuditFilter, AuditRecord
from hoplon.service import audit as service


class ActionForm(TypedDict):
    """What was done; only what succeeded is in the log."""

    result: Literal[True]
    type: str


class ActorForm(TypedDict):
    """Who did it."""

    id: str
    email: str
    type: Literal["user", "Cloudflare"]
    ip: NotRequired[str]


class ResourceForm(TypedDict):
    """To what it was done."""

    id: str
    type: str


class AuditLogForm(TypedDict):
    """One entry as Cloudflare writes it; `metadata` has the details and the hash."""

    id: str
    action: ActionForm
    actor: ActorForm
    interface: Literal["API", "CLI", "Hoplon"]
    metadata: dict[str, Any]
    newValue: str
    oldValue: str
    owner: dict[str, str]
    resource: ResourceForm
    when: str


_INTERFACES: dict[str, Literal["API", "CLI", "Hoplon"]] = {"token": "API", "user": "CLI", "system": "Hoplon"}


@described(
    "The audit log.",
    query=(
        Text("id", "Only the entry with this id."),
        Text("action.type", "Only what was done so."),
        Text("actor.email", "Only what this actor did, by name."),
        NetworkText("actor.ip", "Only what came from this address or network."),
        Text("zone.name", "Only what was done to this zone."),
        Moment("since", "Only entries from then on."),
        Moment("before", "Only entries before then."),
        Choice("direction", "Of the time.", ("asc", "desc"), "desc"),
        Flag("export", "Taken and ignored."),
        Flag("hide_user_logs", "Without what was done at the command line.", default=False),
        PAGE,
        Integer("per_page", "How many items a page has.", 1, 1000, 100),
    ),
    result=list[AuditLogForm],
    is_paged=True,
)
def list_audit_logs(request: ApiRequest) -> Answer:
    query, zones = request.query, service.zone_names(request.workspace)
    columns = {"id": query["id"], "action": query["action.type"], "actor_name": query["actor.email"]}
    including: list[tuple[str, tuple[str, ...]]] = [
        (column, (value,)) for column, value in columns.items() if value is not None
    ]
    if query["zone.name"] is not None:
        including.append(("zone_id", tuple(zone for zone, name in zones.items() if name == query["zone.name"])))
    wanted = AuditFilter(
        since=query["since"],
        before=query["before"],
        including=including,
        excluding=(("actor_kind", ("user",)),) if query["hide_user_logs"] else (),
        network=query["actor.ip"],
        direction=query["direction"],
    )
    found = service.list_audit(request.workspace, wanted, query["page"], query["per_page"])
    return answer_page(found, lambda record: audit_log_form(record, zones))


def audit_log_form(record: AuditRecord, zones: dict[str, str]) -> AuditLogForm:
    """An entry in Cloudflare's first form. `zones` are names by id."""
    actor: ActorForm = {
        "id": record.actor_id,
        "email": record.actor_name,
        "type": "Cloudflare" if record.actor_kind == "system" else "user",
    }
    if record.address is not None:
        actor["ip"] = record.address
    metadata = {**record.details, "hash": record.hash, "sequence": record.sequence}
    if record.zone_id is not None:
        metadata |= {"zone_id": record.zone_id, "zone_name": zones.get(record.zone_id)}
    return {
        "id": record.id,
        "action": {"result": True, "type": record.action},
        "actor": actor,
        "interface": _INTERFACES[record.actor_kind],
        "metadata": metadata,
        "newValue": "",
        "oldValue": "",
        "owner": {},
        "resource": {"id": record.resource_id, "type": record.resource_type},
        "when": moment(record.time),
    }
