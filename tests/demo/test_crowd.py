"""The crowd's scripts fit the shop: run against the shop itself, without a gateway, every visit goes as it should."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the shop needs the dependency group `demo`")

from hoplon.demo import ledger
from hoplon.demo.crowd import Crowd
from hoplon.demo.processes import Part, answers, free_ports, shop_part
from hoplon.demo.visitor import Exchange
from hoplon.demo.visitors import CURIOUS, GUESTS
from hoplon.errors import HoplonError


@pytest.fixture
def shop_port(tmp_path: Path) -> Iterator[int]:
    port = free_ports().shop
    with shop_part(port, tmp_path) as shop:
        shop.wait_for(lambda: answers(port, "/healthz"))
        yield port


def operations(exchanges: list[Exchange]) -> set[tuple[str, str]]:
    """Methods and paths, with what looks like an identifier as `*`."""
    identifier = r"[0-9a-f-]{36}|\b\d+|[A-Z]+-\d+"
    return {(each.method, re.sub(identifier, "*", each.path.partition("?")[0])) for each in exchanges}


def test_everybody_gets_on_with_the_shop(shop_port: int) -> None:
    with Crowd(GUESTS, shop_port) as crowd:
        deadline = time.monotonic() + 60
        while (crowd.visits < 2 or not ledger.is_complete(crowd.exchanges)) and time.monotonic() < deadline:
            time.sleep(0.05)
        crowd.check()
    service = ledger.honest(crowd.exchanges)
    assert crowd.visits >= 2
    assert service.failed == service.blocked == 0
    honest = [exchange for exchange in crowd.exchanges if exchange.kind != CURIOUS]
    tried = operations(honest)
    successes = operations([exchange for exchange in honest if exchange.status < 300])
    assert len(successes) == 31
    assert tried == successes, (
        "a mistake must be made on an operation that is also used rightly, else it is never saved"
    )


def test_a_part_that_cannot_start_says_why_and_is_gone(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with (
        Part("the part", ("sh", "-c", "echo no luck; exit 3"), log) as part,
        pytest.raises(HoplonError, match=r"the part ended with code 3 .* no luck"),
    ):
        part.wait_for(lambda: False)


def test_leaving_the_block_ends_the_part_and_its_children(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with Part("the part", ("sh", "-c", "sleep 600 & echo $!; wait"), log) as part:
        part.wait_for(lambda: bool(log.read_text().strip()))
        child = int(log.read_text())
    deadline = time.monotonic() + 5
    with suppress(FileNotFoundError):
        while time.monotonic() < deadline and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
            time.sleep(0.02)
        assert "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]
