"""How often: evenly, with bursts, per key, and never more keys than the bound."""

import pytest

from hoplon.api.rate import BURST_SECONDS, RateLimiter, address_key


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_as_many_as_a_minute_has() -> None:
    clock = Clock()
    limiter = RateLimiter(60, clock=clock)
    assert [limiter.wait_seconds("a") for _ in range(int(BURST_SECONDS))] == [0.0] * 10
    assert limiter.wait_seconds("a") == pytest.approx(1.0)
    assert limiter.wait_seconds("b") == 0.0
    clock.now += 1.0
    assert limiter.wait_seconds("a") == 0.0
    assert limiter.wait_seconds("a") == pytest.approx(1.0)


def test_over_minutes_no_more_pass_than_allowed() -> None:
    clock = Clock()
    limiter = RateLimiter(120, clock=clock)
    passed = 0
    for _ in range(6000):
        passed += limiter.wait_seconds("a") == 0.0
        clock.now += 0.05
    assert 120 * 5 <= passed <= 120 * 5 + 20


def test_a_limit_of_one_a_minute_lets_one_through() -> None:
    clock = Clock()
    limiter = RateLimiter(1, clock=clock)
    assert limiter.wait_seconds("a") == 0.0
    assert limiter.wait_seconds("a") == pytest.approx(60.0)
    clock.now += 60.0
    assert limiter.wait_seconds("a") == 0.0


def test_it_holds_no_more_keys_than_its_bound_and_forgets_the_oldest() -> None:
    limiter = RateLimiter(1, capacity=100, clock=Clock())
    for number in range(1000):
        assert limiter.wait_seconds(str(number)) == 0.0
    assert len(limiter) == 100
    assert limiter.wait_seconds("999") > 0
    assert limiter.wait_seconds("0") == 0.0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("", ""),
    ],
)
def test_addresses_of_one_subscriber_count_as_one(address: str, key: str) -> None:
    assert address_key(address) == key
