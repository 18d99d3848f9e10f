"""The TypeScript SDK walks all of Cloudflare's resources that we have, each step as a user of it would write it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.proxy import recording
from conformance.python_sdk import CACHE
from hoplon.api.routes import CLOUDFLARE, ROUTES, Route
from support.api import api_running
from support.recording import complaints, own

pytest.importorskip("hoplon._native")

WALK = Path(__file__).parent / "typescript" / "walk.mjs"
INSTALLED = CACHE / "typescript"


def test_the_typescript_sdk_walks_every_resource(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (INSTALLED / "node_modules" / "cloudflare").exists():
        pytest.skip("the TypeScript SDK is not there: `make conformance` fetches it")
    with api_running(tmp_path / "state") as api, recording(api.port) as proxy:
        steps = dict(walk(f"http://127.0.0.1:{proxy.port}/client/v4", api.token))
    assert len(steps) > 10
    assert {step: error for step, error in steps.items() if error} == {}
    assert list(complaints(proxy.exchanges)) == []
    walked = {(each.method, own().route(each.method, each.path)) for each in proxy.exchanges if each.status < 300}
    there = {(route.method, route.path) for route in ROUTES if is_walked(route)}
    assert there - walked == set(), "the walk leaves these out"


def is_walked(route: Route) -> bool:
    """Whether a route of Cloudflare's can succeed: an account has no rulesets here, and their versions stay."""
    if route.handler is None or not route.path.startswith(CLOUDFLARE):
        return False
    never = route.handler.startswith("account_rulesets:") and route.handler != "account_rulesets:list_rulesets"
    return not never and route.handler != "ruleset_versions:delete_version"


def walk(base_url: str, token: str) -> Iterator[tuple[str, str | None]]:
    """Each step and what went wrong in it. A module finds its packages beside itself, so it runs as a copy there."""
    script = shutil.copy(WALK, INSTALLED)
    environment = {**os.environ, "BASE_URL": base_url, "TOKEN": token}
    ended = subprocess.run(["node", script], env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode in (0, 1) and ended.stdout, ended.stderr
    for line in ended.stdout.splitlines():
        found = json.loads(line)
        yield found["step"], found["error"]
