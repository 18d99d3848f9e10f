"""The one switch: it acts within a second while all is well, and is taken at the next start when nothing is alive."""

import json
import time
from pathlib import Path

from support.installation import Installation, apply, hoplon, policy, running
from support.upstream import Upstream


def test_it_acts_within_a_second_and_log_turns_a_block_into_a_log(own_up: Installation, api: Upstream) -> None:
    assert apply(own_up.state, policy(api.url, fallthrough="block")).returncode == 0
    client = own_up.client()
    shown = {}
    for mode, expected in [("log", 200), ("enforce", 403), ("off", 200), ("enforce", 403)]:
        (own_up.state / "bundles" / "mode").write_text(mode)
        began = time.monotonic()
        while (answer := client.get("/other")).status != expected:
            assert time.monotonic() - began < 1.0, mode
        shown[mode] = own_up.record(answer.id)
        said = json.loads(hoplon(own_up.state, "mode", mode, "--json").stdout)
        assert said["gateway"] == "taken"
    actions = {mode: (record["mode"], record["action"], record["violation_count"]) for mode, record in shown.items()}
    assert actions == {"log": ("log", "log", 1), "enforce": ("enforce", "block", 1), "off": ("off", "allow", 0)}
    assert client.send("GET", "/a\\b").status == 400
    assert hoplon(own_up.state, "mode", "off").returncode == 0
    assert client.send("GET", "/a\\b").status == 400, "protocol refusals act in every mode"


def test_it_works_with_everything_dead(tmp_path: Path, api: Upstream) -> None:
    state = tmp_path / "state"
    with running(state, "--upstream", api.url) as up:
        assert apply(state, policy(api.url, fallthrough="block")).returncode == 0
        assert up.get("/other").status == 403
    (state / "hoplon.db").write_bytes(b"no database any more")
    (state / "bundles" / "current").write_bytes(b"no bundle either")
    began = time.monotonic()
    switched = hoplon(state, "mode", "log")
    assert (switched.returncode, "No gateway is running" in switched.stdout) == (0, True), switched
    assert time.monotonic() - began < 3.0
    assert hoplon(state, "mode").stdout.startswith("log: ")
    with running(state, part="gateway") as gateway:
        assert gateway.status()["mode"] == "log"
        assert gateway.get("/other").status == 200
