"""One finished exchange: what the request log and the metrics get to know. No token, no query, no body."""

from dataclasses import dataclass

NO_ROUTE = "(none)"


@dataclass(frozen=True, slots=True)
class Exchange:
    """`route` is the template of the path, `path` what was asked for without its query, `caller` the token's name."""

    id: str
    method: str
    route: str
    path: str
    status: int
    seconds: float
    address: str
    caller: str | None
