"""A rule, a list or a limit that the SDK makes acts in the gateway of a real `hoplon up` within a second."""

import json
import subprocess
from pathlib import Path

import pytest

from conformance.python_sdk import PYTHON
from support.api import await_api, port_of, token_of
from support.installation import running
from support.upstream import Upstream, polite

pytest.importorskip("hoplon._native")

SCRIPT = Path(__file__).parent / "rules_act.py"


@pytest.mark.slow
def test_what_the_sdk_makes_acts_within_a_second(tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("the Python SDK is not there: `make conformance` fetches it")
    api = Upstream(polite)
    with running(tmp_path / "state", "--upstream", api.url) as up:
        await_api(up.state)
        base_url, gateway = f"http://127.0.0.1:{port_of(up.state)}/client/v4", f"http://127.0.0.1:{up.port}"
        command = [str(PYTHON), str(SCRIPT), base_url, token_of(up.state), gateway]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    api.close()
    assert ended.returncode == 0, ended.stderr
    took = json.loads(ended.stdout)
    assert len(took) == 5
    assert {what: seconds for what, seconds in took.items() if seconds > 1} == {}, took
