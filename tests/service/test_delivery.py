"""Many wait for one change: each is woken by it, whoever notices it first."""

import asyncio
from pathlib import Path

import pytest

from hoplon.errors import HoplonError
from hoplon.model.mode import Mode
from hoplon.service import delivery
from hoplon.service.delivery import Offers
from hoplon.storage.bundles import write_mode
from hoplon.storage.state import StateDirectory, create_state


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return create_state(tmp_path / "state")


def test_who_waits_is_woken_by_a_change_that_another_question_noticed(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LOOK_SECONDS", 60.0)

    async def two() -> Mode | None:
        offers = Offers(state)
        waiting = asyncio.create_task(offers.after("", "enforce", 30.0))
        await asyncio.sleep(0.05)
        write_mode(state, Mode.OFF)
        await offers.after("", "enforce", 0.0)
        found = await asyncio.wait_for(waiting, 1.0)
        return found.mode if found else None

    assert asyncio.run(two()) is Mode.OFF


def test_two_changes_one_after_the_other_reach_who_asks_again(state: StateDirectory) -> None:
    async def both() -> list[Mode]:
        offers, heard = Offers(state), [Mode.ENFORCE]
        for mode in (Mode.LOG, Mode.OFF, Mode.LOG):
            waiting = [asyncio.create_task(offers.after("", heard[-1], 5.0)) for _ in range(3)]
            await asyncio.sleep(0.01)
            write_mode(state, mode)
            found = await asyncio.gather(*waiting)
            assert len({each and each.mode for each in found}) == 1
            heard.append(found[0].mode if found[0] else Mode.ENFORCE)
        return heard[1:]

    assert asyncio.run(both()) == [Mode.LOG, Mode.OFF, Mode.LOG]


def test_one_too_many_is_sent_away(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_WAITING", 2)

    async def three() -> None:
        offers = Offers(state)
        waiting = [asyncio.create_task(offers.after("", "enforce", 5.0, credential)) for credential in "ab"]
        await asyncio.sleep(0.05)
        with pytest.raises(HoplonError, match="too many gateways wait"):
            await offers.after("", "enforce", 5.0, "c")
        offers.close()
        assert await asyncio.gather(*waiting) == [None, None]

    asyncio.run(three())


def test_one_credential_leaves_room_for_the_others(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_WAITING", 8)

    async def flood() -> list[bool]:
        offers = Offers(state)
        asked = [asyncio.create_task(offers.after("", "enforce", 5.0, "stolen")) for _ in range(20)]
        await asyncio.sleep(0.05)
        asked.append(asyncio.create_task(offers.after("", "enforce", 5.0, "another")))
        await asyncio.sleep(0.05)
        offers.close()
        return [found is None for found in await asyncio.gather(*asked, return_exceptions=True)]

    waited = asyncio.run(flood())
    assert (sum(waited[:-1]), waited[-1]) == (4, True)
