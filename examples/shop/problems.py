"""The error answers, as the description names them: one table of statuses, picked from by each router."""

from typing import Any

from pydantic import BaseModel

DESCRIPTIONS = {
    400: "wrong code",
    401: "no valid token",
    403: "not allowed to this caller",
    404: "no such thing",
    409: "not in this state",
}


class Problem(BaseModel):
    """What is wrong, in a few words."""

    detail: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a router or operation for these statuses."""
    return {status: {"model": Problem, "description": DESCRIPTIONS[status]} for status in statuses}
