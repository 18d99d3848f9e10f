"""What the tests of crashes would notice: each kind of loss is one, and what nobody was promised is none."""

import pytest

from faults.ledger import Model


@pytest.mark.parametrize(
    "stored",
    [{"/sure": "1"}, {"/sure": "1", "/new": "2", "/newer": "3"}],
    ids=["the unanswered write is absent", "it is there"],
)
def test_an_unanswered_write_may_be_there_or_not(stored: dict[str, str]) -> None:
    model = Model(0, sure={"/sure": "1"}, adding={"/new", "/newer"})
    model.settle(stored)
    assert model.sure == stored
    assert not model.adding


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"/new": "2", "/newer": "3"}, "lost"),
        ({"/sure": "1", "/new": "2"}, "half there"),
        ({"/sure": "1", "/foreign": "9"}, "of nobody"),
    ],
)
def test_what_is_lost_half_done_or_made_up_is_noticed(stored: dict[str, str], said: str) -> None:
    model = Model(0, sure={"/sure": "1"}, adding={"/new", "/newer"})
    with pytest.raises(AssertionError, match=said):
        model.settle(stored)


def test_a_removal_that_is_half_done_is_noticed() -> None:
    model = Model(0, sure={"/a": "1", "/b": "2"}, removing={"/a", "/b"})
    with pytest.raises(AssertionError, match="half gone"):
        model.settle({"/a": "1"})
