"""`hoplon rules` and `hoplon limits`: listed, added, edited, moved and removed, with errors that point."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Hoplon
from support.saved_zone import POLICY

ADMIN = 'http.request.uri.path wildcard "/admin/*"'


@pytest.fixture
def applied(hoplon: Hoplon) -> Hoplon:
    """A zone with three operations and the rules `admin` and `health`."""
    Path("policy.toml").write_text(POLICY)
    assert hoplon("policy", "apply", "policy.toml", "--create").code == 0
    said = hoplon("rules", "add", ADMIN, "--ref", "admin", "--action", "block", "--description", "Nobody's business")
    assert (said.code, said.out) == (0, "Added admin (block); the zone is at version 2.\n")
    health = 'http.request.uri.path eq "/health"'
    skipping = ("--ref", "health", "--action", "skip", "--skip", "limits", "--first")
    assert hoplon("rules", "add", health, *skipping).code == 0
    return hoplon


def listed(hoplon: Hoplon, which: str = "rules") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(hoplon(which, "--json").out)
    return found


def test_listing(applied: Hoplon) -> None:
    assert applied("rules").out == applied("rules", "list").out
    assert [" ".join(line.split()) for line in applied("rules").out.splitlines()] == [
        "ref action expression description",
        '1 health skip http.request.uri.path eq "/health"',
        f"2 admin block {ADMIN} Nobody's business",
    ]
    assert applied("limits").code == 0
    assert listed(applied, "limits") == []


def test_a_new_rule_logs(applied: Hoplon) -> None:
    said = applied("rules", "add", "ssl", "--ref", "tls", "--json")
    assert json.loads(said.out)["action"] == "log"


def test_editing_changes_what_is_said(applied: Hoplon) -> None:
    answer = ("--status", "404", "--content", "gone")
    said = applied("rules", "edit", "admin", "--off", *answer, "--operation", "POST /login on api.example.com")
    assert said.out == "Changed admin (block, off); the zone is at version 4.\n"
    rule = listed(applied)[1]
    assert rule["action_parameters"] == {
        "response": {"status_code": 404, "content_type": "text/plain", "content": "gone"}
    }
    assert (rule["enabled"], rule["expression"], rule["version"]) == (False, ADMIN, 2)
    assert rule["operations"] == ["POST /login on api.example.com"]


def test_moving_and_removing(applied: Hoplon) -> None:
    said = applied("rules", "move", "admin", "--before", "health")
    assert said.out == "The order is now admin, health; the zone is at version 4.\n"
    assert applied("rules", "move", "admin").code == 2
    assert applied("rules", "move", "admin", "--first", "--last").code == 2
    assert applied("rules", "rm", "admin", "health").out == "Removed 2; the zone is at version 5.\n"
    assert listed(applied) == []


def test_errors_point(applied: Hoplon) -> None:
    said = applied("rules", "add", "http.request.uri.pth eq 1")
    assert said.code == 1
    assert "rules[2].expression: unknown field `http.request.uri.pth`" in said.err
    said = applied("rules", "edit", "admn", "--off")
    assert (said.code, "did you mean `admin`?" in said.err) == (1, True)


def test_expressions_can_be_checked(applied: Hoplon) -> None:
    Path("rules.txt").write_text(f"{ADMIN}\nno\n")
    said = applied("rules", "check", "rules.txt", "--json")
    assert [each["ok"] for each in json.loads(said.out)] == [True, False]
