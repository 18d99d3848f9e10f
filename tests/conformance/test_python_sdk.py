"""The Python SDK's own tests of our resources pass against Hoplon; docs/conformance.md explains each that does not."""

from pathlib import Path

import pytest

from conformance.explained import complaints, explanations
from conformance.proxy import recording
from conformance.python_sdk import MOVED, PYTHON, SDK, run
from conformance.seeds import install, make_seeds
from support import recording as answers
from support.api import api_running

pytest.importorskip("hoplon._native")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_python_sdk_s_own_tests_pass(tmp_path: Path) -> None:
    if not (PYTHON.exists() and SDK.exists()):
        pytest.skip("the Python SDK's tests are not there: `make conformance` fetches them")
    seeds, state = tmp_path / "seeds", tmp_path / "state"
    make_seeds(seeds)
    install(seeds, state)
    with api_running(state) as api, recording(api.port, MOVED) as proxy:
        outcomes = run(f"http://127.0.0.1:{proxy.port}/client/v4", api.token, state / "hoplon.db", seeds, tmp_path)
    assert len(outcomes) > 1000
    assert list(complaints(outcomes, explanations("The Python SDK's own tests"))) == []
    assert sorted(set(answers.complaints(proxy.exchanges))) == []
