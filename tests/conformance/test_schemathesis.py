"""Schemathesis generates requests from our own OpenAPI document, valid and invalid ones, alone and one after the other;
docs/conformance.md explains each failure it finds."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conformance.explained import table
from conformance.python_sdk import CACHE
from support.api import ApiProcess, api_running

pytest.importorskip("hoplon._native")

COMMAND = CACHE / "python" / "bin" / "schemathesis"
SETTINGS = Path(__file__).with_name("schemathesis.toml")
PLUGINS = Path(__file__).with_name("plugin")
IS_EVAL = bool(os.environ.get("HOPLON_EVAL"))
BOUND = (
    ("--max-time", "1800", "--generation-database", "none")
    if IS_EVAL
    else ("--max-examples", "3", "--generation-deterministic")
)
"""`make test` asks the same every time; `make eval` goes on for half an hour."""
WITHOUT_LIMITS = {"HOPLON_API_FAILURES_PER_MINUTE": "1000000", "HOPLON_API_REQUESTS_PER_MINUTE": "1000000"}
"""It asks without a token, and with wrong ones, far more often than an honest caller."""
SECTION = "Schemathesis"


@pytest.mark.slow
@pytest.mark.timeout(4000 if IS_EVAL else 300)
def test_schemathesis_finds_nothing_that_is_not_explained(tmp_path: Path) -> None:
    if not COMMAND.exists():
        pytest.skip("Schemathesis is not there: `make conformance` fetches it")
    with api_running(tmp_path / "state", **WITHOUT_LIMITS) as api:
        report = attack(api, tmp_path)
        assert api.caller().get("/readyz").status == 200
    assert report["errors"] == [], report["errors"]
    assert report["operations"]["tested"] == report["operations"]["selected"] > 0
    explained = {(operation, title) for operation, title, _ in table(SECTION)}
    found = {(operation, failure["title"]) for failure in report["failures"] for operation in failure["operations"]}
    assert found - explained == set(), (tmp_path / "said").read_text()[-8000:]


def attack(api: ApiProcess, folder: Path) -> Any:
    """What Schemathesis reports, in its own form. Its random choices begin with a fixed seed."""
    report = folder / "report.json"
    # fmt: off
    command = [
        str(COMMAND), "--config-file", str(SETTINGS), "run", str(described(api, folder)),
        "--url", f"http://127.0.0.1:{api.port}",
        "--header", f"Authorization: Bearer {api.token}", "--seed", "5", *BOUND,
        "--suppress-health-check", "filter_too_much",  # a test case that would end its own token is left out
        "--report", "json", "--report-json-path", str(report), "--no-color",
    ]
    # fmt: on
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(PLUGINS),
        "HOPLON_TOKEN_ID": api.caller().get("/user/tokens/verify").result["id"],
    }
    with (folder / "said").open("w") as said:
        subprocess.run(command, cwd=folder, env=environment, stdout=said, stderr=said, check=False)
    return json.loads(report.read_text())


def described(api: ApiProcess, folder: Path) -> Path:
    """Our OpenAPI document; in `make test` without what this version does not have: one way through the code."""
    document = api.caller().get("/openapi.json").json
    if not IS_EVAL:
        for path, item in document["paths"].items():
            document["paths"][path] = {method: each for method, each in item.items() if "501" not in each["responses"]}
    file = folder / "openapi.json"
    file.write_text(json.dumps(document))
    return file
