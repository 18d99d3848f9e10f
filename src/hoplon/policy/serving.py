"""The `[zone]` tables that say how a zone is served besides where its upstreams are: maintenance, balancing, retries.

The bounds are the engine's (crates/engine/src/bundle/serving.rs): what is accepted here is accepted there.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hoplon.policy.feature import Table

_MAX_MESSAGE_BYTES = 1000


def _one_line(text: str) -> str:
    if len(text.encode()) > _MAX_MESSAGE_BYTES or any(
        ord(character) < 32 or 127 <= ord(character) < 160 for character in text
    ):
        raise ValueError(f"should be one line of at most {_MAX_MESSAGE_BYTES} bytes")
    return text


class MaintenanceTable(Table):
    """Whether requests are answered 503 instead of being sent upstream."""

    enabled: bool = False
    retry_after_seconds: int = Field(default=60, ge=0, le=86400)
    message: Annotated[str, AfterValidator(_one_line)] = ""


class BalancingTable(Table):
    """How requests are spread over the upstreams."""

    method: Literal["least_requests", "round_robin"] = "least_requests"
    panic_percent: int = Field(default=50, ge=0, le=100)


class RetriesTable(Table):
    """How many retries there may be."""

    budget_percent: int = Field(default=20, ge=0, le=100)
    min_per_second: int = Field(default=3, ge=0, le=1000)
