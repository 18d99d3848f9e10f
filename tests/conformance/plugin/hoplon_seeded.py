"""A pytest plugin for the SDK's own tests, loaded in the SDK's environment (`-p hoplon_seeded`): puts the seeded store
back before each test, runs what the SDK skips, and writes one JSON line per test.

It knows nothing of Hoplon but two files: the store that the server under test has open, and the seed.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

STORE = Path(os.environ["HOPLON_SEEDED_STORE"])
SEEDS = Path(os.environ["HOPLON_SEEDS"])
OUTCOMES = Path(os.environ["HOPLON_OUTCOMES"])
# These tests create what the usual seed already has.
WITHOUT_THE_ZONE = re.compile(r"test_zones\.py::.*_create\b|test_zones\.py::.*_create_with_all_params")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what the SDK marks `skip`: its mock could not answer it, a server can."""
    for item in items:
        item.own_markers = [marker for marker in item.own_markers if marker.name != "skip"]


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    seed = "empty.db" if WITHOUT_THE_ZONE.search(request.node.nodeid) else "full.db"
    put_back(SEEDS / seed)


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
