"""Places of rules rise in the rules' order, and as few as possible change."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hoplon.service.rule_places import GAP, places

PRESENT = st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), max_size=30)


@given(PRESENT)
def test_places_rise(present: list[int | None]) -> None:
    found = places(present)
    assert len(found) == len(present)
    assert all(left < right for left, right in pairwise(found))


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=30))
def test_places_in_order_stay(present: list[int]) -> None:
    assert places(sorted(present)) == sorted(present)


def test_one_that_moves_is_one_row() -> None:
    before = [GAP * (index + 1) for index in range(1000)]
    moved = [before[999], *before[:999]]
    found = places(moved)
    assert found[1:] == before[:999]
    assert found[0] < before[0]


def test_one_that_is_added_is_one_row() -> None:
    assert places([10, None, 20, None]) == [10, 15, 20, 20 + GAP]


def test_without_a_gap_all_get_new_places() -> None:
    assert places([10, None, 11]) == [GAP, 2 * GAP, 3 * GAP]


def test_placing_again_and_again_in_front_of_the_second_never_ends() -> None:
    order = places([None, None])
    for _ in range(100):
        order = places([order[0], None, *order[1:]])
    assert len(order) == 102
    assert order == sorted(set(order))
