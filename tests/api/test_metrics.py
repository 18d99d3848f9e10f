"""Metrics in the text format of Prometheus, with labels that cannot grow."""

from hoplon.api.exchange import NO_ROUTE, Exchange
from hoplon.api.metrics import Metrics


def exchange(method: str = "GET", route: str = "/a/{id}", status: int = 200, seconds: float = 0.003) -> Exchange:
    return Exchange("1", method, route, "/a/7", status, seconds, "127.0.0.1", "somebody")


def test_exchanges_are_counted_by_route_and_status_and_never_by_path_or_caller() -> None:
    metrics = Metrics()
    for each in (exchange(), exchange(), exchange(status=404), exchange("POST"), exchange("POST", status=500)):
        metrics.count(each)
    text = metrics.text()
    assert 'hoplon_api_requests_total{method="GET",route="/a/{id}",status="200"} 2' in text
    assert "hoplon_api_writes_total 1" in text
    assert "/a/7" not in text
    assert "somebody" not in text


def test_latencies_are_a_histogram_that_adds_up() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.003, 0.003, 60.0):
        metrics.count(exchange(seconds=seconds, route=NO_ROUTE))
    lines = metrics.text().splitlines()
    buckets = [int(line.rpartition(" ")[2]) for line in lines if "_bucket" in line]
    assert buckets == sorted(buckets)
    assert (buckets[0], buckets[-1]) == (1, 4)
    assert 'hoplon_api_request_seconds_count{method="GET",route="(none)"} 4' in lines


def test_what_others_count_stands_beside_it() -> None:
    assert "\nthings 7\n" in Metrics(lambda: {"things": ("How many.", 7)}).text()
