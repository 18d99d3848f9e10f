"""`/hoplon/v1/records`: traffic records, asked with one SELECT, or one request by its id. Bounded in rows and time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Strict
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.service.isolated_query import query_apart
from hoplon.service.records import parse_selection, show_record
from hoplon.service.zones import get_zone
from hoplon.storage.records.query import QueryLimits

MAX_ROWS = 10_000
MAX_ANSWER_BYTES = 64 * 1024**2
QUERIES_AT_ONCE = 2
_LIMITS = QueryLimits(seconds=10.0, memory_bytes=256 * 1024**2)
_turns = threading.BoundedSemaphore(QUERIES_AT_ONCE)


class RowsForm(TypedDict):
    """The rows of a query. `is_complete`: there were no more than asked for; `skipped`: files that cannot be read."""

    columns: list[str]
    rows: list[dict[str, Any]]
    is_complete: bool
    skipped: list[str]


class RecordForm(TypedDict):
    """Everything that is stored of one request."""

    record: dict[str, Any]
    violations: list[dict[str, Any]]
    observations: list[dict[str, Any]]


class QueryBody(Strict):
    """One SELECT over the tables `records`, `violations` and `observations`, in DuckDB's SQL."""

    sql: Annotated[str, Field(min_length=1, max_length=65536)]
    zone_id: Annotated[str, Field(max_length=32)] | None = None
    since: Annotated[str, Field(max_length=64)] | None = None
    until: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 1000


@described("Run one SELECT over traffic records.", body=QueryBody, result=RowsForm)
def query(request: ApiRequest) -> Answer:
    body: QueryBody = request.body
    zone = None if body.zone_id is None else get_zone(request.workspace, body.zone_id).name
    selection = parse_selection(request.workspace, zone, body.since, body.until)
    with query_turn():
        found = query_apart(request.workspace.state, body.sql, selection, _LIMITS, body.limit, MAX_ANSWER_BYTES)
    return answer(found)


@described("What is stored of the request with this id.", result=RecordForm)
def show(request: ApiRequest) -> Answer:
    with query_turn():
        found = show_record(request.workspace.state, request.ids["record_id"])
    form: RecordForm = {
        "record": found.record,
        "violations": list(found.violations),
        "observations": list(found.observations),
    }
    return answer(form)


@contextmanager
def query_turn() -> Iterator[None]:
    """Queries take memory: a third one at the same time is refused."""
    if not _turns.acquire(timeout=1.0):
        raise HoplonError("records.busy", f"{QUERIES_AT_ONCE} queries are under way", "try again in a few seconds")
    try:
        yield
    finally:
        _turns.release()
