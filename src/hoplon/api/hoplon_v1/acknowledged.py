"""What the gateway beside the API said to a change: one form for every resource that waits for it."""

from typing_extensions import TypedDict

from hoplon.service.gateway import Acknowledgement


class ProblemForm(TypedDict):
    """One reason why the gateway refuses a bundle."""

    path: str
    message: str


class AcknowledgementForm(TypedDict):
    """Whether it has taken the change, after how many seconds, and why not."""

    outcome: str
    seconds: float
    problems: list[ProblemForm]


def acknowledgement_form(given: Acknowledgement) -> AcknowledgementForm:
    problems: list[ProblemForm] = [{"path": each.path, "message": each.message} for each in given.problems]
    return {"outcome": given.outcome, "seconds": given.seconds, "problems": problems}
