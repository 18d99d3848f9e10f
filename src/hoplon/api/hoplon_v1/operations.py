"""`/hoplon/v1/zones/{zone_id}/operations.csv`: the saved operations as one file."""

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer_content
from hoplon.api.query import Several
from hoplon.api.request import ApiRequest
from hoplon.service.operations import export_csv

CSV = "text/csv"


@described(
    "The saved operations as CSV.",
    query=(Several("host", "Only operations of these hosts."),),
    has_envelope=False,
    content_types=(CSV,),
)
def download(request: ApiRequest) -> Answer:
    hosts = tuple(host.lower() for host in request.query["host"])
    return answer_content(export_csv(request.workspace, request.zone_id, hosts).encode(), CSV)
