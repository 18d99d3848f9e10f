"""The `[zone]` tables that say how a zone is served besides where its upstreams are.

The bounds are the engine's (crates/engine/src/bundle/serving.rs): what is accepted here is accepted there.
"""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hoplon.policy.feature import Table

_MAX_MESSAGE_BYTES = 1000


def is_one_line(text: str, max_bytes: int) -> bool:
    """Whether it has no control character and at most so many bytes in UTF-8."""
    return len(text.encode()) <= max_bytes and not any(unicodedata.category(character) == "Cc" for character in text)


def _one_line(text: str) -> str:
    if not is_one_line(text, _MAX_MESSAGE_BYTES):
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


class HealthTable(Table):
    """How each upstream is asked whether it is well; without a path nobody asks."""

    path: str | None = Field(default=None, pattern=r"^/[!\"$-~]*$", max_length=2048)
    interval_seconds: float = Field(default=5.0, ge=0.1, le=3600, strict=False)
    timeout_seconds: float = Field(default=2.0, ge=0.001, le=60, strict=False)
    status: int = Field(default=200, ge=200, le=599)
    failures: int = Field(default=3, ge=1, le=100)
    successes: int = Field(default=2, ge=1, le=100)
