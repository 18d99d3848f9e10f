"""`hoplon labels`: listed, made, attached, detached and deleted, with errors in the words of who typed them."""

import json
from pathlib import Path

import pytest

from cli.conftest import Hoplon
from support.saved_zone import POLICY

LOGIN = "POST /login on api.example.com"


@pytest.fixture
def applied(hoplon: Hoplon) -> Hoplon:
    """A zone with three operations and the label `payments`."""
    Path("policy.toml").write_text(POLICY)
    assert hoplon("policy", "apply", "policy.toml", "--create").code == 0
    said = hoplon("labels", "add", "payments", "--description", "Moves money.", "--metadata", '{"team": "billing"}')
    assert (said.code, said.out) == (0, "Label payments is made; the zone is at version 2.\n")
    return hoplon


def listed(hoplon: Hoplon, *options: str) -> dict[str, int]:
    return {label["name"]: label["operations"] for label in json.loads(hoplon("labels", *options, "--json").out)}


def test_listing(applied: Hoplon) -> None:
    assert listed(applied, "--source", "user") == listed(applied, "list", "--source", "user") == {"payments": 0}
    assert listed(applied, "--filter", "zombie") == {"cf-risk-zombie": 0}
    said = applied("labels", "--source", "user")
    assert said.out.splitlines() == [
        "label     source  operations  description",
        "payments  user             0  Moves money.",
    ]


def test_attach_and_detach(applied: Hoplon) -> None:
    said = applied("labels", "attach", "payments", "cf-log-in", "--operation", LOGIN)
    assert (said.code, said.out) == (0, f"{LOGIN}: cf-log-in, payments\n")
    assert listed(applied, "--source", "user") == {"payments": 1}
    said = applied("labels", "detach", "payments", "--operation", LOGIN, "--json")
    assert json.loads(said.out) == {"version": 4, "operations": {LOGIN: ["cf-log-in"]}}
    assert applied("labels", "detach", "cf-log-in", "--operation", LOGIN).out == f"{LOGIN}: no label\n"


def test_rm(applied: Hoplon) -> None:
    assert applied("labels", "rm", "payments").out == "Removed 1; the zone is at version 3.\n"
    said = applied("labels", "rm", "payments")
    assert (said.code, said.out) == (1, "")
    assert "there is no label `payments`" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("attach", "payments", "--operation", "GET /nothing"), 1, "there is no operation `GET /nothing`"),
        (("attach", "pay", "--operation", LOGIN), 1, "there is no label `pay`"),
        (("attach", "cf-risk-zombie", "--operation", LOGIN), 1, "`cf-risk-zombie` follows from traffic"),
        (("attach", "payments", "--operation", "GET /{a"), 2, "a variable is a whole segment"),
        (("attach", "payments"), 2, "Missing option '--operation'"),
        (("add", "two words"), 1, "is no name for a label"),
        (("add", "payments"), 1, "there already is a label `payments`"),
        (("add", "x", "--metadata", "{"), 2, "--metadata is no JSON"),
        (("--zone", "nowhere"), 1, "there is no zone `nowhere`"),
    ],
)
def test_errors(applied: Hoplon, arguments: tuple[str, ...], code: int, told: str) -> None:
    said = applied("labels", *arguments)
    assert (said.code, said.out) == (code, "")
    assert told in said.err
    assert listed(applied, "--source", "user") == {"payments": 0}
