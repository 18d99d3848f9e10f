"""The limiter as a slow, obvious model: it remembers every event and computes in fractions.

The algorithm is science.md §18.3, `est = previous * (1 - f) + current`, with Cloudflare's meaning of "exceeds".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

SECOND = 1_000_000

ALWAYS: dict[str, Any] = {"nodes": [["bool", True]]}


def fact_is(name: str, value: list[Any]) -> dict[str, Any]:
    return {"nodes": [["fact", name], value, ["eq", 0, 1]]}


def header(name: str) -> dict[str, Any]:
    return {"nodes": [["fact", "http.request.headers"], ["key", 0, name]]}


@dataclass(frozen=True)
class Call:
    """One request, and what the upstream would answer."""

    client: str
    key: bytes | None
    login: bool
    status: int
    score: bytes | None

    @property
    def url(self) -> str:
        return f"http://api.example.com/{'login' if self.login else ''}"

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [] if self.key is None else [("x-api-key", self.key)]

    @property
    def response(self) -> tuple[int, list[tuple[str, bytes]], bytes]:
        return self.status, [] if self.score is None else [("x-score", self.score)], b""


@dataclass(frozen=True)
class Limit:
    """A limit as the bundle has it, and what it means in Python."""

    id: str
    entry: Mapping[str, Any]
    key: Callable[[Call], object]
    matches: Callable[[Call], bool] = lambda _: True
    counts: Callable[[Call], int] | None = None
    """How much a response counts; None: the request counts by itself."""

    @property
    def most(self) -> int:
        return int(self.entry["requests"] if self.entry["requests"] is not None else self.entry["score"])

    @property
    def period(self) -> int:
        return int(self.entry["period_seconds"]) * SECOND

    @property
    def blocks(self) -> bool:
        return bool(self.entry["action"] == "block")


@dataclass
class Counter:
    """What is remembered under one key."""

    counted: list[tuple[int, int]] = field(default_factory=list)
    until: int = 0

    def estimate(self, now: int, period: int) -> Fraction:
        window = now // period
        over = Fraction(now % period, period)
        return self._in(window - 1, period) * (1 - over) + self._in(window, period)

    def _in(self, window: int, period: int) -> int:
        return sum(amount for at, amount in self.counted if at // period == window)


@dataclass
class Model:
    """All limits together: one request is decided by all of them, then counted by all or by none."""

    limits: tuple[Limit, ...]
    counters: dict[tuple[str, object], Counter] = field(default_factory=dict)

    def decide(self, call: Call, now: int) -> tuple[str, list[str]]:
        """The action and the ids of the limits that are exceeded, in order."""
        about = [limit for limit in self.limits if limit.matches(call)]
        exceeded = [limit for limit in about if self._is_over(limit, call, now)]
        is_stopped = any(limit.blocks for limit in exceeded)
        for limit in about:
            counter = self._counter(limit, call)
            if limit not in exceeded:
                counter.counted += [(now, 1)] * (limit.counts is None and not is_stopped)
            elif counter.until <= now:
                counter.until = now + int(limit.entry["mitigation_seconds"]) * SECOND
        if not is_stopped:
            self._count_response(call, now)
        action = "block" if is_stopped else "log" if exceeded else "allow"
        return action, [limit.id for limit in exceeded]

    def _count_response(self, call: Call, now: int) -> None:
        for limit in self.limits:
            amount = limit.counts(call) if limit.counts else 0
            if amount:
                self._counter(limit, call).counted.append((now, amount))

    def _is_over(self, limit: Limit, call: Call, now: int) -> bool:
        counter = self._counter(limit, call)
        estimate = counter.estimate(now, limit.period)
        fits = estimate < limit.most if limit.counts is None else estimate <= limit.most
        return counter.until > now or not fits

    def _counter(self, limit: Limit, call: Call) -> Counter:
        return self.counters.setdefault((limit.id, limit.key(call)), Counter())


def entry(limit_id: str, **members: Any) -> dict[str, Any]:
    """A limit's entry in the bundle: three requests in ten seconds by client, blocking."""
    return {
        "id": limit_id,
        "when": ALWAYS,
        "key": [{"nodes": [["fact", "ip.src"]]}],
        "count_when": None,
        "period_seconds": 10,
        "requests": 3,
        "score": None,
        "score_header": None,
        "in_flight": None,
        "mitigation_seconds": 0,
        "to_origin": False,
        "action": "block",
        "fail": "open",
        "violation": "limits.exceeded",
        **members,
    }


def _score(call: Call) -> int:
    text = call.score or b""
    return int(text) if text.isdigit() and 1 <= int(text) <= 1_000_000 else 0


_LOGIN = fact_is("http.request.uri.path", ["str", "/login"])
_UNAUTHORIZED = {
    "nodes": [
        *[["fact", "http.request.uri.path"], ["str", "/login"], ["eq", 0, 1]],
        *[["fact", "http.response.code"], ["int", 401], ["eq", 3, 4], ["and", 2, 5]],
    ]
}

LIMITS = (
    Limit("by-client", entry("by-client"), lambda call: call.client),
    Limit(
        "by-key",
        entry("by-key", key=[header("x-api-key")], requests=2, period_seconds=7, mitigation_seconds=5),
        lambda call: call.key,
    ),
    Limit(
        "watched",
        entry("watched", requests=1, period_seconds=60, mitigation_seconds=30, action="log"),
        lambda call: call.client,
    ),
    Limit(
        "logins",
        entry("logins", when=_LOGIN, count_when=_UNAUTHORIZED, requests=2, mitigation_seconds=20),
        lambda call: call.client,
        matches=lambda call: call.login,
        counts=lambda call: int(call.login and call.status == 401),
    ),
    Limit(
        "score",
        entry("score", requests=None, score=50, score_header="x-score", period_seconds=15),
        lambda call: call.client,
        counts=_score,
    ),
)
