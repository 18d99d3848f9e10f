"""The demo says itself when it did not show what it promises."""

from collections import Counter
from collections.abc import Iterable

from hoplon.demo import ledger
from hoplon.demo.ledger import Contrast, Service
from hoplon.demo.visitor import Exchange
from hoplon.demo.visitors import CURIOUS, CUSTOMER, PROBES

UNKNOWN = [*PROBES, "/v1/orders/7"]


def exchange(path: str, status: int = 200, kind: str = CURIOUS, *, is_blocked: bool = False) -> Exchange:
    return Exchange(0.0, kind, "somebody", "GET", path, status, "an-id" if is_blocked else None, is_blocked)


def curious(paths: Iterable[str], *, are_blocked: bool) -> list[Exchange]:
    return [exchange(path, 403 if are_blocked else 200, is_blocked=are_blocked) for path in paths]


HONEST = [exchange("/products", kind=CUSTOMER), exchange("/products/TEA-999", 404, kind=CUSTOMER)]
BEFORE = [*HONEST, exchange("/orders/3"), *curious(UNKNOWN, are_blocked=False)]
AFTER = [*HONEST, exchange("/orders/3"), *curious(UNKNOWN, are_blocked=True)]


def test_a_good_run_breaks_no_promise() -> None:
    assert ledger.is_complete(BEFORE)
    assert ledger.broken_promises(BEFORE, AFTER) == []


def test_a_customers_mistake_is_an_answer_and_no_failure() -> None:
    assert ledger.honest(AFTER) == Service(requests=2, answered=2, blocked=0, failed=0)


def test_requests_are_grouped_by_path_without_numbers_and_query() -> None:
    rows = {row.name: row for row in ledger.contrasts(BEFORE, AFTER)}
    assert rows["GET /v1/orders/{id}"] == Contrast("GET /v1/orders/{id}", Counter({200: 1}), Counter({403: 1}), True)
    assert rows["GET /v1/products"].is_unknown
    assert not rows["GET /orders/{id}"].is_unknown


def test_a_blocked_customer_breaks_the_promise() -> None:
    blocked = exchange("/products", 403, kind=CUSTOMER, is_blocked=True)
    assert any(
        "1 honest requests were blocked" in broken for broken in ledger.broken_promises(BEFORE, [*AFTER, blocked])
    )


def test_a_lost_or_failed_answer_breaks_the_promise() -> None:
    failed = [exchange("/products", status, kind=CUSTOMER) for status in (0, 502)]
    assert any("2 failed" in broken for broken in ledger.broken_promises([*BEFORE, *failed], AFTER))


def test_a_probe_that_still_gets_through_breaks_the_promise() -> None:
    broken = ledger.broken_promises(BEFORE, [*AFTER, exchange("/debug/state", 200)])
    assert any(sentence.startswith("GET /debug/state was not always blocked") for sentence in broken)


def test_a_probe_that_was_never_open_breaks_the_promise() -> None:
    broken = ledger.broken_promises(AFTER, AFTER)
    assert any(sentence.startswith("GET /debug/state was not open before") for sentence in broken)


def test_nothing_happening_breaks_the_promise() -> None:
    assert not ledger.is_complete(HONEST)
    assert len(ledger.broken_promises([], [])) >= 2 + len(UNKNOWN)


def test_the_record_to_show_is_of_a_block_with_an_id() -> None:
    assert ledger.first_blocked(BEFORE) is None
    shown = ledger.first_blocked(AFTER)
    assert shown is not None
    assert shown.request_id == "an-id"
