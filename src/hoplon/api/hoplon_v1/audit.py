"""`/hoplon/v1/audit`: the audit log with everything that its hashes cover, and whether it is whole."""

import re
from typing import Any

from typing_extensions import TypedDict

from hoplon.api.audit_query import Moment
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.query import Choice, Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.model.audit import AuditFilter, AuditRecord
from hoplon.service import audit as service

_KNOWN = re.compile(r"(\d{1,15}):([0-9a-f]{64})")


class RecordForm(TypedDict):
    """One entry. `hash` covers all else, and through `previous_hash` every entry before."""

    sequence: int
    id: str
    time: str
    actor_kind: str
    actor_id: str
    actor_name: str
    address: str | None
    action: str
    resource_type: str
    resource_id: str
    zone_id: str | None
    request_id: str | None
    details: dict[str, Any]
    previous_hash: str
    hash: str


class FaultForm(TypedDict):
    """A place where the log is not what was appended; 0: the log as a whole."""

    sequence: int
    reason: str


class ReportForm(TypedDict):
    """How many entries there are, the hash of the newest, and what is wrong."""

    entries: int
    hash: str
    faults: list[FaultForm]


@described(
    "Entries of the audit log; `result_info.beyond` is where to go on, null at the end.",
    query=(
        Moment("since", "Only entries from then on."),
        Moment("before", "Only entries before then."),
        Choice("direction", "Of the time.", ("asc", "desc"), "desc"),
        Integer("limit", "At most so many.", 1, 1000, 100),
        Integer("beyond", "Go on behind the entry with this number.", 0, 10**15),
    ),
    result=list[RecordForm],
)
def list_records(request: ApiRequest) -> Answer:
    query = request.query
    wanted = AuditFilter(since=query["since"], before=query["before"], direction=query["direction"])
    found, beyond = service.audit_after(request.workspace, wanted, query["beyond"], query["limit"])
    return Answer([record_form(each) for each in found], result_info={"count": len(found), "beyond": beyond})


@described(
    "Check every hash of the log.",
    query=(Text("known", "An entry noted earlier, NUMBER:HASH: the log must still hold it."),),
    result=ReportForm,
)
def verify(request: ApiRequest) -> Answer:
    report = service.verify_audit(request.workspace, _known(request.query["known"]))
    faults: list[FaultForm] = [{"sequence": each.sequence, "reason": each.reason} for each in report.faults]
    return answer({"entries": report.entries, "hash": report.hash, "faults": faults})


def record_form(record: AuditRecord) -> RecordForm:
    """An entry with the members of `AuditRecord`."""
    return {
        "sequence": record.sequence,
        "id": record.id,
        "time": moment(record.time),
        "actor_kind": record.actor_kind,
        "actor_id": record.actor_id,
        "actor_name": record.actor_name,
        "address": record.address,
        "action": record.action,
        "resource_type": record.resource_type,
        "resource_id": record.resource_id,
        "zone_id": record.zone_id,
        "request_id": record.request_id,
        "details": dict(record.details),
        "previous_hash": record.previous_hash,
        "hash": record.hash,
    }


def _known(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    match = _KNOWN.fullmatch(text)
    if match is None:
        raise HoplonError("request.query", "`known` is a number, a colon and 64 hexadecimal digits")
    return int(match[1]), match[2]
