"""A pytest plugin for the SDK's own tests, loaded in the SDK's environment (`-p hoplon_seeded`): puts the seeded store
back before each test, runs what the SDK skips, and writes one JSON line per test.

It knows nothing of Hoplon but two files: the store that the server under test has open, and the seed.
"""

import json
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

STORE = Path(os.environ["HOPLON_SEEDED_STORE"])
SEEDS = Path(os.environ["HOPLON_SEEDS"])
OUTCOMES = Path(os.environ["HOPLON_OUTCOMES"])
OTHERS = {
    "empty.db": re.compile(r"test_zones\.py::\w+::test_\w+_create(_with_all_params)?\b"),
    "zone.db": re.compile(r"labels/test_user\.py::\w+::test_\w+_bulk_create\b"),
    "audit.db": re.compile(r"accounts/logs/test_audit\.py::"),
}
"""Tests that make what the usual seed already has, or ask for another account."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what the SDK marks `skip`: its mock could not answer it, a server can. Send a key that the server knows."""
    sys.modules["tests.conftest"].api_key = os.environ["HOPLON_KEY"]  # type: ignore[attr-defined]
    for item in items:
        item.own_markers = [marker for marker in item.own_markers if marker.name != "skip"]


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    seeds = (seed for seed, tests in OTHERS.items() if tests.search(request.node.nodeid))
    put_back(SEEDS / next(seeds, "full.db"))


def put_back(seed: Path) -> None:
    """Make the open store hold what `seed` holds, in one transaction, beside the server that has it open."""
    with closing(sqlite3.connect(seed)) as source, closing(sqlite3.connect(STORE, timeout=30)) as target:
        target.execute("PRAGMA synchronous = OFF")
        source.backup(target)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """One line per test, and one more where its set-up or tear-down fails."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined] # pluggy's result
    if report.when == "call" or report.outcome != "passed":
        line = {"test": item.nodeid, "outcome": report.outcome, "message": str(report.longrepr or "")[-2000:]}
        with OUTCOMES.open("a") as file:
            file.write(json.dumps(line) + "\n")
