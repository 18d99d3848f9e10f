"""What is answered without a token: readiness, metrics, our OpenAPI document, and what an error number means."""

from collections.abc import Callable, Mapping

from sqlalchemy import text

from hoplon.api.envelope import JSON, Answer, answer_content, answer_plain
from hoplon.api.errors import ERRORS
from hoplon.api.metrics import MEDIA_TYPE, Metrics
from hoplon.errors import HoplonError
from hoplon.service.workspace import Workspace
from hoplon.storage.database import reading

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
    """200 while the database answers, else 503 with why."""
    try:
        with reading(workspace.database) as connection:
            connection.execute(text("SELECT 1"))
    except HoplonError as error:
        plain = answer_plain({"ready": False, "code": error.code, "message": error.message})
        return Answer(status=503, content=plain.content)
    return answer_plain({"ready": True})


def explain(number: str) -> Answer:
    """The stable codes behind a number of the envelope, with the HTTP status they come with."""
    codes = {code: form for code, form in ERRORS.items() if str(form.number) == number}
    if not codes:
        raise HoplonError("request.no_route", "No route for the URI")
    form = next(iter(codes.values()))
    return answer_plain({"number": form.number, "status": int(form.status), "codes": sorted(codes)})
