"""Runs the Python SDK's own tests of the resources that Hoplon has, in the SDK's environment, against a server."""

import json
import os
import subprocess
from pathlib import Path

from conformance.explained import Outcome
from conformance.seeds import ID32

CACHE = Path(__file__).parents[2] / ".cache" / "conformance"
SDK = CACHE / "cloudflare-5.9.0"
PYTHON = CACHE / "python" / "bin" / "python"
HERE = Path(__file__).parent

RESOURCES = (
    "test_accounts.py",
    "test_zones.py",
    "api_gateway/test_configurations.py",
    "api_gateway/test_operations.py",
    "api_gateway/operations/test_labels.py",
    "api_gateway/test_labels.py",
    "api_gateway/labels",
    "api_gateway/test_schemas.py",
    "api_gateway/expression_template",
    "rules",
    "token_validation",
    "test_rulesets.py",
    "rulesets",
    "user/test_tokens.py",
    "user/tokens",
    "accounts/test_tokens.py",
    "accounts/tokens",
    "test_audit_logs.py",
    "user/test_audit_logs.py",
    "accounts/logs",
)

MOVED = {"/client/v4/accounts/account_id/rulesets": f"/client/v4/zones/{ID32}/rulesets"}
"""The examples of rulesets ask an account named `account_id`; here rulesets belong to zones, so a zone is asked."""

OPTIONS = (
    "-q",
    "--tb=line",
    "-p",
    "hoplon_seeded",
    "-p",
    "no:cacheprovider",
    "-c",
    os.devnull,  # the SDK's own settings, without its parallel runs: they would share one store
    "-o",
    "asyncio_mode=auto",
    "-o",
    "asyncio_default_fixture_loop_scope=session",
    "-o",
    "filterwarnings=error",
)


def run(base_url: str, token: str, store: Path, seeds: Path, scratch: Path, *resources: str) -> list[Outcome]:
    """What every test of these resources (all, when none is named) did.

    `store` is the open database behind `base_url`; `seeds` holds what is put into it before each test. The tests send
    `token` as `X-Auth-Key`.
    """
    outcomes = scratch / "outcomes.jsonl"
    environment = {
        **os.environ,
        "TEST_API_BASE_URL": base_url,
        "HOPLON_KEY": token,
        "HOPLON_SEEDED_STORE": str(store),
        "HOPLON_SEEDS": str(seeds),
        "HOPLON_OUTCOMES": str(outcomes),
        "PYTHONPATH": f"{HERE / 'plugin'}{os.pathsep}.",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    files = [f"tests/api_resources/{resource}" for resource in resources or RESOURCES]
    command = [str(PYTHON), "-m", "pytest", "--rootdir", ".", *OPTIONS, *files]
    ended = subprocess.run(command, cwd=SDK, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr  # 1: tests failed; above: they did not run
    lines = [json.loads(line) for line in outcomes.read_text().splitlines()]
    return [Outcome.of(line["test"], line["outcome"], line["message"]) for line in lines]
