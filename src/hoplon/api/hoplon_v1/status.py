"""`/hoplon/v1/status`: the installation at a glance, and which bundles its policy versions led to."""

from typing_extensions import TypedDict

from hoplon._native import version as engine_version
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_page, moment
from hoplon.api.query import PAGING
from hoplon.api.request import ApiRequest
from hoplon.model.versions import PolicyVersion
from hoplon.service.mode import current_mode
from hoplon.service.policy import bundle_history
from hoplon.service.status import PartStatus, installation_status


class PartForm(TypedDict):
    """One part of the installation; `pid` is null when it does not run here."""

    name: str
    pid: int | None


class StatusForm(TypedDict):
    """The installation. `bundle` is in place; `serving` is what the gateway here says it serves; `error` is why the
    committed policy is not in place, null when it is."""

    version: str
    mode: str
    zones: int
    bundle: str | None
    serving: str | None
    error: str | None
    parts: list[PartForm]


class BundleForm(TypedDict):
    """One policy version and the bundle that it led to; null while it is not in place."""

    bundle: str | None
    zone_id: str
    zone_name: str
    version: int
    committed_at: str
    author: str


@described("The installation at a glance.", result=StatusForm)
def get_status(request: ApiRequest) -> Answer:
    status = installation_status(request.workspace)
    form: StatusForm = {
        "version": engine_version(),
        "mode": current_mode(request.workspace.state),
        "zones": status.zones,
        "bundle": status.bundle,
        "serving": status.serving,
        "error": status.error,
        "parts": [_part(each) for each in status.parts],
    }
    return answer(form)


@described(
    "Policy versions of all zones with their bundles, newest first.",
    query=PAGING,
    result=list[BundleForm],
    is_paged=True,
)
def list_bundles(request: ApiRequest) -> Answer:
    return answer_page(bundle_history(request.workspace, request.query["page"], request.query["per_page"]), _bundle)


def _part(part: PartStatus) -> PartForm:
    return {"name": part.name, "pid": part.pid}


def _bundle(version: PolicyVersion) -> BundleForm:
    return {
        "bundle": version.bundle,
        "zone_id": version.zone_id,
        "zone_name": version.zone_name,
        "version": version.version,
        "committed_at": moment(version.committed_at),
        "author": version.author,
    }
