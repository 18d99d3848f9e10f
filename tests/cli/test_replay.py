"""`hoplon replay`, and what `hoplon policy apply` shows before it asks, on a real terminal."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hoplon._native")

from hoplon.service.policy import apply_policy
from hoplon.service.workspace import open_workspace
from support.decided import Decided, write_decided

Hoplon = Callable[..., Any]
POLICY = """format = 1
zone = { upstreams = [{ url = "http://127.0.0.1:9" }] }
operations = { fallthrough = "log", saved = [{ method = "GET", path = "/users/{id}" }] }
"""


@pytest.fixture
def busy(hoplon: Hoplon) -> str:
    """A zone with three requests, two of which match no operation; `new.toml` would block those. The zone's id."""
    with open_workspace(Path("hoplon-state"), create=True) as workspace:
        zone_id = apply_policy(workspace, POLICY, create=True).zone_id
        requests = [Decided(timedelta(minutes=1), {"path": path}) for path in ("/users/1", "/debug", "/debug")]
        write_decided(workspace.state, zone_id, requests)
    Path("new.toml").write_text(POLICY.replace('"log"', '"block"'))
    return zone_id


def test_a_replay_is_told_in_sentences_and_a_table(hoplon: Hoplon, busy: str) -> None:
    said = hoplon("replay", "--policy", "new.toml")
    assert said.code == 0 and said.err == ""
    lines = said.out.splitlines()
    assert lines[0].startswith("3 stored requests of zone default, ") and lines[0].endswith("under new.toml:")
    assert lines[1] == "  would block 2 of 3 requests (66.67 %), 1 of 1 sessions; the policy of now: 0"
    assert any(line.startswith("requests that match no saved operation  block") for line in lines)
    assert "for example: " in said.out


def test_machines_get_one_document(hoplon: Hoplon, busy: str) -> None:
    document = json.loads(hoplon("replay", "--policy", "new.toml", "--json").out)
    assert (document["would"]["block"], document["zone_id"]) == (2, busy)


def test_nothing_to_replay_is_said(hoplon: Hoplon, busy: str) -> None:
    assert "there is nothing to replay" in hoplon("replay", "--policy", "new.toml", "--since", "10s").out
    assert hoplon("replay", "--policy", "new.toml", "--since", "soon").code == 2


def test_without_a_terminal_a_change_needs_a_yes(hoplon: Hoplon, busy: str) -> None:
    said = hoplon("policy", "apply", "new.toml")
    assert said.code == 2 and "nobody can be asked" in said.err and "--yes applies it" in said.err
    assert json.loads(hoplon("policy", "history", "--json").out)[0]["version"] == 1
    assert hoplon("policy", "apply", "new.toml", "--yes").code == 0
    assert hoplon("policy", "apply", "new.toml").code == 0, "nothing changes: nobody needs to be asked"


@pytest.mark.parametrize(("answer", "code", "version"), [("n", 1, 1), ("y", 0, 2)])
def test_on_a_terminal_the_change_and_its_effect_are_shown_first(
    hoplon: Hoplon, busy: str, answer: str, code: int, version: int
) -> None:
    shown, ended = on_a_terminal(answer, "policy", "apply", "new.toml")
    assert ended == code, shown
    change, replay, question = "fallthrough: log → block", "2 of 3 requests", "Apply this to zone default?"
    assert -1 < shown.index(change) < shown.index(replay) < shown.index(question)
    assert json.loads(hoplon("policy", "history", "--json").out)[0]["version"] == version


def on_a_terminal(answer: str, *arguments: str) -> tuple[str, int]:
    """Run a command on a terminal where somebody types `answer`; everything shown, and the exit code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hoplon", *arguments]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "200"}
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return shown.decode(), process.wait(60)
