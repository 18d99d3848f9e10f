"""What the API counts, as Prometheus text. Labels are bounded: route templates and statuses, never paths or names.

Counted on the HTTP thread; reading works on copies, which CPython takes in one step.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from hoplon.api.exchange import Exchange

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Gauges = Callable[[], Mapping[str, tuple[str, float]]]
"""Name to (help, value) of what others count."""

_Route = tuple[str, str]


class Metrics:
    """Counts exchanges, and shows beside them what others count."""

    def __init__(self, gauges: Gauges = dict) -> None:
        self._gauges = gauges
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[_Route, list[int]] = {}
        self._seconds: Counter[_Route] = Counter()
        self._writes = 0
        self._refusals: Counter[str] = Counter()

    def count(self, exchange: Exchange) -> None:
        route = (exchange.method, exchange.route)
        self._requests[(*route, exchange.status)] += 1
        self._seconds[route] += exchange.seconds  # type: ignore[assignment]  # a Counter adds floats as well
        buckets = self._buckets.setdefault(route, [0] * (len(BUCKETS_SECONDS) + 1))
        buckets[_bucket(exchange.seconds)] += 1
        self._writes += exchange.method != "GET" and exchange.status < 300

    def refuse(self, reason: str) -> None:
        """Count a request that was not let in. Called on other threads: a count may be lost, no more."""
        self._refusals[reason] += 1

    def text(self) -> str:
        """Every metric in the text format of Prometheus."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("hoplon_api_requests_total", "counter", "Requests by route and status.")
        for (method, route, status), count in sorted(dict(self._requests).items()):
            yield f'hoplon_api_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
        yield from _head("hoplon_api_request_seconds", "histogram", "How long requests took, by route.")
        for route_key in sorted(dict(self._buckets)):
            yield from self._histogram(route_key)
        yield from _head("hoplon_api_writes_total", "counter", "Requests that changed something.")
        yield f"hoplon_api_writes_total {self._writes}"
        yield from _head("hoplon_api_refusals_total", "counter", "Requests not let in, and why.")
        for reason, count in sorted(dict(self._refusals).items()):
            yield f'hoplon_api_refusals_total{{reason="{reason}"}} {count}'
        for name, (about, value) in self._gauges().items():
            yield from _head(name, "gauge", about)
            yield f"{name} {value:g}"

    def _histogram(self, route_key: _Route) -> Iterator[str]:
        labels = f'method="{route_key[0]}",route="{route_key[1]}"'
        total = 0
        for bound, count in zip((*BUCKETS_SECONDS, "+Inf"), self._buckets[route_key], strict=True):
            total += count
            yield f'hoplon_api_request_seconds_bucket{{{labels},le="{bound}"}} {total}'
        yield f"hoplon_api_request_seconds_sum{{{labels}}} {self._seconds[route_key]:.6f}"
        yield f"hoplon_api_request_seconds_count{{{labels}}} {total}"


def _bucket(seconds: float) -> int:
    return next((i for i, bound in enumerate(BUCKETS_SECONDS) if seconds <= bound), len(BUCKETS_SECONDS))


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
