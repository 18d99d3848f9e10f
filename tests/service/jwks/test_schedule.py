"""When a key set is fetched again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hoplon.errors import HoplonError
from hoplon.model.key_sets import KeySet
from hoplon.service.jwks.schedule import after_failure, after_success
from hoplon.tokens.keys import take_keys
from support.jwks import ec_signer, rsa_signer

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NEW = KeySet("z", "c", "https://a.example/", None, (), None, None, None, NOW)
TAKEN = take_keys([rsa_signer().jwk])
DOWN = HoplonError("jwks.unreachable", "it is down", "wait")


def pause(after: KeySet) -> float:
    return (after.due_at - NOW).total_seconds()


@pytest.mark.parametrize(
    ("holds", "seconds"), [(None, 600), (300, 300), (0, 60), (1, 60), (86_400, 86_400), (10**9, 86_400)]
)
def test_the_server_s_word_is_followed_within_bounds(holds: int | None, seconds: int) -> None:
    assert pause(after_success(NEW, TAKEN, holds, NOW, lambda: 0.5)) == seconds
    assert pause(after_success(NEW, TAKEN, holds, NOW, lambda: 0.0)) == pytest.approx(seconds * 0.9)
    assert pause(after_success(NEW, TAKEN, holds, NOW, lambda: 1.0)) == pytest.approx(seconds * 1.1)


def test_a_failure_keeps_the_last_good_keys_and_doubles_the_pause() -> None:
    state = after_success(NEW, TAKEN, None, NOW, lambda: 0.5)
    pauses = []
    for _ in range(8):
        state = after_failure(state, DOWN, NOW, lambda: 0.5)
        pauses.append(pause(state))
    assert pauses == [15, 30, 60, 120, 240, 480, 600, 600]
    assert (state.keys, state.fetched_at, state.failures) == ((TAKEN.keys[0].as_jwk(),), NOW, 8)
    assert state.error == "it is down; wait"


def test_a_success_forgets_the_failures_and_says_when_keys_became_others() -> None:
    later = NOW + timedelta(hours=1)
    state = after_failure(after_success(NEW, TAKEN, None, NOW, lambda: 0.5), DOWN, NOW, lambda: 0.5)
    same = after_success(state, TAKEN, None, later, lambda: 0.5)
    assert (same.failures, same.error, same.fetched_at, same.changed_at) == (0, None, later, NOW)
    other = after_success(same, take_keys([ec_signer().jwk]), None, later, lambda: 0.5)
    assert (other.changed_at, len(other.keys or ())) == (later, 1)
    assert replace(other, keys=same.keys, changed_at=NOW) == same
