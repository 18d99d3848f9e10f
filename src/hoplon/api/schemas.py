"""`/zones/{zone_id}/api_gateway/schemas`: the saved operations as OpenAPI documents, one for each host."""

from datetime import UTC, datetime
from typing import Any

from typing_extensions import TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, moment
from hoplon.api.operations import FEATURE
from hoplon.api.query import Several
from hoplon.api.request import ApiRequest
from hoplon.service.operations import export_openapi


class SchemasForm(TypedDict):
    """The documents, and when they were made."""

    schemas: list[dict[str, Any]]
    timestamp: str


@described(
    "The saved operations as OpenAPI 3.0 documents, one for each host.",
    query=(
        Several("host", "Only documents of these hosts."),
        FEATURE,
        Several("include_schema_kind", "Kinds of schemas to add, as far as there are some.", ("learned",)),
    ),
    result=SchemasForm,
)
def export_schemas(request: ApiRequest) -> Answer:
    hosts = tuple(host.lower() for host in request.query["host"])
    documents = export_openapi(request.workspace, request.zone_id, hosts)
    form: SchemasForm = {"schemas": documents, "timestamp": moment(datetime.now(UTC))}
    return answer(form)
