"""What is answered without a token: readiness, metrics, our OpenAPI document, and what an error number means."""

from collections.abc import Callable, Mapping

from hoplon.api.envelope import JSON, Answer, answer_content, answer_plain
from hoplon.api.errors import ERRORS
from hoplon.api.metrics import MEDIA_TYPE, Metrics
from hoplon.errors import HoplonError
from hoplon.service.accounts import the_account
from hoplon.service.workspace import Workspace

Page = Callable[[Mapping[str, str]], Answer]
"""From the variables of the path to an answer."""


def public_pages(workspace: Workspace, metrics: Metrics, document: Callable[[], bytes]) -> dict[str, Page]:
    """Path template to page; all of them are for GET."""
    return {
        "/readyz": lambda _ids: ready(workspace),
        "/metrics": lambda _ids: answer_content(metrics.text().encode(), MEDIA_TYPE),
        "/openapi.json": lambda _ids: answer_content(document(), JSON),
        "/errors/{number}": lambda ids: explain(ids["number"]),
    }


def ready(workspace: Workspace) -> Answer:
    """200 while the database answers, else 503 with why. `policy` is why what is committed is not in place, else null:
    no reason to send callers elsewhere, since traffic goes on under the policy before."""
    try:
        the_account(workspace)
    except HoplonError as error:
        plain = answer_plain({"ready": False, "code": error.code, "message": error.message})
        return Answer(status=503, content=plain.content)
    failed = workspace.assembler.error
    return answer_plain({"ready": True, "policy": None if failed is None else failed.message})


def explain(number: str) -> Answer:
    """The stable codes behind a number of the envelope, with the HTTP status they come with."""
    codes = {code: form for code, form in ERRORS.items() if str(form.number) == number}
    if not codes:
        raise HoplonError("request.no_route", "No route for the URI")
    form = next(iter(codes.values()))
    return answer_plain({"number": form.number, "status": int(form.status), "codes": sorted(codes)})
